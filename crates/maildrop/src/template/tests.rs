//! Settings in each server's own style, and what is refused.

use super::*;

fn rendered(setting: &str, uid: u32, validity: u32) -> String {
    match setting.parse().unwrap() {
        UidlFormat::Template(template) => {
            String::from_utf8(template.render(uid, validity, b"1.a,S=3").unwrap()).unwrap()
        }
        UidlFormat::FileName => panic!("{setting} is a template"),
    }
}

#[test]
fn each_server_s_format_can_be_written() {
    for (setting, expected) in [
        ("%08Xu%08Xv", "0000001a67aabbcc"),
        ("%08Xv%08Xu", "67aabbcc0000001a"),
        ("%{uid | hex(8)}%{uidvalidity | hex(8)}", "0000001a67aabbcc"),
        ("%{uid|hex(8)}%{uidvalidity|hex(8)}", "0000001a67aabbcc"),
        ("dovecot", "0000001a67aabbcc"),
        ("%v.%u", "1739242444.26"),
        ("cyrus", "1739242444.26"),
        ("%{uidvalidity}.%{uid}", "1739242444.26"),
        ("UID%u-%v", "UID26-1739242444"),
        ("courier", "UID26-1739242444"),
        ("UID%u", "UID26"),
        ("%%%Xu", "%1a"),
        ("%{uid | hex}", "1a"),
        ("%u-%f", "26-1.a,S=3"),
        ("%ub", "26b"),
        ("%fa", "1.a,S=3a"),
        ("%010u%010v", "00000000261739242444"),
    ] {
        assert_eq!(rendered(setting, 26, 0x67AA_BBCC), expected, "{setting}");
    }
    for setting in ["filename", "qmail", "%f", "%g", "%{filename}", "%{guid}"] {
        assert_eq!(setting.parse(), Ok(UidlFormat::FileName), "{setting}");
    }
    assert_eq!(UidlFormat::default(), UidlFormat::FileName);
}

#[test]
fn the_largest_counters_fit() {
    assert_eq!(rendered("dovecot", u32::MAX, u32::MAX), "ffffffffffffffff");
    assert_eq!(rendered("courier", u32::MAX, u32::MAX), "UID4294967295-4294967295");
}

#[test]
fn a_name_that_makes_no_id_is_told() {
    let Ok(UidlFormat::Template(template)) = "%u-%f".parse() else { panic!("a template") };
    assert_eq!(template.render(1, 1, b"a b"), None);
    assert_eq!(template.render(1, 1, &[b'a'; 69]), None);
    assert_eq!(template.render(1, 1, &[b'a'; 68]).unwrap().len(), 70);
}

#[test]
fn what_gives_no_unique_ids_is_refused_and_why() {
    let error = |setting: &str| setting.parse::<UidlFormat>().unwrap_err();
    use UidlFormatError as E;
    for setting in ["", "x", "FileName", "%v", "UID", "%%u"] {
        assert_eq!(error(setting), E::NoCounter(setting.into()), "{setting}");
    }
    for setting in ["%u%v", "%v%u", "%u1", "%08u%v", "%07Xu%v", "%Xub", "%u%f", "%f%u"] {
        assert_eq!(error(setting), E::Adjacent, "{setting}");
    }
    for (setting, named) in [
        ("%x", "%x"),
        ("%", "%"),
        ("a%mb", "%mb"),
        ("%8Xu", "%8Xu"),
        ("%0u", "%0u"),
        ("%021u", "%021u"),
        ("%{uid", "%{uid"),
        ("%{UID}", "%{UID}"),
        ("%{uid | md5}", "%{uid | md5}"),
        ("%{uid | hex(8) | hex(8)}", "%{uid | hex(8) | hex(8)}"),
        ("%{uid | hex(99)}", "%{uid | hex(99)}"),
        ("%{filename | hex}", "%{filename | hex}"),
        ("%99999999999999999999u", "%9999999999999999999"),
    ] {
        assert_eq!(error(setting), E::Variable(named.into()), "{setting}");
    }
    assert_eq!(error("%u é"), E::Character(' '));
    assert_eq!(error("é%u"), E::Character('é'));
    assert_eq!(error("%u\n"), E::Character('\n'));
    assert_eq!(error(&format!("%u-{}", "x".repeat(60))), E::TooLong(71));
    assert!(matches!(error(&"%u-".repeat(100)), E::TooLong(_)));
    for setting in ["", "%z", "%u%v", "é"] {
        assert!(error(setting).to_string().len() > 40);
    }
}

#[test]
fn it_can_be_a_key_of_a_configuration() {
    #[derive(serde::Deserialize)]
    struct Section {
        uidl_format: UidlFormat,
    }
    let section: Section = serde_json::from_str(r#"{"uidl_format": "%v.%u"}"#).unwrap();
    assert_eq!(section.uidl_format, "cyrus".parse().unwrap());
    assert!(serde_json::from_str::<Section>(r#"{"uidl_format": "%q"}"#).is_err());
}
