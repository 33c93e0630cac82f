//! The canonical forms, compared with a second, plain way to make them.

use proptest::prelude::*;

use super::*;

fn body(pieces: &[&[u8]]) -> Vec<u8> {
    let mut canonical = Vec::new();
    let mut relaxed = RelaxedBody::default();
    for piece in pieces {
        relaxed.take(piece, &mut |octets| canonical.extend_from_slice(octets));
    }
    relaxed.finish(&mut |octets| canonical.extend_from_slice(octets));
    canonical
}

/// The rules of section 3.4.4, one after the other on the whole body.
fn plainly(body: &[u8]) -> Vec<u8> {
    let text: String = body.iter().map(|&octet| char::from(octet)).collect();
    let mut lines: Vec<String> = text
        .split("\r\n")
        .map(|line| {
            let mut reduced = line.replace('\t', " ");
            while reduced.contains("  ") {
                reduced = reduced.replace("  ", " ");
            }
            reduced.strip_suffix(' ').unwrap_or(&reduced).to_owned()
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| line.chars().chain("\r\n".chars())).map(|c| c as u8).collect()
}

const CASES: &[(&str, &str)] = &[
    ("", ""),
    ("\r\n", ""),
    ("\r\n\r\n\r\n", ""),
    (" \t\r\n \r\n", ""),
    (" \t", ""),
    ("a", "a\r\n"),
    ("a\r\n", "a\r\n"),
    ("a\r\n\r\n\r\n", "a\r\n"),
    ("a \t\r\n\r\n \r\n", "a\r\n"),
    (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
    ("\r\n\r\na", "\r\n\r\na\r\n"),
    ("a\r\n \t\r\nb", "a\r\n\r\nb\r\n"),
    ("\ta b  c\t\td ", " a b c d\r\n"),
    ("a\rb\r\n", "a\rb\r\n"),
    ("a\r", "a\r\r\n"),
    ("a \r b\r\r\n", "a \r b\r\r\n"),
    ("a\nb\r\n", "a\nb\r\n"),
    ("\0\u{1}\r\n", "\0\u{1}\r\n"),
];

#[test]
fn a_body_cut_anywhere_gives_the_same() {
    for (text, expected) in CASES {
        let octets = text.as_bytes();
        assert_eq!(plainly(octets), expected.as_bytes(), "{text:?}: plainly");
        for first in 0..=octets.len() {
            for second in first..=octets.len() {
                let pieces =
                    [&octets[..first], &octets[first..second], &octets[second..], &b""[..]];
                assert_eq!(body(&pieces), expected.as_bytes(), "{text:?} at {first}, {second}");
            }
        }
    }
}

#[test]
fn long_bodies_pass_through_in_blocks() {
    let mut text = Vec::new();
    for number in 0..3000 {
        text.extend_from_slice(format!("line {number} \t {}\r\n", "x".repeat(number)).as_bytes());
        text.extend_from_slice(b"\r\n".repeat(number % 7).as_slice());
    }
    text.extend_from_slice(&b"\r\n".repeat(10_000));
    text.extend_from_slice(b"end");
    let expected = plainly(&text);
    assert_eq!(body(&[&text]), expected);
    let pieces: Vec<&[u8]> = text.chunks(4095).collect();
    assert_eq!(body(&pieces), expected);
}

#[test]
fn empty_lines_cost_no_memory() {
    let mut relaxed = RelaxedBody::default();
    for _ in 0..10_000 {
        relaxed.take(&b"\r\n".repeat(100), &mut |_| {});
    }
    assert!(relaxed.block.is_empty());
    assert_eq!(relaxed.line_ends, 1_000_000);
}

fn field(name: &str, value: &str) -> String {
    let mut output = Vec::new();
    relaxed_field(name.as_bytes(), value.as_bytes(), &mut output);
    String::from_utf8(output).unwrap()
}

#[test]
fn fields_are_unfolded_and_reduced() {
    // The example of RFC 6376 section 3.4.5.
    assert_eq!(field("A", " X"), "a:X");
    assert_eq!(field("B ", " Y\t\r\n\tZ  "), "b:Y Z");
    assert_eq!(field("Subject", ""), "subject:");
    assert_eq!(field("SUBJECT\t", " \r\n "), "subject:");
    assert_eq!(field("X", "\r\n\tfolded\r\n  twice \t\r\n"), "x:folded twice");
    assert_eq!(field("X", "a:b"), "x:a:b");
}

proptest! {
    #[test]
    fn any_body_in_any_pieces(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(b"a".to_vec()), Just(b" ".to_vec()), Just(b"\t".to_vec()),
                Just(b"\r\n".to_vec()), Just(b"\r".to_vec()), Just(b"\n".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..600),
            ],
            0..20,
        )
    ) {
        let whole = pieces.concat();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(body(&pieces), plainly(&whole));
    }
}
