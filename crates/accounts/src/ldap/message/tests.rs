//! Messages as servers write them, and octets that are none.

use proptest::prelude::*;

use super::*;

fn answer(id: u32, tag: u8, code: u32, diagnostic: &str) -> Zeroizing<Vec<u8>> {
    message(id, |w| {
        w.put_all(tag, |w| {
            w.put_number(ENUMERATED, code);
            w.put(OCTETS, b"");
            w.put(OCTETS, diagnostic.as_bytes());
        });
    })
}

fn outcome(code: u32, diagnostic: &str) -> Outcome {
    Outcome { code, diagnostic: diagnostic.to_owned() }
}

#[test]
fn requests_are_those_of_the_standard() {
    // As ldapsearch 2.5 and RFC 4511 write them, but for lengths, which take four octets here.
    assert_eq!(
        *bind(1, "cn=x", b"pw"),
        *b"\x30\x84\0\0\0\x16\x02\x01\x01\x60\x84\0\0\0\x0d\x02\x01\x03\x04\x04cn=x\x80\x02pw"
    );
    assert_eq!(*unbind(5), *b"\x30\x84\0\0\0\x05\x02\x01\x05\x42\0");
    let tls = start_tls(1);
    assert!(tls.ends_with(b"\x80\x161.3.6.1.4.1.1466.20037"), "{tls:x?}");
    let octets = search(
        300,
        &Search {
            base: "dc=x",
            scope: Scope::One,
            size_limit: 2,
            time_limit: 3,
            filter: b"\x87\x01a",
            attributes: &["mail".to_owned()],
            page: Some((100, b"cookie")),
        },
    );
    let mut parts = Reader::new(&octets).within(SEQUENCE).unwrap();
    assert_eq!(parts.number(INTEGER), Ok(300));
    let mut inner = parts.within(SEARCH).unwrap();
    assert_eq!(inner.text(), Ok("dc=x"));
    assert_eq!((inner.number(ENUMERATED), inner.number(ENUMERATED)), (Ok(1), Ok(0)));
    assert_eq!((inner.number(INTEGER), inner.number(INTEGER)), (Ok(2), Ok(3)));
    assert_eq!(inner.take(BOOLEAN), Ok(&[0][..]));
    assert_eq!(inner.next(), Ok((0x87, &b"a"[..])));
    assert_eq!(inner.within(SEQUENCE).unwrap().text(), Ok("mail"));
    assert_eq!(cookie(parts), Ok(Some(b"cookie".to_vec())), "a request and an answer agree");
}

#[test]
fn answers_of_every_kind() {
    let read = |octets: &[u8]| read(octets).unwrap();
    assert_eq!(read(&answer(1, BIND_ANSWER, 49, "no")), (1, Message::Bound(outcome(49, "no"))));
    assert_eq!(read(&answer(2, EXTENDED_ANSWER, 0, "")), (2, Message::Extended(outcome(0, ""))));
    let done = Message::Done { outcome: outcome(32, ""), cookie: None };
    assert_eq!(read(&answer(3, SEARCH_DONE, 32, "")), (3, done));
    assert_eq!(read(&answer(0, EXTENDED_ANSWER, 52, "bye")), (0, Message::Notice));
    assert_eq!(read(&message(4, |w| w.put_all(SEARCH_REFERENCE, |_| {}))).1, Message::Reference);
    let entry = message(5, |w| {
        w.put_all(SEARCH_ENTRY, |w| {
            w.put(OCTETS, b"uid=ann,dc=x");
            w.put_all(SEQUENCE, |w| {
                for (name, values) in [("Mail;x-private", &["a@x", "b@x"][..]), ("cn", &[])] {
                    w.put_all(SEQUENCE, |w| {
                        w.put(OCTETS, name.as_bytes());
                        w.put_all(SET, |w| values.iter().for_each(|v| w.put(OCTETS, v.as_bytes())));
                    });
                }
            });
        });
    });
    let (5, Message::Entry(entry)) = read(&entry) else { panic!("no entry") };
    assert_eq!(entry.dn, "uid=ann,dc=x");
    assert_eq!(
        entry.values("mail").iter().map(|v| v.as_slice()).collect::<Vec<_>>(),
        [b"a@x", b"b@x"]
    );
    assert!(entry.values("cn").is_empty() && entry.values("sn").is_empty());
}

#[test]
fn a_result_is_described_on_one_line() {
    let text = outcome(49, "80090308: \r\nlockout \x1b[31m").describe();
    assert_eq!(text, "result 49 (invalidCredentials): 80090308:   lockout  [31m");
    assert_eq!(outcome(0, "").describe(), "result 0 (success)");
    assert!(outcome(2, &"x".repeat(9999)).describe().len() < 200);
}

#[test]
fn what_is_no_message_is_refused() {
    for octets in [
        &b"\x30\x00"[..],
        b"\x30\x03\x02\x01\x01",
        b"\x31\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x30\x05\x02\x01\x01\x6f\x00",
        b"\x30\x06\x02\x01\x01\x64\x01\x04",
        b"\x30\x80\x02\x01\x01\x00\x00",
        b"\x30\x09\x02\x01\x01\x64\x84\xff\xff\xff\xff",
        b"\x30\x05\x02\x01\xff\x73\x00",
    ] {
        assert!(read(octets).is_err(), "{octets:x?}");
    }
}

#[test]
fn an_entry_with_endless_values_is_refused() {
    let entry = message(5, |w| {
        w.put_all(SEARCH_ENTRY, |w| {
            w.put(OCTETS, b"dc=x");
            w.put_all(SEQUENCE, |w| {
                w.put_all(SEQUENCE, |w| {
                    w.put(OCTETS, b"mail");
                    w.put_all(SET, |w| (0..2000).for_each(|_| w.put(OCTETS, b"a")));
                });
            });
        });
    });
    assert_eq!(read(&entry), Err(BerError::TooLong { limit: VALUES_MAX }));
}

#[test]
fn elements_nested_without_end_cost_no_stack() {
    let mut octets = Vec::new();
    for _ in 0..200_000 {
        octets.extend_from_slice(b"\x30\x84\0\x0f\xff\xff");
    }
    assert!(read(&octets).is_err());
}

proptest! {
    #[test]
    fn any_octets_are_a_message_or_an_error(
        octets in prop::collection::vec(any::<u8>(), 0..120), tag in any::<u8>(),
    ) {
        let _ = read(&octets);
        let _ = read(&message(7, |w| w.put(tag, &octets)));
        let _ = read(&message(7, |w| {
            w.put_all(SEARCH_ENTRY, |w| {
                w.put(OCTETS, b"dc=x");
                w.put(SEQUENCE, &octets);
            });
        }));
        let _ = read(&message(7, |w| {
            w.put_all(SEARCH_DONE, |w| {
                w.put_number(ENUMERATED, 0);
                w.put(OCTETS, b"");
                w.put(OCTETS, b"");
            });
            w.put(CONTROLS, &octets);
        }));
    }
}
