//! Formats of ids in both styles of Dovecot.

use super::super::format::{Facts, IdFormat, IdFormatError};

fn id(format: &str) -> String {
    let format: IdFormat = format.parse().unwrap_or_else(|error| panic!("{format}: {error}"));
    format.render(&Facts { uid: 0xab1, validity: 1_732_400_000, base: b"1.a.h", guid: Some(b"G") })
}

#[test]
fn both_styles() {
    for (format, expected) in [
        ("%08Xu%08Xv", "00000ab167425380"),
        ("%{uid | hex(8)}%{uidvalidity | hex(8)}", "00000ab167425380"),
        ("%{uid|hex}", "ab1"),
        ("%{uid | hex(2)}", "b1"),
        ("%v.%u", "1732400000.2737"),
        ("%Xv%Xu", "67425380ab1"),
        ("%2u", "27"),
        ("%02u", "2737"),
        ("UID%u-%v", "UID2737-1732400000"),
        ("%%%u", "%2737"),
        ("%f", "1.a.h"),
        ("%{filename}", "1.a.h"),
        ("%g/%{guid}", "G/G"),
        // As md5sum has it.
        ("%Mf", "f7811fb4db30a4911e37d996381c2a4f"),
        ("%{filename | md5 | hexlify}", "f7811fb4db30a4911e37d996381c2a4f"),
        ("%4Mf", "f781"),
    ] {
        assert_eq!(id(format), expected, "{format}");
    }
    // RFC 1321, appendix A.5.
    assert_eq!(super::super::format::md5_hex(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!("%08Xu%08Xv".parse(), Ok(IdFormat::dovecot()));
}

#[test]
fn cyrus_has_names_for_its_own() {
    let id = |name: &str| {
        let facts = Facts { uid: 7, validity: 9, base: b"x", guid: None };
        IdFormat::cyrus(name).map(|format| format.render(&facts))
    };
    assert_eq!(id("uidonly").as_deref(), Some("7"));
    assert_eq!(id("cyrus").as_deref(), Some("9.7"));
    assert_eq!(id("dovecot").as_deref(), Some("0000000700000009"));
    assert_eq!(id("courier").as_deref(), Some("9-7"));
    assert_eq!(id("%u"), None);
}

#[test]
fn mistakes_are_named() {
    for (format, begins) in [
        ("%z", "\"%z\" is no variable"),
        ("%", "\"%\" is no variable"),
        ("%{uid", "\"%{uid\" is no variable"),
        ("%{uid | rot13}", "\"%{uid | rot13}\" is no variable"),
        ("%{filename | md5}", "\"%{filename | md5}\" is no variable"),
        ("%{filename | hex}", "\"%{filename | hex}\" is no variable"),
        ("%Xf", "\"%Xf\" is no variable"),
        ("%999u", "\"%999u\" is no variable"),
        ("%99999999999999999999999u", "\"%9999999999999999999\" is no variable"),
        ("%{uid | hex(99)}", "\"%{uid | hex(99)}\" is no variable"),
        ("%m", "ids made of the headers"),
        ("%{md5}", "ids made of the headers"),
        ("%v", "\"%v\" has neither"),
        ("", "\"\" has neither"),
    ] {
        let error = format.parse::<IdFormat>().unwrap_err();
        assert!(error.to_string().starts_with(begins), "{format}: {error}");
    }
    assert_eq!("x".repeat(201).parse::<IdFormat>(), Err(IdFormatError::TooLong));
}
