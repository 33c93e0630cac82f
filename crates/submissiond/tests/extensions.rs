//! What a client may ask of the delivery, and what of it is stored with the message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use auth::{Clock as _, SystemClock};
use envelope::{ByMode, Coding, Ret};
use jiff::Timestamp;
use kit::{ANNAS_PASSWORD, Client, Daemon, LEGACY, Queued, SUBMISSION, start};

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

fn now() -> Timestamp {
    SystemClock::new().now().wall
}

/// Sends `text` after `mail` and `rcpt`; what was stored.
async fn stored(daemon: &Daemon, mail: &str, rcpt: &str, text: &str) -> Queued {
    let mut client = daemon.anna().await;
    client.expect(mail, "250 2.1.0").await;
    client.expect(rcpt, "250 2.1.5").await;
    client.expect("DATA", "354 ").await;
    client.send(text).await;
    let reply = client.say(".").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    daemon.queued().await.pop().unwrap()
}

#[tokio::test]
async fn a_listener_offers_what_the_section_says() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    let hello = client.say("EHLO client").await;
    for word in ["SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "DELIVERBY", "PIPELINING"] {
        assert!(hello.lines().any(|line| line[4..].starts_with(word)), "{word}: {hello}");
    }
    assert!(hello.contains("LIMITS MAILMAX=10000 RCPTMAX=1000"), "{hello}");
    assert!(!hello.contains("REQUIRETLS") && !hello.contains("XCLIENT"), "{hello}");
    assert!(!hello.contains("ETRN") && !hello.contains("VRFY"), "{hello}");

    let nothing = "[protocol]\nsmtputf8 = false\nchunking = false\ndsn = false\n\
                   future_release_max = \"0s\"\ndeliver_by = false\nrequire_tls = false\n\
                   limits = false\n";
    let daemon = start(&format!("{nothing}{LEGACY}")).await;
    let mut client = daemon.anna().await;
    let hello = client.say("EHLO client").await;
    for word in
        ["SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "DELIVERBY", "FUTURERELEASE", "LIMITS"]
    {
        assert!(!hello.contains(word), "{word}: {hello}");
    }
    for parameter in ["SMTPUTF8", "BODY=BINARYMIME", "RET=FULL", "BY=60;N", "HOLDFOR=60"] {
        let reply = client.say(&format!("MAIL FROM:<anna@example.net> {parameter}")).await;
        assert!(reply.starts_with("55") || reply.starts_with("501"), "{parameter}: {reply}");
    }
}

#[tokio::test]
async fn wishes_of_senders_are_stored() {
    let daemon = start(LEGACY).await;
    let message = stored(
        &daemon,
        "MAIL FROM:<anna@example.net> RET=HDRS ENVID=QQ+2B7 BODY=8BITMIME SIZE=100",
        "RCPT TO:<x@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y+40example.org",
        TEXT,
    )
    .await;
    let wishes = &message.envelope.wishes;
    assert_eq!(wishes.ret, Some(Ret::Headers));
    assert_eq!(wishes.envid.as_ref().unwrap().as_str(), "QQ+7");
    assert!(!wishes.require_tls && !wishes.tls_optional && wishes.hold_until.is_none());
    assert_eq!(message.envelope.coding, Coding::EightBit);
    let recipient = &message.envelope.recipients[0];
    assert_eq!(recipient.notify.to_string(), "SUCCESS,DELAY");
    assert_eq!(recipient.original.as_ref().unwrap().address(), "y@example.org");
}

