//! What senders ask for: reports of their choice, a time, TLS all the way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use address::AccountKey;
use auth::Moment;
use envelope::{ByMode, EnvelopeId, Notify, OriginalRecipient, Ret};
use jiff::SignedDuration;
use mail_parser::{MessageParser, MimeHeaders as _};
use relay::config::{Period, TlsPolicy};
use spool::{DeliverBy, Envelope};

use crate::kit::{House, NextHop, Options, Reaction, Seen};
use crate::tls::certificate;

const TEXT: &[u8] = b"Subject: hi\r\n\r\nthe body\r\n";
const TO: [&str; 1] = ["x@remote.example"];
const HOUR: Duration = Duration::from_secs(60 * 60);

fn notify(value: &'static str) -> impl Fn(&mut Envelope) {
    move |envelope| {
        for recipient in &mut envelope.recipients {
            recipient.notify = Notify::parse(value).unwrap();
        }
    }
}

fn by(mode: ByMode, seconds: i64) -> impl Fn(&mut Envelope) {
    move |envelope| {
        let at = envelope.received_at + SignedDuration::from_secs(seconds);
        envelope.wishes.deliver_by = Some(DeliverBy { at, mode, trace: false });
    }
}

fn refuse(seen: &Seen<'_>) -> Reaction {
    match seen.command.starts_with("RCPT") {
        true => Reaction::Say("550 5.1.1 no such user"),
        false => Reaction::Polite,
    }
}

fn put_off(seen: &Seen<'_>) -> Reaction {
    match seen.command.starts_with("RCPT") {
        true => Reaction::Say("451 4.3.0 not now"),
        false => Reaction::Polite,
    }
}

