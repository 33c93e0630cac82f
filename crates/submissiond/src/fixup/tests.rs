//! Tests of what is refused and what is changed.

mod authors;
mod untouched;

use std::path::PathBuf;

use address::{AccountKey, Domain, Mailbox, ReversePath};
use auth::{Account, Delegation, StoredHash};

use super::*;
use crate::client_token::TokenKey;
use crate::header_config::{ClientShown, HeaderConfig, NameRule, SenderRule};
use crate::trace::{Carriage, Token};

const ANNA: &str = "anna@example.net";

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

/// Anna owns three addresses, and two more are delegated to her.
fn anna() -> Account {
    let addresses = [ANNA, "meier@example.net", "anna@bücher.example"].map(mailbox).to_vec();
    let hash = StoredHash::parse("{PLAIN}secret").unwrap();
    let key = AccountKey::parse(ANNA, None).unwrap();
    Account::new(key, addresses, hash, PathBuf::from("/m"), false).with_delegations(vec![
        Delegation::Address(mailbox("boss@example.net")),
        Delegation::Domain(Domain::parse("club.example.net").unwrap()),
    ])
}

fn trace<'a>(sender: &'a ReversePath, recipient: Option<&'a Mailbox>) -> Trace<'a> {
    Trace {
        host: "mail.example.net",
        helo: "client",
        client: "192.0.2.7".parse().unwrap(),
        carriage: Carriage { extended: true, smtputf8: false, tls: None, authenticated: true },
        token: Token::fixed([0; 16]),
        at: "2026-11-24T14:22:35Z".parse().unwrap(),
        sender,
        recipient,
    }
}

/// A message of Anna's, and what was different about it.
#[derive(Clone, Default)]
struct Sent {
    config: HeaderConfig,
    smtputf8: bool,
}

impl Sent {
    fn with(change: impl FnOnce(&mut HeaderConfig)) -> Self {
        let mut sent = Self::default();
        change(&mut sent.config);
        sent
    }

    fn submit(&self, section: &[u8]) -> Result<Header, Reply> {
        let account = anna();
        let sender = ReversePath::Mailbox(mailbox(ANNA));
        let mut trace = trace(&sender, None);
        trace.carriage.smtputf8 = self.smtputf8;
        let options = HeaderOptions::load(&self.config).unwrap();
        submitted(section, &trace, &Rights::of_account(&account), &options)
    }

    /// The header behind our `Received`, or the refusal.
    fn fixed(&self, section: &str) -> Result<String, (u16, String)> {
        let header = self
            .submit(section.as_bytes())
            .map_err(|reply| (reply.code(), reply.enhanced().to_owned()))?;
        let text = String::from_utf8(header.octets).unwrap();
        let (received, rest) = text.split_at(header.received);
        assert_eq!(received.replace("UTF8SMTPA", "ESMTPA"), RECEIVED);
        assert!(rest.ends_with("\r\n") && !rest.contains("\r\n\r\n"), "{rest:?}");
        Ok(rest.to_owned())
    }
}

const RECEIVED: &str = "Received: from client ([192.0.2.7])\r\n\tby mail.example.net with ESMTPA \
                        id aaaaaaaaaaaaaaaaaaaaaaaaaa;\r\n\tTue, 24 Nov 2026 14:22:35 +0000\r\n";

fn fixed(section: &str) -> Result<String, (u16, String)> {
    Sent::default().fixed(section)
}

fn refused(code: u16, enhanced: &str) -> Result<String, (u16, String)> {
    Err((code, enhanced.to_owned()))
}

const COMPLETE: &str = "From: Anna <anna@example.net>\r\nTo: Ben\r\n <ben@example.org>\r\n\
                        Date: Tue, 24 Nov 2026 15:00:00 +0100\r\nMessage-ID: <1@example.net>\r\n";

#[test]
fn a_complete_header_only_gets_received() {
    assert_eq!(fixed(COMPLETE).unwrap(), COMPLETE);
    let header = Sent::default().submit(COMPLETE.as_bytes()).unwrap();
    assert_eq!(header.from_domain, Some(Domain::parse("example.net").unwrap()));
    assert_eq!((header.hops, header.tls_optional, header.is_ascii), (0, false, true));
    // RFC 6409 allows no change of what is there, be it as odd as this.
    let odd = COMPLETE.replace("Date: ", "DATE :\r\n\t ").replace("ben@example.org", "ben");
    assert_eq!(fixed(&odd).unwrap(), odd);
}

