//! Nothing is changed that need not be, and no forged author gets through: compared with a
//! reader that forgives more.

use mail_parser::{Address, MessageParser};
use proptest::prelude::*;

use super::*;

/// The addresses that a lenient reader sees in all fields of originators.
fn seen_by_others(section: &[u8]) -> Vec<String> {
    let message = [section, b"\r\nbody\r\n"].concat();
    let Some(parsed) = MessageParser::default().parse(&message) else { return Vec::new() };
    let named = ["from", "sender", "resent-from", "resent-sender"];
    let fields =
        parsed.headers().iter().filter(|h| named.contains(&h.name().to_lowercase().as_str()));
    let mut seen = Vec::new();
    for field in fields {
        let Some(address) = field.value().as_address() else { continue };
        let list: Vec<_> = match address {
            Address::List(list) => list.iter().collect(),
            Address::Group(groups) => groups.iter().flat_map(|group| &group.addresses).collect(),
        };
        seen.extend(list.iter().filter_map(|a| a.address.as_deref()).map(str::to_lowercase));
    }
    seen
}

fn piece() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "From: ",
        "from:",
        "From\t: ",
        "Sender: ",
        "Resent-From: ",
        "Resent-Sender:",
        "To: ",
        "Subject: ",
        "X-From: ",
        "\r\n",
        "\r\n ",
        "\r\n\t",
        "anna@example.net",
        "ceo@bank.example",
        "<anna@example.net>",
        "<ceo@bank.example>",
        "boss@example.net",
        "a@club.example.net",
        "Anna",
        "\"",
        "(",
        ")",
        "<",
        ">",
        ",",
        ":",
        ";",
        "\\",
        "@",
        " ",
        "=?utf-8?Q?",
        "?=",
        "=40",
        "=?utf-8?B?Y2VvQGJhbmsuZXhhbXBsZQ==?=",
        "\u{fc}",
        "\r",
        "\n",
        "\0",
        ".",
        "=2C",
        "\"ceo\"@bank.example",
        "xn--bcher-kva.example",
        "[192.0.2.1]",
    ])
}

fn may(address: &str) -> bool {
    Mailbox::parse(address).map_or(true, |mailbox| anna().may_send_as(&mailbox))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is taken shows nobody an author that Anna may not name, also when it is read
    /// again as it goes out.
    #[test]
    fn no_forged_author_passes(pieces in proptest::collection::vec(piece(), 0..24)) {
        for section in [pieces.concat(), format!("From: anna@example.net\r\n{}", pieces.concat())] {
            if let Ok(header) = Sent::default().submit(section.as_bytes()) {
                for other in seen_by_others(&header.octets) {
                    prop_assert!(may(&other), "{section:?}: {other}");
                }
                let again = Sent::default().submit(&header.octets[header.received..]);
                prop_assert!(again.is_ok(), "{section:?}: {again:?}");
            }
        }
    }
}

proptest! {
    /// Fields other than those of interest come through to the octet and in order.
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
        prop_assert_eq!(fixed(&section).unwrap(), section);
    }

    /// A second passage changes nothing but what a passage adds in front.
    #[test]
    fn what_was_made_ready_is_ready(
        fields in proptest::collection::vec("[A-Z][a-z-]{0,8}: [a-z@, ]{0,20}\r\n", 0..6),
    ) {
        let section = format!("From: boss@example.net\r\n{}", fields.concat());
        if let Ok(once) = fixed(&section) {
            prop_assert_eq!(fixed(&once).unwrap(), once);
        }
    }

    #[test]
    fn any_octets_are_survived(section in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Sent::default().submit(&section);
        let null = ReversePath::Null;
        let options = HeaderOptions::default();
        let header = received(&section, &trace(&null, None), &options).unwrap();
        prop_assert!(header.octets.ends_with(b"\r\n"));
    }
}