#[tokio::test]
async fn who_submitted_a_message_is_stored_if_it_is_to_be_believed() {
    let daemon = start(LEGACY).await;
    for (parameter, believed) in [
        ("AUTH=meier@example.net", Some("meier@example.net")),
        ("AUTH=MEIER+40example.net", Some("MEIER@example.net")),
        ("AUTH=ben@example.net", None),
        ("AUTH=<>", None),
        ("AUTH=nonsense", None),
        ("SIZE=10", None),
    ] {
        let mail = format!("MAIL FROM:<anna@example.net> {parameter}");
        let message = stored(&daemon, &mail, "RCPT TO:<x@example.org>", TEXT).await;
        let submitter = message.envelope.wishes.submitter.map(|mailbox| mailbox.to_string());
        assert_eq!(submitter.as_deref(), believed, "{parameter}");
    }
    // Of one who has not authenticated, nothing is believed.
    daemon.steered.say(kit::Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<anna@example.net> AUTH=anna@example.net", "250 2.1.0").await;
    client.expect("RCPT TO:<x@example.org>", "250 2.1.5").await;
    client.expect("DATA", "354 ").await;
    client.send(TEXT).await;
    client.say(".").await;
    let message = daemon.queued().await.pop().unwrap();
    assert_eq!(message.envelope.wishes.submitter, None);
}

#[tokio::test]
async fn a_message_is_kept_back_no_longer_than_allowed() {
    let daemon = start(&format!("[protocol]\nfuture_release_max = \"1h\"\n{LEGACY}")).await;
    let before = now();
    let mail = "MAIL FROM:<anna@example.net> HOLDFOR=3600";
    let message = stored(&daemon, mail, "RCPT TO:<x@example.org>", TEXT).await;
    let until = message.envelope.wishes.hold_until.unwrap();
    let held = until.duration_since(before);
    assert!((3599..3700).contains(&held.as_secs()), "{held}");

    let mut client = daemon.anna().await;
    let at = |offset: i64| {
        let second = now().as_second() + offset;
        format!(
            "MAIL FROM:<anna@example.net> HOLDUNTIL={}",
            Timestamp::from_second(second).unwrap()
        )
    };
    client.expect(&at(60), "250 2.1.0").await;
    client.expect("RSET", "250").await;
    client.expect(&at(7200), "501 5.5.4").await;
    client.expect("MAIL FROM:<anna@example.net> HOLDFOR=3601", "501 5.5.4").await;
    // What would come out too late already contradicts itself.
    client.expect("MAIL FROM:<anna@example.net> HOLDFOR=600 BY=60;R", "501 5.5.4").await;
    client.expect("MAIL FROM:<anna@example.net> HOLDFOR=60 BY=600;R", "250 2.1.0").await;

    // Who has not authenticated keeps nothing back here.
    daemon.steered.say(kit::Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<anna@example.net> HOLDFOR=60", "530 5.7.0").await;
}

#[tokio::test]
async fn a_time_that_has_passed_holds_nothing_back() {
    let daemon = start(LEGACY).await;
    let mail = "MAIL FROM:<anna@example.net> HOLDUNTIL=2026-01-01T00:00:00Z";
    let message = stored(&daemon, mail, "RCPT TO:<x@example.org>", TEXT).await;
    assert_eq!(message.envelope.wishes.hold_until, None);
}

#[tokio::test]
async fn deadlines_count_from_mail() {
    let daemon = start(LEGACY).await;
    let before = now();
    let mail = "MAIL FROM:<anna@example.net> BY=120;RT";
    let message = stored(&daemon, mail, "RCPT TO:<x@example.org>", TEXT).await;
    let by = message.envelope.wishes.deliver_by.unwrap();
    assert_eq!((by.mode, by.trace), (ByMode::Return, true));
    let left = by.at.duration_since(before);
    assert!((119..200).contains(&left.as_secs()), "{left}");
}

#[tokio::test]
async fn tls_can_be_demanded_under_tls_alone() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submissions").await;
    client.start_tls(&daemon.certificate).await;
    client.reply().await;
    assert!(client.say("EHLO client").await.contains("REQUIRETLS"));
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    client.expect("MAIL FROM:<anna@example.net> REQUIRETLS", "250 2.1.0").await;
    client.expect("RCPT TO:<x@example.org>", "250 2.1.5").await;
    client.expect("DATA", "354 ").await;
    // What the author's program wrote into the header counts for less.
    let text = "From: anna@example.net\r\nTLS-Required: No\r\n\r\nHi\r\n";
    client.expect(&format!("{text}."), "250 2.0.0").await;
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let queued = daemon.queued().await;
    assert!(queued[0].envelope.wishes.require_tls && !queued[0].envelope.wishes.tls_optional);
    assert!(!queued[1].envelope.wishes.require_tls && queued[1].envelope.wishes.tls_optional);

    let mut client = daemon.client("submission").await;
    client.reply().await;
    client.say("EHLO client").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    client.expect("MAIL FROM:<anna@example.net> REQUIRETLS", "555 5.5.4").await;
}

#[tokio::test]
async fn only_what_needs_it_is_sent_on_as_utf8() {
    let daemon = start(LEGACY).await;
    let mail = "MAIL FROM:<anna@example.net> SMTPUTF8 BODY=8BITMIME";
    // A phone that always says SMTPUTF8: any server can take this.
    let latin =
        "From: anna@example.net\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nH\u{e9}\r\n";
    let message = stored(&daemon, mail, "RCPT TO:<x@example.org>", latin).await;
    assert!(!message.envelope.smtputf8);
    assert!(message.text().contains(" with UTF8SMTPA id "), "{}", message.text());
    let message = stored(&daemon, mail, "RCPT TO:<j\u{f6}rg@example.org>", TEXT).await;
    assert!(message.envelope.smtputf8);
    assert_eq!(message.recipients(), ["j\u{f6}rg@example.org"]);
    let header = "From: anna@example.net\r\nSubject: H\u{e9}\r\n\r\nHi\r\n";
    let message = stored(&daemon, mail, "RCPT TO:<x@example.org>", header).await;
    assert!(message.envelope.smtputf8);
    // Old programs that write octets into a header without asking are not stopped.
    let mail = "MAIL FROM:<anna@example.net>";
    let message = stored(&daemon, mail, "RCPT TO:<x@example.org>", header).await;
    assert!(!message.envelope.smtputf8 && message.envelope.coding == Coding::EightBit);
    let mut client = daemon.anna().await;
    client.expect(mail, "250 2.1.0").await;
    client.expect("RCPT TO:<j\u{f6}rg@example.org>", "553 5.6.7").await;
}

async fn begin(client: &mut Client, mail: &str) {
    client.expect(mail, "250 2.1.0").await;
    client.expect("RCPT TO:<x@example.org>", "250 2.1.5").await;
}

async fn chunk(client: &mut Client, octets: &[u8], last: &str) -> String {
    client.send([format!("BDAT {}{last}\r\n", octets.len()).as_bytes(), octets].concat()).await;
    client.reply().await
}

#[tokio::test]
async fn chunks_become_one_message() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    begin(&mut client, "MAIL FROM:<anna@example.net>").await;
    assert!(chunk(&mut client, b"From: anna@example.net", "").await.starts_with("250 2.0.0"));
    // A line end in two pieces, and a dot that means nothing.
    assert!(chunk(&mut client, b"\r", "").await.starts_with("250 2.0.0"));
    let reply = chunk(&mut client, b"\n\r\n.\r\n..end\r\n", " LAST").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let text = daemon.queued().await[0].text();
    assert!(text.ends_with("\r\n\r\n.\r\n..end\r\n"), "{text:?}");
    assert!(text.contains("\r\nFrom: anna@example.net\r\n"), "{text:?}");
}

