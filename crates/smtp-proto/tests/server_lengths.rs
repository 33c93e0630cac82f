//! Long lines, many chunks, small sessions: what takes more octets than a transcript can show.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use server_kit::{Conversation, all_extensions, parameters};
use smtp_proto::server::{Daemon, Parameters, Session};

fn open() -> Conversation {
    let parameters =
        Parameters { extensions: all_extensions(), message_octets_max: 1 << 20, ..parameters() };
    let mut conversation = Conversation::open(parameters, true);
    conversation.receive(b"EHLO a\r\nAUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    conversation
}

/// The last line of what is said to `line`.
fn answer(conversation: &mut Conversation, line: &str) -> String {
    raw_answer(conversation, &format!("{line}\r\n"))
}

/// The same, to the octet.
fn raw_answer(conversation: &mut Conversation, octets: &str) -> String {
    conversation.output.clear();
    conversation.receive(octets.as_bytes());
    let text = String::from_utf8(conversation.output.clone()).unwrap();
    text.trim_end().lines().last().unwrap().to_owned()
}

/// A path of so many octets, brackets included.
fn path(octets: usize) -> String {
    let domain = ["d".repeat(60).as_str(); 10].join(".");
    // Two brackets, the @, and an x at the end, where a dot might be.
    format!("<{}@{}x>", "l".repeat(64), &domain[..octets - 64 - 4])
}

#[test]
fn a_path_has_256_octets_at_most() {
    let mut conversation = open();
    assert_eq!(path(256).len(), 256);
    let reply = answer(&mut conversation, &format!("MAIL FROM:{}", path(256)));
    assert_eq!(reply, "250 2.1.0 Sender accepted");
    let reply = answer(&mut conversation, &format!("RCPT TO:{}", path(256)));
    assert_eq!(reply, "250 2.1.5 Recipient accepted");
    let reply = answer(&mut conversation, &format!("RCPT TO:{}", path(257)));
    assert_eq!(reply, "501 5.1.3 Bad recipient address: it is longer than 256 octets");
    // A route is dropped and does not count.
    let routed = format!("RCPT TO:<@{}:{}", "r".repeat(600), &path(256)[1..]);
    assert_eq!(answer(&mut conversation, &routed), "250 2.1.5 Recipient accepted");
    answer(&mut conversation, "RSET");
    let reply = answer(&mut conversation, &format!("MAIL FROM:{}", path(257)));
    assert_eq!(reply, "501 5.1.7 Bad sender address: it is longer than 256 octets");
}

/// RFC 5321 section 4.5.3.1.4 has 512 octets, and each extension adds what its parameters need.
#[test]
fn a_command_may_hold_all_parameters_at_their_longest() {
    let mut conversation = open();
    let mail = format!(
        "MAIL FROM:{} SIZE=00000000000000001000 BODY=BINARYMIME AUTH={}@example.org SMTPUTF8 \
         RET=FULL ENVID={} HOLDUNTIL=2026-11-24T21:00:00+00:00 BY=999999999;RT REQUIRETLS",
        path(256),
        "+41".repeat(64),
        "e".repeat(100),
    );
    assert!(mail.len() > 600, "{}", mail.len());
    assert_eq!(answer(&mut conversation, &mail), "250 2.1.0 Sender accepted");
    assert!(conversation.asked.last().unwrap().contains(" auth=AAAA"));
    let original = format!("rfc822;{}", "o".repeat(500 - 7));
    let rcpt = format!("RCPT TO:{} NOTIFY=SUCCESS,FAILURE,DELAY ORCPT={original}", path(256));
    assert!(rcpt.len() > 780, "{}", rcpt.len());
    assert_eq!(answer(&mut conversation, &rcpt), "250 2.1.5 Recipient accepted");
    let reply = answer(&mut conversation, &format!("{rcpt}o"));
    assert_eq!(reply, "501 5.5.4 A parameter has a malformed value");
    // AUTH= may take 500 octets, and what is no mailbox counts as unknown.
    answer(&mut conversation, "RSET");
    let reply = answer(&mut conversation, &format!("MAIL FROM:<> AUTH={}", "a".repeat(490)));
    assert_eq!(reply, "250 2.1.0 Sender accepted");
    assert!(conversation.asked.last().unwrap().contains(" auth=<>"));
}

fn transaction(conversation: &mut Conversation) {
    conversation.receive(b"MAIL FROM:<>\r\nRCPT TO:<ben@example.org>\r\n");
}

#[test]
fn masses_of_tiny_chunks_are_refused_and_cost_nothing() {
    let mut conversation = open();
    transaction(&mut conversation);
    for _ in 0..100 {
        assert_eq!(raw_answer(&mut conversation, "BDAT 1\r\nx"), "250 2.0.0 Chunk received");
    }
    conversation.asked.clear();
    let reply = raw_answer(&mut conversation, "BDAT 1\r\nx");
    assert_eq!(reply, "554 5.5.0 The message comes in too many small chunks");
    assert_eq!(conversation.asked, ["rejected <> tiny-chunks"]);
    // The rest is under way; each is an error, and the session has only so many.
    let crumbs = "BDAT 1\r\nx".repeat(10_000);
    conversation.output.clear();
    conversation.receive(crumbs.as_bytes());
    assert!(conversation.closed);
    assert!(conversation.output.len() < 50 * 60);
    // Chunks of nothing are chunks.
    let mut conversation = open();
    transaction(&mut conversation);
    conversation.receive("BDAT 0\r\n".repeat(101).as_bytes());
    assert_eq!(conversation.asked.last().unwrap(), "rejected <> tiny-chunks");
}

#[test]
fn a_large_message_may_have_many_chunks() {
    let mut conversation = open();
    transaction(&mut conversation);
    let chunk = "y".repeat(510) + "\r\n";
    for _ in 0..1000 {
        let reply = raw_answer(&mut conversation, &format!("BDAT 512\r\n{chunk}"));
        assert_eq!(reply, "250 2.0.0 Chunk received");
    }
    assert_eq!(answer(&mut conversation, "BDAT 0 LAST"), "250 2.0.0 Accepted, queued as q1");
    assert!(conversation.asked.last().unwrap().ends_with("yy\\r\\n"));
}

#[test]
fn a_refused_chunk_takes_no_memory() {
    let mut conversation = open();
    conversation.receive(b"BDAT 2000000\r\n");
    conversation.output.clear();
    for _ in 0..2000 {
        conversation.receive(&[b'x'; 1000]);
        assert_eq!(conversation.unread(), 0);
    }
    assert_eq!(conversation.output, b"503 5.5.1 Send MAIL first\r\n");
}

#[test]
fn what_the_limit_will_not_bear_is_read_to_its_end() {
    let mut conversation = open();
    transaction(&mut conversation);
    let text = vec![b'z'; 1 << 20];
    conversation.receive(b"BDAT 1048576\r\n");
    conversation.receive(&text);
    conversation.receive(b"BDAT 1048576 LAST\r\n");
    conversation.receive(&text);
    assert_eq!(conversation.asked.last().unwrap(), "rejected <> too-large");
    assert_eq!(answer(&mut conversation, "NOOP"), "250 2.0.0 OK");
    // A chunk that would go far beyond it is not waited for.
    transaction(&mut conversation);
    conversation.receive(b"BDAT 1\r\nx");
    conversation.receive(b"BDAT 4000000\r\n");
    assert!(conversation.closed);
    let last_two = &conversation.asked[conversation.asked.len() - 2..];
    assert_eq!(last_two, ["rejected <> too-large", "close message-overrun"]);
}

/// There are very many sessions, and nearly all of them wait.
#[test]
fn a_session_is_small() {
    struct Bare;
    impl Daemon for Bare {
        type Login = ();
        type Envelope = ();
        type Message = ();
    }
    assert!(size_of::<Session<Bare>>() <= 264, "{}", size_of::<Session<Bare>>());
}