/// The value of a field in the part for programs; the first one.
fn field<'a>(report: &'a str, name: &str) -> &'a str {
    let (_, behind) = report.split_once(&format!("\r\n{name}: ")).unwrap();
    behind.split("\r\n").next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_is_reported_by_whom_nobody_follows() {
    for (extensions, action) in [(vec!["PIPELINING"], Some("relayed")), (vec!["DSN"], None)] {
        let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
        let house = House::new(&hop.address);
        let running = house.run();
        house.submit_as("ben@example.org", &TO, TEXT, notify("SUCCESS")).await;
        house.emptied().await;
        running.stop().await;
        let mail = house.mail_of("ben");
        assert_eq!(mail.first().map(|report| field(report, "Action")), action);
        let told = hop.heard("RCPT TO:<x@remote.example> NOTIFY=SUCCESS");
        assert_eq!(told, usize::from(action.is_none()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_here_is_reported() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit_as("ben@example.org", &["aiko@example.org"], TEXT, notify("SUCCESS")).await;
    house.emptied().await;
    assert_eq!(running.stats.success_reports.get(), 1);
    // One who did not ask, and one without a return path.
    house.submit("ben@example.org", &["aiko@example.org"], TEXT).await;
    house.submit_as("<>", &["aiko@example.org"], TEXT, notify("SUCCESS")).await;
    house.emptied().await;
    running.stop().await;
    let mail = house.mail_of("ben");
    assert_eq!((mail.len(), house.mail_of("aiko").len()), (1, 3));
    assert_eq!((field(&mail[0], "Action"), field(&mail[0], "Status")), ("delivered", "2.0.0"));
    assert!(!mail[0].contains("Diagnostic-Code"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_hear_nothing_hears_nothing() {
    for (value, reports) in [("NEVER", 0), ("SUCCESS,DELAY", 0), ("FAILURE", 1)] {
        let hop = NextHop::scripted(refuse).await;
        let house = House::new(&hop.address);
        let running = house.run();
        house.submit_as("ben@example.org", &TO, TEXT, notify(value)).await;
        house.emptied().await;
        assert_eq!(running.stats.failed.get(), 1);
        running.stop().await;
        assert_eq!(house.mail_of("ben").len(), reports, "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_speaks_the_senders_names_and_returns_what_he_asked_for() {
    let hop = NextHop::scripted(refuse).await;
    let mut house = House::new(&hop.address);
    house.config.reports.full_max = spool::Size(1000);
    let running = house.run();
    let adorn = |envelope: &mut Envelope| {
        envelope.wishes.ret = Some(Ret::Full);
        envelope.wishes.envid = EnvelopeId::parse("QQ+2B1");
        envelope.recipients[0].original = OriginalRecipient::parse("rfc822;first+40remote.example");
    };
    house.submit_as("ben@example.org", &TO, TEXT, adorn).await;
    house.emptied().await;
    let large = [TEXT, &b"0123456789abcdef\r\n".repeat(100)].concat();
    house.submit_as("ben@example.org", &TO, &large, adorn).await;
    house.emptied().await;
    running.stop().await;
    let mail = house.mail_of("ben");
    assert_eq!(field(&mail[0], "Original-Envelope-Id"), "QQ+1");
    assert_eq!(field(&mail[0], "Original-Recipient"), "rfc822; first@remote.example");
    let kinds = |text: &str| -> Vec<String> {
        let parsed = MessageParser::new().parse(text.as_bytes()).unwrap();
        let kinds = parsed.parts.iter().filter_map(|part| part.content_type());
        kinds.map(|kind| kind.c_subtype.clone().unwrap().into_owned()).collect()
    };
    assert_eq!(kinds(&mail[0]), ["report", "plain", "delivery-status", "rfc822"]);
    assert!(mail[0].contains("the body"));
    assert_eq!(kinds(&mail[1])[3], "rfc822-headers");
    assert!(!mail[1].contains("the body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_message_is_returned_whole_in_another_form() {
    let hop = NextHop::scripted(refuse).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let text = b"MIME-Version: 1.0\r\nContent-Type: application/x\r\n\r\n\0\xff";
    let adorn = |envelope: &mut Envelope| {
        envelope.wishes.ret = Some(Ret::Full);
        envelope.coding = envelope::Coding::Binary;
    };
    house.submit_as("ben@example.org", &TO, text, adorn).await;
    house.emptied().await;
    running.stop().await;
    let report = &house.mail_of("ben")[0];
    assert!(report.contains("base64\r\n\r\nAP8=\r\n"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_reported_once_at_its_time() {
    let hop = NextHop::scripted(put_off).await;
    let mut house = House::new(&hop.address);
    house.config.reports.delay_after = Period::from_secs(2 * 60 * 60);
    house.config.retry = vec![Period::from_secs(90 * 60)];
    let running = house.run();
    house.submit("ben@example.org", &["x@remote.example", "y@remote.example"], TEXT).await;
    house.submit_as("ben@example.org", &TO, TEXT, notify("FAILURE")).await;
    house.submit("<>", &TO, TEXT).await;
    house.settled(&running).await;
    house.clock.advance(Duration::from_secs(100 * 60));
    house.settled(&running).await;
    assert!(house.mail_of("ben").is_empty());
    // The next attempt would be later than that.
    house.clock.advance(Duration::from_secs(21 * 60));
    house.settled(&running).await;
    let mail = house.mail_of("ben");
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0].matches("\r\nAction: delayed\r\n").count(), 2);
    assert_eq!((field(&mail[0], "Status"), running.stats.delay_reports.get()), ("4.3.0", 1));
    assert_eq!(field(&mail[0], "Will-Retry-Until"), "Sun, 29 Nov 2026 09:00:00 +0000");
    for _ in 0..5 {
        house.clock.advance(2 * HOUR);
        house.settled(&running).await;
    }
    assert_eq!(running.stats.delay_reports.get(), 1, "once");
    running.stop().await;

    // Nor again after a restart.
    let house = house.reopen_spool().await;
    let running = house.run();
    house.clock.advance(2 * HOUR);
    house.settled(&running).await;
    running.stop().await;
    assert_eq!(house.mail_of("ben").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_arrive_in_time_comes_back() {
    let hop = NextHop::scripted(put_off).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit_as("ben@example.org", &TO, TEXT, by(ByMode::Return, 30)).await;
    house.settled(&running).await;
    assert_eq!(house.queue().await.len(), 1);
    house.clock.advance(Duration::from_secs(31));
    house.emptied().await;
    // Late already: nothing is sent at all, and nothing put into a mailbox.
    let heard = hop.heard("MAIL");
    house.submit_as("ben@example.org", &TO, TEXT, by(ByMode::Return, -1)).await;
    house.submit_as("ben@example.org", &["aiko@example.org"], TEXT, by(ByMode::Return, -1)).await;
    house.emptied().await;
    assert_eq!(hop.heard("MAIL"), heard);
    running.stop().await;
    let mail = house.mail_of("ben");
    assert_eq!(mail.len(), 3);
    assert!(mail.iter().all(|report| field(report, "Status") == "5.4.7"));
    assert!(house.mail_of("aiko").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_is_told_and_goes_on() {
    let hop = NextHop::scripted(|seen| match seen.times < 3 {
        true => put_off(seen),
        false => Reaction::Polite,
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit_as("ben@example.org", &TO, TEXT, by(ByMode::Notify, 30)).await;
    house.settled(&running).await;
    house.clock.advance(Duration::from_secs(31));
    house.settled(&running).await;
    house.clock.advance(HOUR);
    house.emptied().await;
    running.stop().await;
    let mut mail = house.mail_of("ben");
    mail.sort_by_key(|report| field(report, "Action").to_owned());
    let actions: Vec<_> = mail.iter().map(|report| field(report, "Action")).collect();
    assert_eq!(actions, ["delayed", "relayed"], "and that the limit ends with the next hop");
    assert_eq!(field(&mail[0], "Status"), "4.4.7");
    assert_eq!(hop.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_left_is_passed_on() {
    let extensions = vec!["DELIVERBY", "DSN"];
    let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
    let house = House::new(&hop.address);
    house.submit_as("ben@example.org", &TO, TEXT, by(ByMode::Return, 120)).await;
    house.clock.advance(Duration::from_secs(20));
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.messages()[0].mail, "MAIL FROM:<ben@example.org> BY=100;R");
    assert!(house.mail_of("ben").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_tls_goes_where_it_is_promised() {
    for (promises, policy, delivered) in [
        (true, TlsPolicy::Required, true),
        (false, TlsPolicy::Required, false),
        (true, TlsPolicy::Opportunistic, false),
    ] {
        let (acceptor, ca) = certificate("127.0.0.1");
        let extensions = if promises { vec!["REQUIRETLS"] } else { vec![] };
        let options = Options { tls: Some(acceptor), extensions, ..Options::default() };
        let hop = NextHop::start(options).await;
        let mut house = House::new(&hop.address);
        house.hop().tls = policy;
        if policy == TlsPolicy::Required {
            house.hop().ca_file = Some(ca.path().to_owned());
        }
        let running = house.run();
        let adorn = |envelope: &mut Envelope| {
            envelope.wishes.require_tls = true;
            envelope.wishes.ret = Some(Ret::Full);
        };
        house.submit_as("ben@example.org", &TO, TEXT, adorn).await;
        house.emptied().await;
        running.stop().await;
        assert_eq!(hop.count(), usize::from(delivered), "{promises} {policy:?}");
        let mail = house.mail_of("ben");
        if delivered {
            assert_eq!(hop.messages()[0].mail, "MAIL FROM:<ben@example.org> REQUIRETLS");
        } else {
            assert_eq!(field(&mail[0], "Status"), "5.7.30");
            assert!(!mail[0].contains("the body"), "the header alone (RFC 8689)");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postmaster_gets_a_copy_without_the_text() {
    let hop = NextHop::scripted(refuse).await;
    let mut house = House::new(&hop.address);
    house.config.reports.postmaster = Some("aiko@example.org".to_owned());
    let running = house.run();
    house.submit_as("ben@example.org", &TO, TEXT, |e| e.wishes.ret = Some(Ret::Full)).await;
    // He hears of what nobody else can be told.
    house.submit("<>", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    let (mail, copies) = (house.mail_of("ben"), house.mail_of("aiko"));
    assert_eq!((mail.len(), copies.len()), (1, 2));
    assert!(mail[0].contains("the body") && copies.iter().all(|copy| !copy.contains("the body")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postmaster_who_cannot_be_reached_is_no_loop() {
    let hop = NextHop::scripted(refuse).await;
    let mut house = House::new(&hop.address);
    house.config.reports.postmaster = Some("postmaster@remote.example".to_owned());
    let running = house.run();
    house.submit("ben@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.heard("RCPT TO:<postmaster@remote.example>"), 1);
    assert_eq!(house.mail_of("ben").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_round_again_is_stopped() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let looped = b"Delivered-To: aiko@example.org\r\nSubject: round\r\n\r\nhi\r\n";
    let honest = b"Delivered-To: ben@example.org\r\n\r\nDelivered-To: aiko@example.org\r\n";
    house.submit("ben@example.org", &["AIKO@example.org"], looped).await;
    house.submit("ben@example.org", &["aiko@example.org"], honest).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(house.mail_of("aiko").len(), 1);
    let mail = house.mail_of("ben");
    assert_eq!((mail.len(), field(&mail[0], "Status")), (1, "5.4.6"));
}

/// Counts failures.
#[derive(Default)]
struct Counting(Mutex<Vec<String>>);

impl relay::FailureObserver for Counting {
    fn delivery_failed(&self, account: &AccountKey, _: Moment) {
        self.0.lock().unwrap().push(account.as_str().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_by_account() {
    let hop = NextHop::scripted(|seen| match seen.command {
        "RCPT TO:<late@remote.example>" => Reaction::Say("451 4.3.0 not now"),
        "RCPT TO:<good@remote.example>" => Reaction::Polite,
        _ => refuse(seen),
    })
    .await;
    let house = House::new(&hop.address);
    let observer = Arc::new(Counting::default());
    let running = house.run_observed(Arc::clone(&observer) as _);
    let to = ["a@remote.example", "b@remote.example", "late@remote.example", "good@remote.example"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.settled(&running).await;
    running.stop().await;
    assert_eq!(*observer.0.lock().unwrap(), ["ben@example.org", "ben@example.org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_holds_no_mail_back_and_ages_none() {
    let hop = NextHop::scripted(|seen| match seen.times < 3 {
        true => put_off(seen),
        false => Reaction::Polite,
    })
    .await;
    let house = House::new(&hop.address);
    let year = SignedDuration::from_hours(365 * 24);
    let start = auth::Clock::now(&*house.clock).wall;
    let running = house.run();
    house.submit("ben@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    // A year ahead: the second attempt fails, and the message is not given up.
    house.clock.step_wall(start + year);
    house.settled(&running).await;
    assert_eq!((hop.heard("RCPT"), running.stats.expired.get()), (2, 0));
    running.stop().await;
    // And back, while nobody was looking: due in a year, unless somebody notices.
    house.clock.step_wall(start + year);
    let running = house.run();
    house.clock.step_wall(start);
    tokio::time::timeout(Duration::from_secs(60), house.emptied()).await.unwrap();
    running.stop().await;
    assert_eq!(hop.count(), 1);
}