#[tokio::test]
async fn any_octets_are_kept_where_the_client_says_so() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    begin(&mut client, "MAIL FROM:<anna@example.net> BODY=BINARYMIME").await;
    let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let header = b"From: anna@example.net\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    assert!(chunk(&mut client, header, "").await.starts_with("250 2.0.0"));
    let reply = chunk(&mut client, &body, " LAST").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // DATA cannot carry such a message.
    begin(&mut client, "MAIL FROM:<anna@example.net> BODY=BINARYMIME").await;
    client.expect("DATA", "503 5.5.1").await;
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].envelope.coding, Coding::Binary);
    assert!(queued[0].text.ends_with(&[&b"\r\n\r\n"[..], &body].concat()));
}

#[tokio::test]
async fn a_chunk_of_a_refused_transaction_is_swallowed() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    // Pipelined: neither sender nor recipients are known when the chunk is on its way.
    let chunk = "QUIT\r\nMAIL FROM:<anna@example.net>\r\n";
    let commands = format!(
        "MAIL FROM:<ben@example.net>\r\nRCPT TO:<x@example.org>\r\nBDAT {} LAST\r\n{chunk}NOOP\r\n",
        chunk.len()
    );
    client.send(commands).await;
    for expected in ["550 5.7.1", "503 5.5.1", "503 5.5.1", "250 2.0.0"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{expected}: {reply}");
    }
    assert!(daemon.queued().await.is_empty());
}

