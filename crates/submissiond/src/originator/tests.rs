//! What the strict reader takes and what it refuses, and that it never misses what a lenient
//! one would see.

use mail_parser::{Address, HeaderValue, MessageParser};
use proptest::prelude::*;

use super::*;

fn read(value: &str) -> Result<Vec<String>, Unreadable> {
    addresses(value.as_bytes()).map(|found| found.iter().map(ToString::to_string).collect())
}

fn one(value: &str) {
    assert_eq!(read(value).unwrap(), ["anna@example.net"], "{value}");
}

#[test]
fn real_clients_are_understood() {
    one(" anna@example.net");
    one(" <anna@example.net>");
    one(" Anna Meier <anna@example.net>");
    one(" \"Meier, Anna\" <anna@Example.NET>");
    one(" \"Anna \\\"A\\\" Meier\" <anna@example.net>");
    one(" A. Meier <anna@example.net>");
    one(" Anna Müller <anna@example.net>");
    one(" =?utf-8?Q?Anna_M=C3=BCller?=\r\n\t<anna@example.net>");
    one(" anna@example.net (Anna (at) work)");
    one(" (office) Anna <anna@example.net> (until five)");
    one(" \"anna@example.net\" <anna@example.net>");
    one(" Anna < anna@example.net >");
    one(" anna@example.net,");
    one(" [Team] Anna <anna@example.net>");
    one(" \"a very long name\r\n that is folded\" <anna@example.net>");
    one(" (a comment\r\n that is folded) anna@example.net");
    assert_eq!(read(" anna@[192.0.2.1]").unwrap(), ["anna@[192.0.2.1]"]);
}

#[test]
fn lists_and_groups_give_every_address() {
    let two = ["anna@example.net", "ben@example.org"];
    assert_eq!(read("anna@example.net, Ben <ben@example.org>").unwrap(), two);
    assert_eq!(read("Team: anna@example.net, ben@example.org;").unwrap(), two);
    assert_eq!(read("Team: anna@example.net;, ben@example.org").unwrap(), two);
    assert_eq!(read("undisclosed:;").unwrap(), [""; 0]);
    assert_eq!(read("  ").unwrap(), [""; 0]);
}

#[test]
fn an_address_in_the_place_of_a_name_counts() {
    let both = ["ceo@bank.example", "anna@example.net"];
    assert_eq!(read("ceo@bank.example <anna@example.net>").unwrap(), both);
    one("\"ceo@bank.example\" <anna@example.net>");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for value in [
        "Anna",
        "Anna <anna>",
        "<anna@example.net> ceo@bank.example",
        "<anna@example.net> \"ceo\"",
        "<anna@example.net><ceo@bank.example>",
        "Anna <anna@example.net",
        "Anna anna@example.net>",
        "\"Anna <anna@example.net>",
        "(Anna <anna@example.net>",
        "Anna) <anna@example.net>",
        "anna@example.net ceo@bank.example",
        "Team: anna@example.net",
        "a@b.example: anna@example.net;",
        "Team: Team: anna@example.net;;",
        "anna@example.net;",
        ": anna@example.net;",
        "<@relay.example:anna@example.net>",
        "anna @ example.net",
        "anna\\@example.net",
        "ceo@bank <anna@example.net>",
        "ceo @bank.example <anna@example.net>",
        "(boss@example.net\r\n <ceo@bank.example>) <anna@example.net>",
        "\"ceo@bank.example\r\n \" <anna@example.net>",
        "\"x\\\r\n \" <anna@example.net>",
        "\"ceo@bank.example\" [Anna] <anna@example.net>",
        "[ (ceo@bank.example) <anna@example.net>",
        "anna@example.net\u{0}",
        "anna@example.net\r",
        "anna@example.net\nBcc: x@example.org",
        "((((((((((deep)))))))))) <anna@example.net>",
    ] {
        assert_eq!(read(value), Err(Unreadable), "{value:?}");
    }
    assert_eq!(addresses(b"Ann\xe9 <anna@example.net>"), Err(Unreadable));
    assert_eq!(read(&"a@example.net,".repeat(101)), Err(Unreadable));
}

/// What a lenient parser sees in the same field.
fn seen_by_others(value: &str) -> Vec<String> {
    let message = format!("From: {value}\r\n\r\n");
    let parsed = MessageParser::new().with_mime_headers().with_address_headers();
    let Some(parsed) = parsed.parse(message.as_bytes()) else { return Vec::new() };
    let Some(HeaderValue::Address(address)) = parsed.header("From") else { return Vec::new() };
    let list: Vec<_> = match address {
        Address::List(list) => list.iter().collect(),
        Address::Group(groups) => groups.iter().flat_map(|group| &group.addresses).collect(),
    };
    list.into_iter().filter_map(|a| a.address.as_deref()).map(str::to_lowercase).collect()
}

#[test]
fn the_other_parser_does_see_addresses() {
    assert_eq!(seen_by_others("Anna <anna@example.net>"), ["anna@example.net"]);
    let two = ["anna@example.net", "ceo@bank.example"];
    assert_eq!(seen_by_others("T: anna@example.net, x <ceo@bank.example>;"), two);
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("anna@example.net"),
        Just("ceo@bank.example"),
        Just("<anna@example.net>"),
        Just("<ceo@bank.example>"),
        Just("\"a b\"@example.net"),
        Just("Anna"),
        Just("\"x\""),
        Just("\""),
        Just("("),
        Just(")"),
        Just("<"),
        Just(">"),
        Just(","),
        Just(":"),
        Just(";"),
        Just("\\"),
        Just(" "),
        Just("\r\n "),
        Just("@"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Nothing panics, and of what is taken, a reader that forgives more sees no address that
    /// the strict one has not seen.
    #[test]
    fn no_address_is_missed(pieces in proptest::collection::vec(piece(), 0..12)) {
        let value = pieces.concat();
        if let Ok(found) = addresses(value.as_bytes()) {
            let found: Vec<_> = found.iter().map(|m| m.to_string().to_lowercase()).collect();
            for other in seen_by_others(&value) {
                if other.contains('@') && Mailbox::parse(&other).is_ok() {
                    prop_assert!(found.contains(&other), "{value:?}: {other} not in {found:?}");
                }
            }
        }
    }

    #[test]
    fn any_octets_are_survived(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = addresses(&value);
    }
}
