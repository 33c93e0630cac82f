//! Reports, read as a program would read them.

mod whole;

use envelope::{Notify, OriginalRecipient};
use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;
use smtp_proto::client::EnhancedCode;

use super::*;
use crate::verdict::code;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

struct Case {
    sender: Mailbox,
    recipient: Mailbox,
    verdict: Verdict,
    status: EnhancedCode,
    action: Action,
    subject: Subject,
    envid: Option<EnvelopeId>,
    original: Option<OriginalRecipient>,
    start: Vec<u8>,
    whole: bool,
    require_tls: bool,
    copies: usize,
    language: Language,
}

impl Default for Case {
    fn default() -> Self {
        let remote = "next.example.net[192.0.2.9]:25".into();
        Self {
            sender: mailbox("aiko@example.org"),
            recipient: mailbox("nobody@example.net"),
            verdict: Verdict {
                is_reply: true,
                ..Verdict::failed(code(5, 1, 1), "550 5.1.1 no such user").about(&remote)
            },
            status: code(5, 1, 1),
            action: Action::Failed { expired: false },
            subject: Subject::Failure,
            envid: None,
            original: None,
            whole: false,
            require_tls: false,
            copies: 1,
            start: b"From: aiko@example.org\r\nSubject: hi\r\n\r\nbody\r\n".to_vec(),
            language: Language::English,
        }
    }
}

impl Case {
    fn compose(&self) -> Report {
        let hello = Host::parse("mail.example.org").unwrap();
        let now = at("2026-11-24T10:00:00Z");
        let place = Place { hello: &hello, language: self.language, now };
        let id = "0000000000001".parse().unwrap();
        let returned = match self.whole {
            true => Returned::Whole(&self.start),
            false => Returned::Header(&self.start),
        };
        let original = Original {
            id,
            received_at: at("2026-11-24T09:58:07Z"),
            envid: self.envid.as_ref(),
            returned,
            require_tls: self.require_tls,
        };
        let recipient = Recipient {
            mailbox: self.recipient.clone(),
            notify: Notify::UNSAID,
            original: self.original.clone(),
        };
        let entries: Vec<_> = (0..self.copies)
            .map(|_| Entry {
                recipient: &recipient,
                action: self.action,
                status: self.status,
                verdict: &self.verdict,
            })
            .collect();
        compose(&place, &self.sender, self.subject, &original, &entries, 0x1234)
    }

    fn text(&self) -> String {
        String::from_utf8(self.compose().body.to_vec()).unwrap()
    }
}

/// Header and content of the message and of each of its three parts.
fn parts(message: &str) -> (String, Vec<(String, String)>) {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let boundary = header.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut pieces: Vec<_> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(pieces.pop(), Some("--\r\n"));
    assert_eq!(pieces.remove(0), "\r\n".strip_prefix("\r\n").unwrap_or("\r\n"), "no preamble");
    let parts = pieces.iter().map(|piece| {
        let piece = piece.strip_prefix("\r\n").unwrap();
        let (header, content) = piece.split_once("\r\n\r\n").unwrap();
        (header.to_owned(), content.strip_suffix("\r\n").unwrap().to_owned())
    });
    (header.to_owned(), parts.collect())
}