#[test]
fn what_is_missing_or_blank_is_added() {
    let added = "Date: Tue, 24 Nov 2026 14:22:35 +0000\r\n\
                 Message-ID: <aaaaaaaaaaaaaaaaaaaaaaaaaa@mail.example.net>\r\n";
    let from = "From: anna@example.net\r\n";
    assert_eq!(fixed(from).unwrap(), format!("{from}{added}"));
    let blank = format!("Date:\r\n{from}MESSAGE-ID: \r\n");
    assert_eq!(fixed(&blank).unwrap(), format!("{from}{added}"));
    // A message that ends within its header.
    assert_eq!(fixed("From: anna@example.net").unwrap(), format!("{from}{added}"));
}

#[test]
fn bcc_and_return_path_are_taken_out() {
    let section = format!(
        "Bcc: secret@example.org,\r\n other@example.org\r\n{COMPLETE}bcc:\r\n\
         Return-Path: <x@example.org>\r\nResent-Bcc: y@example.org\r\n"
    );
    assert_eq!(fixed(&section).unwrap(), COMPLETE);
    // RFC 5322 section 3.6.3 asks for no To in place of the Bcc.
    let alone = COMPLETE.replace("To: Ben\r\n <ben@example.org>", "Bcc: ben@example.org");
    assert!(!fixed(&alone).unwrap().contains("To:"));
}

#[test]
fn what_is_no_header_is_refused() {
    assert_eq!(fixed(""), refused(554, "5.6.0"));
    assert_eq!(fixed("Subject: x\r\n"), refused(554, "5.6.0"));
    assert_eq!(fixed("hello\r\nFrom: anna@example.net\r\n"), refused(554, "5.6.0"));
    assert_eq!(fixed("From: anna@example.net\r\nX: \0\r\n"), refused(554, "5.6.0"));
    assert_eq!(fixed("From: anna@example.net\r\nX: a\rb\r\n"), refused(554, "5.6.0"));
    assert_eq!(fixed("From: anna@example.net\nX: a\r\n"), refused(554, "5.6.0"));
    assert_eq!(fixed(" From: anna@example.net\r\n"), refused(554, "5.6.0"));
}

#[test]
fn a_message_that_runs_in_circles_is_stopped() {
    let hops = |count: usize| "Received: from a by b\r\n".repeat(count) + COMPLETE;
    assert!(fixed(&hops(50)).is_ok());
    assert_eq!(fixed(&hops(51)), refused(554, "5.4.6"));
    let patient = Sent::with(|config| config.hops_max = 100);
    assert_eq!(patient.submit(hops(100).as_bytes()).unwrap().hops, 100);
    let null = ReversePath::Null;
    let inbound =
        |count| received(hops(count).as_bytes(), &trace(&null, None), &HeaderOptions::default());
    assert_eq!(inbound(50).unwrap().hops, 50);
    assert_eq!(inbound(51).unwrap_err().enhanced(), "5.4.6");
}

#[test]
fn a_header_of_too_many_fields_is_refused() {
    let fields = |count: usize| COMPLETE.to_owned() + &"X: y\r\n".repeat(count);
    assert!(fixed(&fields(996)).is_ok());
    assert_eq!(fixed(&fields(997)), refused(554, "5.6.0"));
    let fewer = Sent::with(|config| config.fields_max = 100);
    assert_eq!(fewer.fixed(&fields(97)), refused(554, "5.6.0"));
    // A huge one of few fields is no trouble.
    let huge = format!("{COMPLETE}X: {}\r\n", "y".repeat(250_000));
    assert_eq!(fixed(&huge).unwrap().len(), huge.len());
}

#[test]
fn mail_from_elsewhere_stays_as_it_is() {
    let inbound = |section: &str| {
        let null = ReversePath::Null;
        let options = HeaderOptions::default();
        let mut trace = trace(&null, None);
        trace.carriage.authenticated = false;
        let header = received(section.as_bytes(), &trace, &options).unwrap();
        let text = String::from_utf8(header.octets).unwrap();
        text[header.received..].to_owned()
    };
    let odd = "From: anybody@bank.example\r\nno field\r\nBcc: x\r\n";
    assert_eq!(inbound(odd), odd);
    assert_eq!(inbound("Subject: no end"), "Subject: no end\r\n");
    assert_eq!(
        inbound("Return-Path: <x@y.example>\r\nA: 1\r\nreturn-path:\r\n <>\r\n"),
        "A: 1\r\n"
    );
    let results = "Authentication-Results: mail.example.net; dkim=pass\r\n";
    let others = "Authentication-Results: mail.example.org; dkim=pass\r\n";
    let section = format!("{results}A: 1\r\n{others}{results}B: 2\r\n{results}");
    assert_eq!(inbound(&section), format!("A: 1\r\n{others}B: 2\r\n"));
}

