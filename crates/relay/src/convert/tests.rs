//! Conversion, read back by a parser that is not ours.

use mail_parser::{MessageParser, PartType};
use proptest::prelude::*;

use super::*;

/// Both passes, in blocks of this size.
fn try_convert(text: &[u8], aim: Aim, block: usize) -> Result<(Vec<u8>, Plan), Unconvertible> {
    let mut walker = Walker::new();
    let mut analysis = Analysis::new(aim);
    for block in text.chunks(block) {
        walker.feed(block, &mut analysis)?;
    }
    walker.finish(&mut analysis)?;
    let (choices, breaks_signature) = analysis.finish();
    let plan = Plan { aim, choices: choices.into(), octets: 0, breaks_signature };
    let mut machine = Machine::new(&plan);
    let mut out = Vec::new();
    for block in text.chunks(block) {
        out.extend(machine.feed(block).unwrap());
    }
    out.extend(machine.finish().unwrap());
    Ok((out, plan))
}

fn convert(text: &[u8], aim: Aim) -> String {
    let (out, _) = try_convert(text, aim, usize::MAX).unwrap();
    String::from_utf8(out).unwrap()
}

fn reason(text: &[u8]) -> Unconvertible {
    try_convert(text, Aim::SevenBit, 100).unwrap_err()
}

/// Every content, decoded, in order; nested messages too.
fn contents(text: &[u8]) -> Vec<Vec<u8>> {
    fn gather(message: &mail_parser::Message<'_>, into: &mut Vec<Vec<u8>>) {
        for part in &message.parts {
            match &part.body {
                PartType::Multipart(_) => {}
                PartType::Message(inner) => gather(inner, into),
                _ => into.push(part.contents().to_vec()),
            }
        }
    }
    let mut all = Vec::new();
    gather(&MessageParser::new().parse(text).unwrap(), &mut all);
    all
}

const HEAD: &str = "From: a@example.org\r\nMIME-Version: 1.0\r\n";

#[test]
fn text_becomes_quoted_printable_and_stays_readable() {
    let text = format!(
        "{HEAD}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\
         Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nnaïve = \r\n-- \r\n{}\r\n",
        "long ".repeat(300)
    );
    let out = convert(text.as_bytes(), Aim::SevenBit);
    assert!(out.is_ascii() && out.lines().all(|line| line.len() <= 76));
    assert!(out.contains("Subject: =?utf-8?q?caf=C3=A9?=\r\n"), "encoded words are untouched");
    assert!(out.contains("\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"));
    assert_eq!(out.matches("Content-Transfer-Encoding").count(), 1);
    assert!(out.contains("\r\nna=C3=AFve =3D=20\r\n=2D-=20\r\nlong long"));
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(contents(out.as_bytes()), [body.as_bytes()]);
}

#[test]
fn text_that_is_hardly_ascii_becomes_base64() {
    let text = format!(
        "{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n日本語の本文です。長い長い文章です。\r\n"
    );
    let out = convert(text.as_bytes(), Aim::SevenBit);
    assert!(out.contains("Content-Transfer-Encoding: base64\r\n"));
    assert_eq!(contents(out.as_bytes()), ["日本語の本文です。長い長い文章です。\r\n".as_bytes()]);
}

#[test]
fn what_nobody_declared_is_declared() {
    let out = convert("Subject: hi\r\n\r\nnaïve\r\n".as_bytes(), Aim::SevenBit);
    assert_eq!(
        out,
        "Subject: hi\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=unknown-8bit\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\nna=C3=AFve\r\n"
    );
}

#[test]
fn only_the_parts_that_need_it_change() {
    let text = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=\"o\"\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\nprèamble\r\n\
         --o\r\nContent-Type: text/plain\r\n\r\nplain\r\n\r\n\
         --o\r\nContent-Type: multipart/alternative; boundary=oo\r\n\r\n\
         --oo\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>é</p>\r\n\
         --oo--\r\n\
         --o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Subject: inner\r\n\r\nïnner\r\n\
         --o\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n\
         --o--\r\nepilogue\r\n"
    );
    let out = convert(text.as_bytes(), Aim::SevenBit);
    assert!(out.is_ascii());
    assert!(out.contains("boundary=\"o\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\npr??amble\r\n"));
    assert!(out.contains("--o\r\nContent-Type: text/plain\r\n\r\nplain\r\n\r\n--o\r\n"));
    assert!(
        out.contains("message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: inner")
    );
    assert!(out.contains("base64\r\n\r\naGk=\r\n--o--\r\nepilogue\r\n"));
    let before: Vec<_> = contents(text.as_bytes());
    assert_eq!(before.len(), 4);
    assert_eq!(contents(out.as_bytes()), before);
}

