//! Filters as they are read, and as they go over the wire whoever is asked for.

use proptest::prelude::*;

use super::super::ber::Reader;
use super::*;

fn wire(template: &str, whole: &str) -> Option<Vec<u8>> {
    let mut writer = Writer::new();
    Filter::parse(template).unwrap().write(&Values::of_address(whole), &mut writer)?;
    Some(writer.finish().to_vec())
}

/// The filter on the wire, written out again by a reader that knows nothing of templates.
fn shown((tag, content): (u8, &[u8])) -> String {
    let list = |sign: &str| {
        let (mut inner, mut text) = (Reader::new(content), String::new());
        while !inner.is_empty() {
            text += &shown(inner.next().unwrap());
        }
        format!("({sign}{text})")
    };
    let pair = |sign: &str| {
        let mut inner = Reader::new(content);
        let attribute = inner.text().unwrap();
        let value = inner.take(OCTETS).unwrap();
        assert!(inner.is_empty());
        format!("({attribute}{sign}{:?})", String::from_utf8_lossy(value))
    };
    match tag {
        AND => list("&"),
        OR => list("|"),
        NOT => list("!"),
        EQUAL => pair("="),
        GREATER => pair(">="),
        LESS => pair("<="),
        ABOUT => pair("~="),
        PRESENT => format!("({}=*)", String::from_utf8_lossy(content)),
        tag => panic!("tag {tag:#x}"),
    }
}

#[test]
fn every_kind_of_filter() {
    let show = |template: &str| {
        let octets = wire(template, "ann@example.net").unwrap();
        let mut reader = Reader::new(&octets);
        let text = shown(reader.next().unwrap());
        assert!(reader.is_empty(), "one filter and nothing behind it");
        text
    };
    assert_eq!(show("(uid=%n)"), "(uid=\"ann\")");
    assert_eq!(show("(mail=%u)"), "(mail=\"ann@example.net\")");
    assert_eq!(
        show("(&(objectClass=person)(|(uid=%n)(mail=x-%u-%d%%))(!(locked=*)))"),
        "(&(objectClass=\"person\")(|(uid=\"ann\")(mail=\"x-ann@example.net-example.net%\"))\
         (!(locked=*)))"
    );
    assert_eq!(show("(a>=1)"), "(a>=\"1\")");
    assert_eq!(show("(a<=1)"), "(a<=\"1\")");
    assert_eq!(show("(a~=\\28x\\29)"), "(a~=\"(x)\")");
    assert_eq!(show("(cn;lang-de=ä)"), "(cn;lang-de=\"ä\")");
    assert_eq!(show("(&)"), "(&)");
    assert_eq!(show("(a=)"), "(a=\"\")");
}

#[test]
fn substrings_and_matching_rules_on_the_wire() {
    let octets = wire("(mail=*%n*@*net)", "ann@example.net").unwrap();
    let mut inner = Reader::new(&octets).within(SUBSTRINGS).unwrap();
    assert_eq!(inner.text(), Ok("mail"));
    let mut parts = inner.within(SEQUENCE).unwrap();
    assert_eq!(parts.next(), Ok((ANY, &b"ann"[..])));
    assert_eq!(parts.next(), Ok((ANY, &b"@"[..])));
    assert_eq!(parts.next(), Ok((FINAL, &b"net"[..])));
    assert!(parts.is_empty() && inner.is_empty());

    let octets = wire("(flags:1.2.840.113556.1.4.803:=2)", "ann").unwrap();
    let mut inner = Reader::new(&octets).within(EXTENSIBLE).unwrap();
    assert_eq!(inner.next(), Ok((0x81, &b"1.2.840.113556.1.4.803"[..])));
    assert_eq!(inner.next(), Ok((0x82, &b"flags"[..])));
    assert_eq!(inner.next(), Ok((0x83, &b"2"[..])));
    assert!(inner.is_empty());

    let octets = wire("(ou:dn:=%n)", "ann").unwrap();
    let mut inner = Reader::new(&octets).within(EXTENSIBLE).unwrap();
    assert_eq!(inner.next(), Ok((0x82, &b"ou"[..])));
    assert_eq!(inner.next(), Ok((0x83, &b"ann"[..])));
    assert_eq!(inner.next(), Ok((0x84, &[0xff][..])));
}

#[test]
fn a_login_cannot_change_what_is_asked() {
    for login in ["*", "ann)(uid=*", "*)(&", "\\2a", "a\\00", "a\0b", "(|(uid=*))", "%u%n"] {
        let octets = wire("(&(uid=%u)(objectClass=person))", login).unwrap();
        let mut inner = Reader::new(&octets).within(AND).unwrap();
        let mut pair = inner.within(EQUAL).unwrap();
        assert_eq!(pair.text(), Ok("uid"));
        assert_eq!(pair.take(OCTETS), Ok(login.as_bytes()), "as it is, and nothing but a value");
        assert!(pair.is_empty());
        assert!(inner.within(EQUAL).is_ok() && inner.is_empty());
    }
    assert_eq!(wire("(&(uid=%n)(domain=%d))", "ann"), None, "there is no domain");
}

#[test]
fn a_filter_that_is_wrong_is_refused_with_its_place() {
    for (text, problem) in [
        ("", "no \"(\" at character 1"),
        ("uid=%n", "no \"(\" at character 1"),
        ("(uid=%n", "no \")\" at character 8"),
        ("(uid=%n))", "something behind the filter at character 9"),
        ("(uid=%x)", "a variable other than %u, %n, %d and %% at character 7"),
        ("(uid=100%)", "a variable other"),
        ("(=x)", "no attribute at character 2"),
        ("(u id=x)", "no \"=\" at character 3"),
        ("(uid=\\zz)", "two hexadecimal digits at character 7"),
        ("(uid=\\+1)", "two hexadecimal digits"),
        ("(uid=a\\2)", "two hexadecimal digits"),
        ("(uid=***)", "nothing but stars"),
        ("(uid=a(b)", "no \")\" at character 7"),
        ("(::=x)", "neither attribute nor rule"),
        ("(:=x)", "neither attribute nor rule"),
        ("(!)", "no \"(\" at character 3"),
    ] {
        let error = Filter::parse(text).unwrap_err();
        assert!(error.contains(problem) && error.contains("expected a filter"), "{text}: {error}");
    }
    let deep = "(!".repeat(40) + "(a=b)" + &")".repeat(40);
    assert!(Filter::parse(&deep).unwrap_err().contains("too deep"));
    let many = format!("(&{})", "(a=b)".repeat(300));
    assert!(Filter::parse(&many).unwrap_err().contains("too many"));
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text in "[(&|!)a-c=*:%un\\\\0-9<>~ä]{0,30}") {
        if let Ok(filter) = Filter::parse(&text) {
            let _ = filter.has_variables();
            let _ = filter.write(&Values::of_address("x@y"), &mut Writer::new());
        }
    }

    #[test]
    fn any_login_is_one_value(login in "\\PC{1,30}") {
        let octets = wire("(uid=%u)", &login).unwrap();
        let mut inner = Reader::new(&octets).within(EQUAL).unwrap();
        inner.text().unwrap();
        prop_assert_eq!(inner.take(OCTETS).unwrap(), login.as_bytes());
        prop_assert!(inner.is_empty());
    }
}
