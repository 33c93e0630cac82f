//! Who a message may say it is from, and when it gets a Sender.

use super::*;

#[test]
fn from_and_sender_must_be_the_accounts() {
    for section in [
        "From: ceo@bank.example\r\n",
        "From : ceo@bank.example\r\n",
        "FROM:\r\n ceo@bank.example\r\n",
        "From: Anna <ANNA@EXAMPLE.NET>, ceo@bank.example\r\n",
        "From: ceo@bank.example <anna@example.net>\r\n",
        "From: anna@example.net\r\nFrom: ceo@bank.example\r\n",
        "From: anna@example.net\r\nfrom: anna@example.net\r\n",
        "From: anna@example.net\r\nSender: ceo@bank.example\r\n",
        "From: anna@example.net\r\nSender: anna@example.net\r\nsender: anna@example.net\r\n",
        "From: anna@example.net\r\nSender: anna@example.net, meier@example.net\r\n",
        "From: anna@example.net\r\nSender:\r\n",
        "From: anna@example.net\r\nResent-From: ceo@bank.example\r\n",
        "From: anna@example.net\r\nResent-Sender: ceo@bank.example\r\n",
        "From: ceo@bank.example\r\nResent-From: anna@example.net\r\n",
        "From: undisclosed:;\r\n",
        "From: Team: anna@example.net, ceo@bank.example;\r\n",
        "From: (anna@example.net) ceo@bank.example (anna@example.net)\r\n",
        "From: Anna\r\n",
        "From:\r\n",
        "From: @club.example.net\r\n",
        "From: <@relay.example:anna@example.net>\r\n",
        "From: anna@example.net.evil.example\r\n",
        "From: \"anna@example.net\"@evil.example\r\n",
        "From: anna@ex\u{430}mple.net\r\n",
        "From: boss@sub.club.example.net\r\n",
        "From: =?utf-8?Q?ceo=40bank.example?= <anna@example.net>\r\n",
        "From: =?utf-8?Q?ceo=40?=\r\n =?utf-8?B?YmFuay5leGFtcGxl?= <anna@example.net>\r\n",
        "From: =?utf-8?B?PGNlb0BiYW5rLmV4YW1wbGU+?= <anna@example.net>\r\n",
        "From: \"=?utf-8?Q?ceo=40bank.example?=\" <anna@example.net>\r\n",
        "From: anna@example.net (=?us-ascii*en?q?_ceo=40bank.example,?=)\r\n",
        "From: =?utf-7?Q?ceo+AEA-bank.example?= <anna@example.net>\r\n",
    ] {
        assert_eq!(fixed(section), refused(550, "5.7.1"), "{section:?}");
    }
    let refusal = Sent::default().submit(b"From: ceo@bank.example\r\n").unwrap_err();
    assert!(refusal.text().contains("<ceo@bank.example>"), "{}", refusal.text());
}

#[test]
fn every_spelling_of_the_accounts_own_passes() {
    for section in [
        "From: ANNA@Example.net\r\nSender: meier@example.net\r\n",
        "From: \"Meier, Anna\" <anna@example.net>\r\n",
        "From: \"anna\"@example.net\r\n",
        "From: anna@xn--bcher-kva.example\r\n",
        "From: boss@example.net\r\n",
        "From: Club: anybody@club.example.net, anna@example.net;\r\n",
        "From: =?utf-8?Q?M=C3=BCller=2C_Anna?= <anna@example.net>\r\n",
        "From: =?utf-8?Q?anna=40example.net?= <anna@example.net>\r\n",
        "From: =?iso-2022-jp?B?GyRCO1NFRBsoQg==?= <anna@example.net>\r\n",
        "From: \"M\u{fc}ller\" <anna@example.net>\r\n",
        "From: anna@example.net (Anna (at) work)\r\n",
        "From: anna@example.net\r\nResent-From: boss@example.net\r\nResent-From: anna@example.net\r\n",
        "From: \"ceo@bank.example\" <anna@example.net>\r\n",
    ] {
        fixed(section).unwrap_or_else(|refusal| panic!("{section:?}: {refusal:?}"));
    }
}