#[test]
fn binary_parts_become_base64_and_lines_that_are_too_long_too() {
    let octets = [b"\0\x01\r\n\xff\n\r".as_slice(), &[b'x'; 20_000], b"\n--no boundary"].concat();
    let head = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\
         \r\n--b\r\nContent-Type: application/octet-stream\r\n\
         Content-Transfer-Encoding: binary\r\n\r\n"
    );
    let long = format!("\r\n--b\r\nContent-Type: text/plain\r\n\r\n{}", "é".repeat(600));
    let text = [head.as_bytes(), &octets, long.as_bytes(), b"\r\n--b--\r\n"].concat();
    for aim in [Aim::EightBit, Aim::SevenBit] {
        let (out, _) = try_convert(&text, aim, 1000).unwrap();
        assert!(is_fit(&out, aim), "{aim:?}");
        assert_eq!(contents(&out), [octets.clone(), "é".repeat(600).into_bytes()], "{aim:?}");
    }
}

#[test]
fn eight_bit_text_stays_where_it_is_taken() {
    let text = format!(
        "{HEAD}Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nnaïve\r\n"
    );
    let out = convert(text.as_bytes(), Aim::EightBit);
    assert!(out.ends_with("Content-Transfer-Encoding: 8bit\r\n\r\nnaïve\r\n"));
}

#[test]
fn signed_parts_are_never_touched() {
    let signed = |text: &str| {
        format!(
            "{HEAD}Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
             Content-Type: multipart/signed; boundary=s; protocol=\"application/pgp-signature\"\r\n\
             \r\n--s\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n\
             --s\r\nContent-Type: application/pgp-signature\r\n\r\nxyz\r\n--s--\r\n\
             --m\r\nContent-Type: text/plain\r\n\r\nfooter: é\r\n--m--\r\n"
        )
    };
    assert_eq!(reason(signed("é").as_bytes()), Unconvertible::Signed);
    let ascii = signed("e");
    let out = convert(ascii.as_bytes(), Aim::SevenBit);
    let part = |text: &str| {
        let start = text.find("--s\r\n").unwrap();
        text[start..text.find("--s--").unwrap()].to_owned()
    };
    assert_eq!(part(&out), part(&ascii), "octet by octet");
    assert!(out.contains("footer: =C3=A9\r\n"));
}

#[test]
fn a_domains_signature_is_noticed() {
    let text = "DKIM-Signature: v=1\r\nSubject: x\r\n\r\né\r\n";
    assert!(try_convert(text.as_bytes(), Aim::SevenBit, 10).unwrap().1.breaks_signature());
    let text = "Subject: x\r\n\r\né\r\n";
    assert!(!try_convert(text.as_bytes(), Aim::SevenBit, 10).unwrap().1.breaks_signature());
}

#[test]
fn what_cannot_be_converted() {
    assert_eq!(reason("Subject: é\r\n\r\nx\r\n".as_bytes()), Unconvertible::Header);
    let typed = |kind: &str| format!("{HEAD}Content-Type: {kind}\r\n\r\né\r\n");
    assert_eq!(reason(typed("message/partial; id=1").as_bytes()), Unconvertible::Indivisible);
    assert_eq!(reason(typed("multipart/mixed").as_bytes()), Unconvertible::Indivisible);
    let falsely = format!("{HEAD}Content-Transfer-Encoding: base64\r\n\r\né\r\n");
    assert_eq!(reason(falsely.as_bytes()), Unconvertible::FalselyEncoded);
    let header = [b"X: ".as_slice(), &[b'x'; 300_000]].concat();
    assert_eq!(reason(&header), Unconvertible::TooComplex);
    let mut nested = String::new();
    for level in 0..100 {
        nested.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}.\r\n\r\n"));
        nested.push_str(&format!("--b{level}.\r\n"));
    }
    assert_eq!(reason(nested.as_bytes()), Unconvertible::TooComplex);
    let many =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &"--b\r\n".repeat(20_000);
    assert_eq!(reason(many.as_bytes()), Unconvertible::TooComplex);
    let russian_dolls = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    assert_eq!(reason(russian_dolls.as_bytes()), Unconvertible::TooComplex);
}