#[test]
fn whole_report() {
    let report = Case::default().compose();
    assert_eq!(report.recipients, [mailbox("aiko@example.org")]);
    assert!(!report.eight_bit && !report.smtputf8);
    let text = String::from_utf8(report.body.to_vec()).unwrap();
    let (header, parts) = parts(&text);
    for line in [
        "From: Mail Delivery System <MAILER-DAEMON@mail.example.org>",
        "To: <aiko@example.org>",
        "Subject: Your message could not be delivered",
        "Date: Tue, 24 Nov 2026 10:00:00 +0000",
        "Message-ID: <0000000000001.0000000000001234@mail.example.org>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
    ] {
        assert!(header.lines().any(|l| l == line), "{line} is missing from {header}");
    }
    assert_eq!(parts.len(), 3);
    assert!(parts[0].0.starts_with("Content-Type: text/plain; charset=utf-8"));
    assert!(parts[0].1.contains("  <nobody@example.net>\r\n"));
    assert!(parts[0].1.contains("550 5.1.1 no such user"));
    assert!(parts[0].1.contains("queue ID 0000000000001"));
    assert_eq!(parts[1].0, "Content-Type: message/delivery-status");
    assert_eq!(
        parts[1].1,
        "Reporting-MTA: dns; mail.example.org\r\n\
         Arrival-Date: Tue, 24 Nov 2026 09:58:07 +0000\r\n\
         \r\n\
         Final-Recipient: rfc822; nobody@example.net\r\n\
         Action: failed\r\n\
         Status: 5.1.1\r\n\
         Remote-MTA: dns; next.example.net\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\
         Last-Attempt-Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    );
    assert_eq!(parts[2].0, "Content-Type: text/rfc822-headers");
    assert_eq!(parts[2].1, "From: aiko@example.org\r\nSubject: hi\r\n");
}

#[test]
fn japanese_report_is_seven_bit() {
    let case = Case { language: Language::Japanese, ..Case::default() };
    let report = case.compose();
    assert!(!report.eight_bit && report.body.is_ascii());
    let text = String::from_utf8(report.body.to_vec()).unwrap();
    let (header, parts) = parts(&text);
    assert!(header.contains("Subject: =?UTF-8?B?"));
    assert!(header.lines().all(|line| line.len() <= 76), "{header}");
    assert!(parts[0].0.contains("Content-Transfer-Encoding: base64"));
    use base64::Engine as _;
    let octets =
        base64::engine::general_purpose::STANDARD.decode(parts[0].1.replace("\r\n", "")).unwrap();
    let said = String::from_utf8(octets).unwrap();
    let japanese = said.find("次の宛先に配送できませんでした").unwrap();
    let english = said.find("could not be\r\ndelivered").unwrap();
    assert!(japanese < english);
}

#[test]
fn expired_and_local() {
    let case = Case {
        verdict: Verdict::deferred(code(4, 2, 2), "no space left on device"),
        status: code(4, 4, 7),
        action: Action::Failed { expired: true },
        ..Case::default()
    };
    let text = case.text();
    assert!(text.contains("\r\nStatus: 4.4.7\r\n"));
    assert!(text.contains("\r\nDiagnostic-Code: x-lastpost; no space left on device\r\n"));
    assert!(!text.contains("Remote-MTA"));
    assert!(text.contains("could not be reached for too long"));
}

#[test]
fn a_hop_that_was_never_reached_is_named_without_its_port() {
    for (name, host) in [
        ("next.example.net:25", "next.example.net"),
        ("::1:25", "[IPv6:::1]"),
        ("[2001:db8::1]:25", "[IPv6:2001:db8::1]"),
        ("127.0.0.1[127.0.0.1]:25", "[127.0.0.1]"),
        ("next.example.net[192.0.2.1]:25", "next.example.net"),
    ] {
        let remote = name.into();
        let verdict = Verdict::deferred(code(4, 4, 1), "refused").about(&remote);
        let text = Case { verdict, ..Case::default() }.text();
        assert!(text.contains(&format!("Remote-MTA: dns; {host}\r\n")), "{text}");
        // Nobody there has said that.
        assert!(text.contains("\r\nDiagnostic-Code: x-lastpost; refused\r\n"), "{text}");
    }
    let remote = "unix:/run/lmtp".into();
    let verdict = Verdict::deferred(code(4, 4, 1), "refused").about(&remote);
    let text = Case { verdict, ..Case::default() }.text();
    assert!(!text.contains("Remote-MTA"), "{text}");
}

#[test]
fn what_this_host_does_not_send_is_not_blamed_on_another() {
    let status = code(5, 7, 1);
    let verdict = Verdict::failed(status, "this service has ended");
    let text = Case { verdict, status, ..Case::default() }.text();
    assert!(text.contains("This mail system does not send it on"), "{text}");
    assert!(!text.contains("other side"), "{text}");
}

#[test]
fn eight_bit_header_is_quoted() {
    let start = "Subject: résumé = ok \r\nX: 1\r\n\r\n".as_bytes().to_vec();
    let report = Case { start, ..Case::default() }.compose();
    assert!(report.body.is_ascii());
    let text = String::from_utf8(report.body.to_vec()).unwrap();
    let (_, parts) = parts(&text);
    assert_eq!(
        parts[2].0,
        "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable"
    );
    assert_eq!(parts[2].1, "Subject: r=C3=A9sum=C3=A9 =3D ok=20\r\nX: 1\r\n");
}

#[test]
fn addresses_outside_ascii() {
    let case = Case {
        sender: mailbox("愛子@example.org"),
        recipient: mailbox("бен@example.net"),
        ..Case::default()
    };
    let report = case.compose();
    assert!(report.smtputf8 && report.eight_bit);
    assert!(
        case.text().contains("Final-Recipient: utf-8; \\x{431}\\x{435}\\x{43D}@example.net\r\n")
    );
}

#[test]
fn long_replies_are_folded() {
    let long = format!("550 {}", "why not ".repeat(120));
    let remote = "n.example[192.0.2.9]:25".into();
    for text in [long, "x".repeat(1000), "é".repeat(500)] {
        let verdict = Verdict::failed(code(5, 0, 0), text).about(&remote);
        let text = Case { verdict, ..Case::default() }.text();
        assert!(text.lines().all(|line| line.len() <= 998), "a line is too long");
    }
}

#[test]
fn what_the_sender_called_things() {
    let case = Case {
        envid: EnvelopeId::parse("QQ+2B314+20x"),
        original: OriginalRecipient::parse("rfc822;first+40example.net"),
        ..Case::default()
    };
    let text = case.text();
    let (_, parts) = parts(&text);
    assert!(parts[1].1.starts_with("Original-Envelope-Id: QQ+314 x\r\nReporting-MTA: dns; "));
    assert!(parts[1].1.contains(
        "\r\n\r\nOriginal-Recipient: rfc822; first@example.net\r\nFinal-Recipient: rfc822; "
    ));
    let original = OriginalRecipient::parse("utf-8;jörg@example.net");
    let text = Case { original, ..Case::default() }.text();
    assert!(text.contains("\r\nOriginal-Recipient: utf-8; j\\x{F6}rg@example.net\r\n"));
}

#[test]
fn delays_and_successes() {
    let delayed = Case {
        verdict: Verdict::deferred(code(4, 4, 1), "connection refused"),
        status: code(4, 4, 1),
        action: Action::Delayed { until: at("2026-11-29T09:58:07Z") },
        subject: Subject::Delay,
        ..Case::default()
    };
    let text = delayed.text();
    assert!(text.contains("Subject: Your message is delayed\r\n"));
    assert!(text.contains("\r\nAction: delayed\r\nStatus: 4.4.1\r\n"));
    assert!(text.contains("\r\nWill-Retry-Until: Sun, 29 Nov 2026 09:58:07 +0000\r\n"));
    assert!(text.contains("still being tried"));

    let delivered = Case {
        verdict: Verdict::delivered("/home/nobody/secret"),
        status: code(2, 0, 0),
        action: Action::Delivered,
        subject: Subject::Success,
        ..Case::default()
    };
    let text = delivered.text();
    assert!(text.contains("\r\nAction: delivered\r\nStatus: 2.0.0\r\nLast-Attempt-Date: "));
    assert!(!text.contains("secret"), "nobody is told where it lies");

    let remote = "next.example.net[192.0.2.9]:25".into();
    let relayed = Case {
        verdict: Verdict { is_reply: true, ..Verdict::delivered("250 queued").about(&remote) },
        action: Action::Relayed,
        language: Language::Japanese,
        ..delivered
    };
    let text = relayed.text();
    assert!(text.contains("\r\nAction: relayed\r\n") && text.contains("smtp; 250 queued\r\n"));
}

#[test]
fn what_may_not_leave_tls_is_reported_under_tls() {
    assert!(Case { require_tls: true, ..Case::default() }.compose().require_tls);
    assert!(!Case::default().compose().require_tls);
}

#[test]
fn ten_thousand_recipients_are_one_report() {
    let text = Case { copies: 10_000, ..Case::default() }.text();
    let (_, parts) = parts(&text);
    assert_eq!(parts[1].1.matches("\r\nFinal-Recipient: ").count(), 10_000);
    assert_eq!(parts[0].1.matches("<nobody@example.net>").count(), 100);
    assert!(parts[0].1.contains("\r\n  and 9900 more\r\n"));
}

fn decode_quoted(text: &str) -> Vec<u8> {
    let joined = text.replace("=\r\n", "");
    let mut octets = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first == b'=' {
            let digits = std::str::from_utf8(&behind[..2]).unwrap();
            octets.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &behind[2..];
        } else {
            octets.push(first);
            rest = behind;
        }
    }
    octets
}

