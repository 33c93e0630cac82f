//! Names good, bad and hostile.

use address::{AccountKey, AddressError, Domain, ForwardPath, Mailbox, ReversePath};
use proptest::prelude::*;

#[test]
fn one_person_has_one_key() {
    let domain = Domain::parse("Example.JP.").unwrap();
    for spelling in ["aiko", "AIKO", " Aiko ", "aiko@example.jp", "Aiko@EXAMPLE.jp"] {
        let key = AccountKey::parse(spelling, Some(&domain)).unwrap();
        assert_eq!(key.as_str(), "aiko@example.jp", "{spelling}");
    }
}

#[test]
fn names_that_could_be_paths_are_nobodys() {
    let long = "a".repeat(10_000);
    for name in [
        "../x", "a/b", "a\0b", ".hidden", "a\\b", "", "  ", "a:b", "a b", "@", "a@", "@b", "a@b@c",
        "a@../x", "a@.b", &long,
    ] {
        assert!(AccountKey::parse(name, None).is_err(), "{name:?}");
    }
}

#[test]
fn a_login_outside_ascii_has_one_spelling() {
    let key = |login: &str| AccountKey::parse(login, None).map(|key| key.as_str().to_owned());
    for (typed, stands_for) in [
        // RFC 8265 section 3.5: full width, case, composed or not.
        ("Ａiko", "aiko"),
        ("ＡＩＫＯ＠example.net".replace('＠', "@").as_str(), "aiko@example.net"),
        ("Müller@Example.NET", "müller@example.net"),
        ("Mu\u{308}ller@example.net", "müller@example.net"),
        ("ｶﾀｶﾅ@example.jp", "カタカナ@example.jp"),
        ("Σίσυφος@example.gr", "σίσυφος@example.gr"),
        ("aiko@例え.jp", "aiko@xn--r8jz45g.jp"),
        ("aiko@XN--R8JZ45G.jp", "aiko@xn--r8jz45g.jp"),
    ] {
        assert_eq!(key(typed).as_deref(), Ok(stands_for), "{typed}");
        assert_eq!(key(stands_for).as_deref(), Ok(stands_for), "{stands_for} stays");
    }
    for nobody in [
        "aiko\u{200b}",
        "a\u{202e}iko@example.net",
        "♥@example.net",
        "henry\u{2163}",
        "．aiko",
        "a／b",
        "aiko@exa\u{ff0f}mple.net",
        "aiko@a\u{3000}b.jp",
        "@例え.jp",
        "ﾠ",
    ] {
        assert!(key(nobody).is_err(), "{nobody:?} is {:?}", key(nobody));
    }
}

#[test]
fn paths_keep_quotes_and_drop_routes() {
    assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
    let quoted = ReversePath::parse("<\"a b>\"@b.example>").unwrap();
    assert_eq!(quoted.to_string(), "<\"a b>\"@b.example>");
    let routed = ReversePath::parse("<@r.example,@s.example:a@b.example>").unwrap();
    assert_eq!(routed.to_string(), "<a@b.example>");
    assert_eq!(ForwardPath::parse("<PostMaster>"), Ok(ForwardPath::Postmaster));
    let literal = ForwardPath::parse("<a@[127.0.0.1]>").unwrap();
    assert_eq!(literal.to_string(), "<a@[127.0.0.1]>");
    let literal = ForwardPath::parse("<a@[IPv6:2001:db8::1]>").unwrap();
    assert_eq!(literal.to_string(), "<a@[IPv6:2001:db8::1]>");
}

#[test]
fn a_path_without_a_domain_is_told_apart() {
    let unqualified = |text: &str| (ReversePath::parse(text), ForwardPath::parse(text));
    let (sender, recipient) = unqualified("<Anna>");
    assert_eq!(sender, Ok(ReversePath::Unqualified("Anna".into())));
    assert_eq!(recipient.clone(), Ok(ForwardPath::Unqualified("Anna".into())));
    assert_eq!(recipient.unwrap().to_string(), "<Anna>");
    let quoted = ReversePath::parse("<\"a b\">").unwrap();
    assert_eq!((quoted.to_string().as_str(), quoted.mailbox()), ("<\"a b\">", None));
    assert!(!ForwardPath::parse("<änna>").unwrap().is_ascii());
    let postmaster = ReversePath::parse("<postmaster>").unwrap();
    assert_eq!(postmaster, ReversePath::Unqualified("postmaster".into()));
    for (text, error) in [
        ("<a b>", AddressError::BadLocalPart),
        ("<.a>", AddressError::BadLocalPart),
        ("<@r.example:anna>", AddressError::NoDomain),
        ("<anna@>", AddressError::Empty),
        ("anna", AddressError::BadBrackets),
    ] {
        assert_eq!(unqualified(text), (Err(error), Err(error)), "{text}");
    }
    let long = format!("<{}>", "a".repeat(65));
    assert_eq!(ReversePath::parse(&long), Err(AddressError::TooLong { limit: 64 }));
}

#[test]
fn malformed_addresses_say_what_is_wrong() {
    let cases = [
        ("a", AddressError::NoDomain),
        ("a@b", AddressError::Unqualified),
        ("a..b@c.example", AddressError::BadLocalPart),
        (".a@c.example", AddressError::BadLocalPart),
        ("a\rb@c.example", AddressError::BadLocalPart),
        ("a b@c.example", AddressError::BadLocalPart),
        ("\"a@c.example", AddressError::BadLocalPart),
        ("\"a\"b@c.example", AddressError::BadLocalPart),
        ("a@-c.example", AddressError::BadDomain),
        ("a@c..example", AddressError::BadDomain),
        ("a@c.exa mple", AddressError::BadDomain),
        ("a@[300.1.1.1]", AddressError::BadLiteral),
        ("a@[127.0.0.1", AddressError::BadLiteral),
        ("", AddressError::Empty),
    ];
    for (text, error) in cases {
        assert_eq!(Mailbox::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn case_does_not_make_another_owner() {
    let one = Mailbox::parse("Aiko.Sato@Example.JP").unwrap();
    let two = Mailbox::parse("aiko.sato@example.jp").unwrap();
    assert_eq!(one, two);
    assert_eq!(one.to_string(), "Aiko.Sato@example.jp");
}

#[test]
fn a_domain_lies_within_its_parent_only() {
    let parent = Domain::parse("example.jp").unwrap();
    assert!(Domain::parse("mail.example.jp").unwrap().is_within(&parent));
    assert!(!Domain::parse("badexample.jp").unwrap().is_within(&parent));
}

proptest! {
    #[test]
    fn parsers_are_total_and_round_trip(text in ".{0,80}") {
        if let Ok(mailbox) = Mailbox::parse(&text) {
            prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox.clone()));
        }
        if let Ok(path) = ReversePath::parse(&text) {
            prop_assert_eq!(ReversePath::parse(&path.to_string()), Ok(path.clone()));
        }
        if let Ok(key) = AccountKey::parse(&text, None) {
            prop_assert!(!key.as_str().contains(['/', '\0', '\r', '\n']));
            prop_assert_eq!(AccountKey::parse(key.as_str(), None), Ok(key.clone()));
        }
    }
}