#[test]
fn a_large_text_takes_little_memory() {
    convert_blocks(64);
}

#[test]
#[ignore = "heavy: 256 MiB go through the converter"]
fn a_huge_text_takes_little_memory() {
    convert_blocks(2048);
}

fn convert_blocks(blocks: usize) {
    let head = b"Content-Type: application/octet-stream\r\nMIME-Version: 1.0\r\n\r\n";
    let block = vec![0xff_u8; 128 * 1024];
    let mut walker = Walker::new();
    let mut analysis = Analysis::new(Aim::SevenBit);
    walker.feed(head, &mut analysis).unwrap();
    for _ in 0..blocks {
        walker.feed(&block, &mut analysis).unwrap();
    }
    walker.finish(&mut analysis).unwrap();
    let (choices, _) = analysis.finish();
    let plan =
        Plan { aim: Aim::SevenBit, choices: choices.into(), octets: 0, breaks_signature: false };
    let mut machine = Machine::new(&plan);
    machine.feed(head).unwrap();
    for _ in 0..blocks {
        assert!(machine.feed(&block).unwrap().len() < 2 * block.len());
    }
    assert!(is_fit(&machine.finish().unwrap(), Aim::SevenBit));
}

/// A part: its header, and content whose lines end with CRLF.
fn part() -> impl Strategy<Value = (String, Vec<u8>)> {
    let kinds = vec!["text/plain; charset=utf-8", "text/html", "application/pdf", "image/png"];
    let labels = vec!["", "Content-Transfer-Encoding: 8bit\r\n"];
    let octet = any::<u8>().prop_filter("no line end, no NUL", |o| !b"\r\n\0".contains(o));
    let line = prop::collection::vec(octet, 0..120);
    let tricky = prop::sample::select(vec![
        b"--".to_vec(),
        b"-- b0".to_vec(),
        b".".to_vec(),
        b" ".to_vec(),
        b"=".to_vec(),
        b"From x".to_vec(),
        vec![b'-'; 200],
        b"\xff\t ".to_vec(),
    ]);
    let line = prop_oneof![4 => line, 1 => tricky];
    let body = prop::collection::vec(line, 0..8).prop_map(|lines| lines.join(&b"\r\n"[..]));
    (prop::sample::select(kinds), prop::sample::select(labels), body)
        .prop_map(|(kind, label, body)| (format!("Content-Type: {kind}\r\n{label}"), body))
        .prop_filter("a boundary", |(_, body)| {
            !body.split(|o| *o == b'\n').any(|line| line.starts_with(b"--b"))
        })
}

fn message(parts: &[(String, Vec<u8>)], nested: bool) -> Vec<u8> {
    let mut text = format!("{HEAD}Content-Type: multipart/mixed; boundary=b0\r\n\r\n").into_bytes();
    for (head, body) in parts {
        text.extend_from_slice(b"--b0\r\n");
        if nested {
            text.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n");
        }
        text.extend_from_slice(head.as_bytes());
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(body);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"--b0--\r\n");
    text
}

proptest! {
    #[test]
    fn what_is_converted_says_the_same(
        parts in prop::collection::vec(part(), 1..5),
        nested in any::<bool>(),
        block in 1_usize..200,
    ) {
        let text = message(&parts, nested);
        let (out, _) = try_convert(&text, Aim::SevenBit, usize::MAX).unwrap();
        prop_assert!(is_fit(&out, Aim::SevenBit));
        // The parser turns text into Unicode, before as after; the rest it leaves as it is.
        let after = contents(&out);
        prop_assert_eq!(&after, &contents(&text));
        for ((head, body), found) in parts.iter().zip(&after) {
            prop_assert!(head.contains("text/") || body == found);
        }
        // The same however it is cut, and what is fit is left alone.
        prop_assert_eq!(&try_convert(&text, Aim::SevenBit, block).unwrap().0, &out);
        prop_assert_eq!(&try_convert(&out, Aim::SevenBit, block).unwrap().0, &out);
    }

    #[test]
    fn any_octets_are_converted_or_refused(
        text in prop::collection::vec(any::<u8>(), 0..2000),
        block in 1_usize..300,
        aim in prop::sample::select(vec![Aim::SevenBit, Aim::EightBit]),
    ) {
        let whole = try_convert(&text, aim, usize::MAX).map(|(out, _)| out);
        prop_assert_eq!(try_convert(&text, aim, block).map(|(out, _)| out), whole);
    }
}