#[tokio::test]
async fn the_submitter_is_noted_where_it_is_to_be_believed() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    for value in ["<>", "anna@example.net", "stranger@example.org", "e+3Dmc2@example.com"] {
        client.expect(&format!("MAIL FROM:<anna@example.net> AUTH={value}"), "250 2.1.0").await;
        client.expect("RSET", "250").await;
    }
    client.expect("MAIL FROM:<anna@example.net> AUTH=a=b", "501 5.5.4").await;
    client.expect("MAIL FROM:<anna@example.net> AUTH", "501 5.5.4").await;
}

#[tokio::test]
async fn a_session_has_a_number_of_messages() {
    let daemon = start(&format!("[protocol]\nmails_per_session_max = 2\n{LEGACY}")).await;
    let mut client = daemon.anna().await;
    for _ in 0..2 {
        let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    let reply = client.say("MAIL FROM:<anna@example.net>").await;
    assert!(reply.starts_with('4'), "{reply}");
    assert_eq!(daemon.queued().await.len(), 2);
}

#[tokio::test]
async fn a_listener_may_have_lower_limits() {
    let config = format!("{LEGACY}recipients_max = 1\nmessage_size_max = \"64KiB\"\n");
    let daemon = start(&config).await;
    let mut client = daemon.anna().await;
    let hello = client.say("EHLO again").await;
    assert!(hello.contains("SIZE 65536") && hello.contains("RCPTMAX=1"), "{hello}");
    client.expect("MAIL FROM:<anna@example.net> SIZE=65537", "552 5.3.4").await;
    begin(&mut client, "MAIL FROM:<anna@example.net>").await;
    client.expect("RCPT TO:<y@example.org>", "452 4.5.3").await;
}

#[tokio::test]
async fn a_client_that_stops_between_chunks_is_cut_off() {
    let daemon = start(&format!("command_timeout = \"1s\"\n{LEGACY}")).await;
    let mut client = daemon.anna().await;
    begin(&mut client, "MAIL FROM:<anna@example.net>").await;
    assert!(chunk(&mut client, b"From: anna@example.net", "").await.starts_with("250 2.0.0"));
    let reply = client.reply().await;
    assert!(reply.starts_with("421 4.4.2"), "{reply}");
    assert!(daemon.queued().await.is_empty());
}

#[tokio::test]
async fn many_small_chunks_do_not_stretch_the_time() {
    let daemon = start(&format!("data_timeout = \"1s\"\n{LEGACY}")).await;
    let mut client = daemon.anna().await;
    begin(&mut client, "MAIL FROM:<anna@example.net>").await;
    let mut last = String::new();
    for _ in 0..40 {
        client.try_send(b"BDAT 1\r\nx").await;
        match client.try_reply().await {
            Some(reply) => last = reply,
            None => break,
        }
        if last.starts_with("421") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(last.starts_with("421 4.4.2"), "{last}");
}

#[tokio::test]
async fn a_daemon_that_stops_waits_for_the_last_chunk() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    begin(&mut client, "MAIL FROM:<anna@example.net>").await;
    let header = b"From: anna@example.net\r\n\r\n";
    assert!(chunk(&mut client, header, "").await.starts_with("250 2.0.0"));
    daemon.trigger.request();
    assert!(chunk(&mut client, b"end\r\n", " LAST").await.starts_with("250 2.0.0"));
    assert!(client.reply().await.starts_with("421 4.3.2"));
    assert_eq!(daemon.queued().await.len(), 1);
}