proptest! {
    #[test]
    fn quoted_printable_round_trip(lines in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("line end", |o| !b"\r\n".contains(o)), 0..200), 0..5)) {
        let text: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
        let mut out = String::new();
        encode::quoted_printable(&mut out, &text);
        prop_assert!(out.is_ascii());
        prop_assert!(out.lines().all(|line| line.len() <= 76 && !line.ends_with([' ', '\t'])));
        prop_assert_eq!(decode_quoted(&out), text);
    }

    #[test]
    fn wrapping_loses_no_word(text in "[a-zé ]{0,300}", width in 4_usize..80) {
        let lines = encode::wrap(&text, width);
        prop_assert!(lines.iter().all(|line| line.len() <= width));
        let squeeze = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
        prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
    }

    #[test]
    fn any_header_makes_a_sound_report(
        start in prop::collection::vec(any::<u8>(), 0..3000),
        words in "\\PC{0,300}",
    ) {
        let remote = "n.example[192.0.2.9]:25".into();
        let verdict = Verdict::failed(code(5, 0, 0), words).about(&remote);
        let report = Case { start, verdict, ..Case::default() }.compose();
        let parsed = MessageParser::new().parse(&report.body).unwrap();
        let kinds: Vec<_> = parsed.parts.iter().filter_map(|p| p.content_type()?.c_subtype.as_deref()).collect();
        prop_assert_eq!(&kinds[..3], &["report", "plain", "delivery-status"]);
        prop_assert!(report.body.is_ascii() && !report.body.contains(&0));
        let text = String::from_utf8(report.body.to_vec()).unwrap();
        let (_, parts) = parts(&text);
        prop_assert_eq!(parts.len(), 3);
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    }
}