#[test]
fn who_authenticated_is_told_where_that_is_wanted() {
    let forged = "Authentication-Results: mail.example.net; auth=pass smtp.auth=ceo\r\n";
    let section = format!("{forged}{COMPLETE}");
    assert_eq!(fixed(&section).unwrap(), COMPLETE, "never one that we have not written");
    let told = Sent::with(|config| config.authentication_results = true);
    assert_eq!(
        told.fixed(&section).unwrap(),
        format!(
            "Authentication-Results: mail.example.net;\r\n\tauth=pass smtp.auth=anna@example.net\
             \r\n\tsmtp.mailfrom=anna@example.net\r\n{COMPLETE}"
        )
    );
}

#[test]
fn a_sender_in_utf8_makes_no_header_in_utf8() {
    let sent = Sent::with(|config| config.authentication_results = true);
    let options = HeaderOptions::load(&sent.config).unwrap();
    let sender = ReversePath::Mailbox(mailbox("anna@b\u{fc}cher.example"));
    let account = anna();
    let rights = Rights::of_account(&account);
    let header = submitted(COMPLETE.as_bytes(), &trace(&sender, None), &rights, &options).unwrap();
    let text = String::from_utf8(header.octets).unwrap();
    assert!(text.is_ascii() && text.contains("smtp.auth=anna@"), "{text}");
    assert!(!text.contains("smtp.mailfrom"), "{text}");
}

#[test]
fn delivery_without_tls_can_be_asked_for() {
    let asks = |field: &str| {
        let section = format!("{COMPLETE}{field}\r\n");
        let header = Sent::default().submit(section.as_bytes()).unwrap();
        assert!(header.octets.ends_with(section.as_bytes()));
        header.tls_optional
    };
    assert!(asks("TLS-Required: No") && asks("tls-required:no ") && asks("TLS-Required:\r\n No"));
    assert!(!asks("TLS-Required: Yes") && !asks("TLS-Required:") && !asks("X-TLS-Required: No"));
}

#[test]
fn the_client_is_hidden_or_known_to_its_provider_alone() {
    let received = |sent: &Sent| {
        let header = sent.submit(COMPLETE.as_bytes()).unwrap();
        String::from_utf8(header.octets[..header.received].to_vec()).unwrap()
    };
    let hidden = received(&Sent::with(|config| config.client = ClientShown::Hidden));
    assert!(hidden.starts_with("Received: by mail.example.net with ESMTPA id aaa"), "{hidden}");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    let sent = Sent::with(|config| {
        config.client = ClientShown::Token;
        config.client_key_file = Some(file.clone());
    });
    assert!(HeaderOptions::load(&sent.config).unwrap_err().to_string().contains("No such file"));
    std::fs::write(&file, [7; 31]).unwrap();
    let short = HeaderOptions::load(&sent.config).unwrap_err().to_string();
    assert!(short.contains("holds 31 octets; expected 32 to 4096"), "{short}");
    std::fs::write(&file, [7; 32]).unwrap();
    let field = received(&sent);
    assert!(!field.contains("192.0.2.7") && !field.contains("client\r"), "{field}");
    let token = field.split("(client ").nth(1).unwrap().split(')').next().unwrap();
    let id = Token::fixed([0; 16]).to_string();
    let key = TokenKey::new(&[7; 32]).unwrap();
    let traced = key.read(&id, token).unwrap();
    assert_eq!(traced.client.to_string(), "192.0.2.7");
    assert!(key.is_of(&traced, ANNA) && !key.is_of(&traced, "ben@example.net"));
}

#[test]
fn the_sections_keys_are_checked() {
    let wrong = |change: fn(&mut HeaderConfig)| {
        let mut config = HeaderConfig::default();
        config.check().unwrap();
        change(&mut config);
        config.check().unwrap_err().to_string()
    };
    let range = "submission.header.hops_max: 9 is out of range; expected 10 to 1000";
    assert_eq!(wrong(|c| c.hops_max = 9), range);
    assert!(wrong(|c| c.fields_max = 10_001).contains("expected 100 to 10000"));
    let keyless = wrong(|c| c.client = ClientShown::Token);
    assert!(keyless.starts_with("submission.header.client_key_file: "), "{keyless}");
    let read: HeaderConfig = toml::from_str(
        "sender = \"when-needed\"\nclient = \"shown\"\naddresses_in_names = \"allow\"",
    )
    .unwrap();
    assert_eq!(read, HeaderConfig::default());
}
