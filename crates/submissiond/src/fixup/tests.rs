//! Tests of what is refused and what is changed.

use proptest::prelude::*;

use super::*;
use crate::trace::{Carriage, Token};

fn trace() -> Trace<'static> {
    Trace {
        host: "mail.example.net",
        helo: "client",
        client: "192.0.2.7".parse().unwrap(),
        carriage: Carriage { extended: true, tls: true, authenticated: true },
        token: Token::fixed([0; 16]),
        at: "2026-11-24T14:22:35Z".parse().unwrap(),
    }
}

const RECEIVED: &str = "Received: from client ([192.0.2.7])\r\n\tby mail.example.net with ESMTPSA \
                        id aaaaaaaaaaaaaaaaaaaaaaaaaa;\r\n\tTue, 24 Nov 2026 14:22:35 +0000\r\n";

/// Anna owns two addresses.
fn annas(address: &Mailbox) -> bool {
    ["anna@example.net", "meier@example.net"].iter().any(|a| Mailbox::parse(a).unwrap() == *address)
}

fn fixed(section: &str) -> Result<String, (u16, &'static str)> {
    submitted(section.as_bytes(), &trace(), &annas)
        .map(|octets| String::from_utf8(octets).unwrap())
        .map_err(|reply| (reply.code(), reply.enhanced()))
}

const COMPLETE: &str = "From: Anna <anna@example.net>\r\nTo: Ben\r\n <ben@example.org>\r\n\
                        Date: Tue, 24 Nov 2026 15:00:00 +0100\r\nMessage-ID: <1@example.net>\r\n";

#[test]
fn a_complete_header_only_gets_received() {
    assert_eq!(fixed(COMPLETE).unwrap(), format!("{RECEIVED}{COMPLETE}\r\n"));
}

#[test]
fn what_is_missing_or_blank_is_added() {
    let added = "Date: Tue, 24 Nov 2026 14:22:35 +0000\r\n\
                 Message-ID: <aaaaaaaaaaaaaaaaaaaaaaaaaa@mail.example.net>\r\n";
    let from = "From: anna@example.net\r\n";
    assert_eq!(fixed(from).unwrap(), format!("{RECEIVED}{from}{added}\r\n"));
    let blank = format!("Date:\r\n{from}MESSAGE-ID: \r\n");
    assert_eq!(fixed(&blank).unwrap(), format!("{RECEIVED}{from}{added}\r\n"));
    // A message that ends within its header.
    assert_eq!(fixed("From: anna@example.net").unwrap(), format!("{RECEIVED}{from}{added}\r\n"));
}

#[test]
fn bcc_and_return_path_are_taken_out() {
    let section = format!(
        "Bcc: secret@example.org,\r\n other@example.org\r\n{COMPLETE}bcc:\r\n\
         Return-Path: <x@example.org>\r\nResent-Bcc: y@example.org\r\n"
    );
    assert_eq!(fixed(&section).unwrap(), format!("{RECEIVED}{COMPLETE}\r\n"));
}

#[test]
fn from_and_sender_must_be_the_accounts() {
    assert_eq!(fixed("From: ceo@bank.example\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From : ceo@bank.example\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("FROM:\r\n ceo@bank.example\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From: Anna <ANNA@EXAMPLE.NET>, ceo@bank.example\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From: ceo@bank.example <anna@example.net>\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From: anna@example.net\r\nFrom: ceo@bank.example\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From: anna@example.net\r\nfrom: anna@example.net\r\n"), Err((550, "5.7.1")));
    assert_eq!(
        fixed("From: anna@example.net\r\nSender: ceo@bank.example\r\n"),
        Err((550, "5.7.1"))
    );
    assert_eq!(fixed("From: undisclosed:;\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From: Anna\r\n"), Err((550, "5.7.1")));
    assert_eq!(fixed("From:\r\n"), Err((550, "5.7.1")));
    assert!(fixed("From: ANNA@Example.net\r\nSender: meier@example.net\r\n").is_ok());
    let refusal = submitted(b"From: ceo@bank.example\r\n", &trace(), &annas).unwrap_err();
    assert!(refusal.text().contains("<ceo@bank.example>"));
}

#[test]
fn several_authors_get_a_sender() {
    let fixed_up = fixed("From: anna@example.net, Meier <meier@example.net>\r\n").unwrap();
    assert!(fixed_up.ends_with("\r\nSender: anna@example.net\r\n\r\n"));
    let signed = "From: anna@example.net, meier@example.net\r\nSender: meier@example.net\r\n";
    assert!(!fixed(signed).unwrap().contains("Sender: anna"));
}

#[test]
fn what_is_no_header_is_refused() {
    assert_eq!(fixed(""), Err((554, "5.6.0")));
    assert_eq!(fixed("Subject: x\r\n"), Err((554, "5.6.0")));
    assert_eq!(fixed("hello\r\nFrom: anna@example.net\r\n"), Err((554, "5.6.0")));
    assert_eq!(fixed("From: anna@example.net\r\nX: \0\r\n"), Err((554, "5.6.0")));
    assert_eq!(fixed(" From: anna@example.net\r\n"), Err((554, "5.6.0")));
}

#[test]
fn a_message_that_runs_in_circles_is_stopped() {
    let hops = |count: usize| "Received: from a by b\r\n".repeat(count) + COMPLETE;
    assert!(fixed(&hops(50)).is_ok());
    assert_eq!(fixed(&hops(51)), Err((554, "5.4.6")));
    assert!(received(hops(50).as_bytes(), &trace()).is_ok());
    assert_eq!(received(hops(51).as_bytes(), &trace()).unwrap_err().enhanced(), "5.4.6");
}

#[test]
fn mail_from_elsewhere_stays_as_it_is() {
    let odd = "From: anybody@bank.example\r\nno field\r\nBcc: x\r\n";
    let octets = received(odd.as_bytes(), &trace()).unwrap();
    assert_eq!(String::from_utf8(octets).unwrap(), format!("{RECEIVED}{odd}\r\n"));
}

proptest! {
    /// Fields other than those of interest come through to the octet and in order; and
    /// whatever is accepted begins with our mark and ends with one blank line.
    #[test]
    fn other_fields_are_untouched(
        fields in proptest::collection::vec(("X-[a-z]{1,8}", "[ -~]{0,40}", any::<bool>()), 0..10),
        at in 0..10_usize,
    ) {
        let mut lines: Vec<String> = fields
            .iter()
            .map(|(name, value, fold)| {
                let fold = if *fold { "\r\n\tmore" } else { "" };
                format!("{name}:{value}{fold}\r\n")
            })
            .collect();
        let at = at.min(lines.len());
        lines.insert(at, COMPLETE.to_owned());
        let section = lines.concat();
        prop_assert_eq!(fixed(&section).unwrap(), format!("{RECEIVED}{section}\r\n"));
    }

    #[test]
    fn any_octets_are_survived(section in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = submitted(&section, &trace(), &annas);
        let octets = received(&section, &trace()).unwrap();
        prop_assert!(octets.ends_with(b"\r\n\r\n"));
    }
}