#[test]
fn addresses_within_names_can_be_refused_too() {
    let strict = Sent::with(|config| config.addresses_in_names = NameRule::Refuse);
    let refused = refused(550, "5.7.1");
    assert_eq!(strict.fixed("From: \"ceo@bank.example\" <anna@example.net>\r\n"), refused);
    assert_eq!(strict.fixed("From: \"CEO (ceo@bank.example)\" <anna@example.net>\r\n"), refused);
    assert_eq!(strict.fixed("From: anna@example.net (ceo@bank.example.)\r\n"), refused);
    assert!(strict.fixed("From: \"anna@example.net\" <boss@example.net>\r\n").is_ok());
    assert!(strict.fixed("From: \"a b\"@club.example.net\r\n").is_ok());
    assert!(strict.fixed("From: \"Anna @ home\" <anna@example.net>\r\n").is_ok());
}

#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    let section = "From: anna@b\u{fc}cher.example\r\n";
    assert_eq!(fixed(section), refused(550, "5.6.7"));
    let sent = Sent { smtputf8: true, ..Sent::default() };
    assert!(sent.fixed(section).is_ok());
    let header = sent.submit(section.as_bytes()).unwrap();
    assert!(!header.is_ascii);
    assert_eq!(header.from_domain.unwrap().as_str(), "b\u{fc}cher.example");
    assert_eq!(fixed("From: Anna <anna@example.net>\r\nSubject: \u{fc}\r\n").map(|_| ()), Ok(()));
}

/// The Sender fields that a message has in the end.
fn senders(rule: SenderRule, section: &str) -> Vec<String> {
    let sent = Sent::with(|config| config.sender = rule);
    let fixed = sent.fixed(section).unwrap();
    let senders = fixed.lines().filter_map(|line| line.strip_prefix("Sender: "));
    senders.map(str::to_owned).collect()
}

#[test]
fn a_sender_is_added_where_from_is_not_the_accounts_own() {
    use SenderRule::{Always, Never, WhenNeeded};
    let own = "From: meier@example.net\r\n";
    let bosses = "From: boss@example.net\r\n";
    let both = "From: boss@example.net, Meier <meier@example.net>\r\n";
    let clubs = "From: a@club.example.net, b@club.example.net\r\n";
    assert_eq!(senders(WhenNeeded, own), [""; 0]);
    assert_eq!(senders(WhenNeeded, bosses), [ANNA]);
    assert_eq!(senders(WhenNeeded, both), ["meier@example.net"]);
    assert_eq!(senders(WhenNeeded, clubs), [ANNA]);
    assert_eq!(senders(Always, own), ["meier@example.net"]);
    for section in [own, bosses, both, clubs] {
        assert_eq!(senders(Never, section), [""; 0]);
    }
    // What the client says of itself stays, if it is true.
    let named = format!("{bosses}Sender: meier@example.net\r\n");
    assert_eq!(senders(WhenNeeded, &named), ["meier@example.net"]);
    // The boss did not send it.
    let pretended = format!("Sender: boss@example.net\r\n{bosses}");
    assert_eq!(senders(WhenNeeded, &pretended), [ANNA]);
    let folded = format!("Sender:\r\n boss@example.net\r\n{bosses}");
    assert_eq!(senders(WhenNeeded, &folded), [ANNA]);
    assert_eq!(senders(Never, &pretended), ["boss@example.net"]);
    // As the last line, without an end.
    let last = "From: boss@example.net\r\nSender: boss@example.net";
    assert_eq!(senders(WhenNeeded, last), [ANNA]);
}

#[test]
fn an_account_without_address_can_name_nobody() {
    let hash = StoredHash::parse("{PLAIN}secret").unwrap();
    let key = AccountKey::parse("printer", None).unwrap();
    let account = Account::new(key, Vec::new(), hash, PathBuf::from("/m"), false);
    let sender = ReversePath::Null;
    let rights = Rights::of_account(&account);
    let options = HeaderOptions::default();
    let refusal =
        submitted(COMPLETE.as_bytes(), &trace(&sender, None), &rights, &options).unwrap_err();
    assert_eq!((refusal.code(), refusal.enhanced()), (550, "5.7.1"));
    // With nothing but a delegation there is no address for a Sender.
    let club = Delegation::Domain(Domain::parse("example.net").unwrap());
    let account = account.with_delegations(vec![club]);
    let rights = Rights::of_account(&account);
    let header = submitted(COMPLETE.as_bytes(), &trace(&sender, None), &rights, &options).unwrap();
    assert!(!String::from_utf8(header.octets).unwrap().contains("Sender:"));
}
