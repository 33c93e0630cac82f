//! Messages on their way out: stuffing, size, and the top of a message.

use proptest::prelude::*;
use textproto::{DotStuffer, Measure, TopStuffer, measure};

fn stuff(chunks: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut stuffer = DotStuffer::new();
    let mut out = Vec::new();
    for chunk in chunks {
        stuffer.stuff(chunk, &mut out);
    }
    stuffer.finish(&mut out);
    (out, stuffer.wire_octets())
}

fn top(lines: u64, chunks: &[&[u8]]) -> (Vec<u8>, usize) {
    let mut stuffer = TopStuffer::new(lines);
    let mut out = Vec::new();
    let mut read = 0;
    for chunk in chunks {
        read += 1;
        if !stuffer.stuff(chunk, &mut out) {
            break;
        }
    }
    stuffer.finish(&mut out);
    (out, read)
}

#[test]
fn known_messages() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"", b".\r\n"),
        (b"\n", b"\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\n", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\n", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..a\n.\n", b"...a\r\n..\r\n.\r\n"),
        (b"a\n.\r\n.b\n", b"a\r\n..\r\n..b\r\n.\r\n"),
        (b"a.b\n", b"a.b\r\n.\r\n"),
        (b"a\r.b\n", b"a\r.b\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"a\r\r\n", b"a\r\r\n.\r\n"),
        (b"\0\n.\0", b"\0\r\n..\0\r\n.\r\n"),
        (b"\xff\n\n\n", b"\xff\r\n\r\n\r\n.\r\n"),
    ];
    for (stored, wire) in cases {
        let (got, octets) = stuff(&[stored]);
        assert_eq!(got, *wire, "{stored:?}");
        assert_eq!(octets, measure(stored), "{stored:?}");
    }
}

#[test]
fn size_counts_line_ends_twice_but_no_stuffed_dot() {
    assert_eq!(measure(b""), 0);
    assert_eq!(measure(b"a\nb\n"), 6);
    assert_eq!(measure(b"a\r\nb\r\n"), 6);
    assert_eq!(measure(b".\n..\n"), 7);
    assert_eq!(measure(b"no end"), 8);
    assert_eq!(measure(b"cr\r"), 5);
}

#[test]
fn a_crlf_cut_in_two_is_one_line_end() {
    assert_eq!(stuff(&[b"a\r", b"\n", b".", b"b\n"]).0, b"a\r\n..b\r\n.\r\n");
    assert_eq!(stuff(&[b"a\r", b"", b"\n."]).0, b"a\r\n..\r\n.\r\n");
    let mut size = Measure::new();
    for chunk in [&b"a\r"[..], b"", b"\nb", b"\n"] {
        size.add(chunk);
    }
    assert_eq!(size.octets(), 6);
}

#[test]
fn a_large_message_of_dots_only() {
    let stored = vec![b'.'; 1 << 20];
    let (wire, octets) = stuff(&[&stored]);
    assert_eq!(wire.len(), (1 << 20) + 1 + 5);
    assert_eq!(octets, (1 << 20) + 2);
    let stored = b".\n".repeat(1 << 19);
    let (wire, octets) = stuff(&[&stored]);
    assert_eq!(wire, [b"..\r\n".repeat(1 << 19), b".\r\n".to_vec()].concat());
    assert_eq!(octets, 3 << 19);
}

const MESSAGE: &[u8] = b"Subject: a\nX: b\r\n\n.one\ntwo\r\n\nthree\n";

#[test]
fn top_sends_headers_blank_line_and_that_many_lines() {
    let head = b"Subject: a\r\nX: b\r\n\r\n".to_vec();
    let want = |body: &[u8]| [&head, body, b".\r\n"].concat();
    assert_eq!(top(0, &[MESSAGE]).0, want(b""));
    assert_eq!(top(1, &[MESSAGE]).0, want(b"..one\r\n"));
    assert_eq!(top(2, &[MESSAGE]).0, want(b"..one\r\ntwo\r\n"));
    assert_eq!(top(3, &[MESSAGE]).0, want(b"..one\r\ntwo\r\n\r\n"));
    for all in [4, 5, 4_294_967_294, u64::MAX] {
        assert_eq!(top(all, &[MESSAGE]).0, want(b"..one\r\ntwo\r\n\r\nthree\r\n"), "{all}");
    }
}

#[test]
fn top_of_odd_messages() {
    assert_eq!(top(3, &[b""]).0, b".\r\n");
    assert_eq!(top(0, &[b"\nbody\n"]).0, b"\r\n.\r\n");
    assert_eq!(top(0, &[b"\r\nbody\n"]).0, b"\r\n.\r\n");
    assert_eq!(top(9, &[b"no body"]).0, b"no body\r\n.\r\n");
    assert_eq!(top(0, &[b".a: b\n\nx"]).0, b"..a: b\r\n\r\n.\r\n");
    // A line of one CR more than the blank line is no blank line.
    assert_eq!(top(0, &[b"a\n\r\r\nb\n\nx"]).0, b"a\r\n\r\r\nb\r\n\r\n.\r\n");
}

#[test]
fn top_stops_reading_as_soon_as_it_has_enough() {
    let (wire, read) = top(1, &[b"a: b\n", b"\r", b"\n", b"one", b"\n", b"two\n", b"three\n"]);
    assert_eq!(wire, b"a: b\r\n\r\none\r\n.\r\n");
    assert_eq!(read, 5);
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"\r\n\r\n\n..a\0\xff".to_vec()), 0..300)
}

fn cut<'a>(mut rest: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at(rest.len().min(*size));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..12, 1..40)
}

/// CRLF form, octet by octet.
fn canonical(stored: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &octet in stored {
        if octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(octet);
    }
    if !out.is_empty() && out.last() != Some(&b'\n') {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// What a client makes of a multi-line answer (RFC 1939 section 3).
fn unstuff(wire: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = wire.strip_suffix(b".\r\n").expect("an answer ends so");
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("CRLF") + 2;
        let (line, tail) = rest.split_at(end);
        assert_ne!(line, b".\r\n", "the answer ends before its end");
        out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = tail;
    }
    out
}

/// The top of a message in CRLF form, line by line.
fn model_top(canonical: &[u8], body_lines: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = None;
    for line in canonical.split_inclusive(|&octet| octet == b'\n') {
        if left == Some(0) {
            break;
        }
        out.extend_from_slice(line);
        left = match left {
            None if line == b"\r\n" => Some(body_lines),
            None => None,
            Some(lines) => Some(lines - 1),
        };
    }
    out
}

proptest! {
    #[test]
    fn what_the_client_unstuffs_is_the_canonical_message(stored in octets(), sizes in sizes()) {
        let pieces = cut(&stored, &sizes);
        let (wire, octets) = stuff(&pieces);
        let message = unstuff(&wire);
        prop_assert_eq!(&message, &canonical(&stored));
        prop_assert_eq!(octets, message.len() as u64);
        let mut size = Measure::new();
        pieces.iter().for_each(|piece| size.add(piece));
        prop_assert_eq!(size.octets(), message.len() as u64);
        prop_assert_eq!(measure(&stored), message.len() as u64);
    }

    #[test]
    fn the_top_at_any_split(stored in octets(), sizes in sizes(), lines in 0_u64..6) {
        let (wire, _) = top(lines, &cut(&stored, &sizes));
        prop_assert_eq!(unstuff(&wire), model_top(&canonical(&stored), lines));
    }
}

#[test]
fn a_top_knows_whether_the_blank_line_has_come() {
    for (message, in_headers) in [
        (&b""[..], true),
        (b"A: b", true),
        (b"A: b\r\n", true),
        (b"A: b\r\n\r", true),
        (b"A: b\r\n\r\n", false),
        (b"\n", false),
        (b"A: b\n\nbody", false),
    ] {
        for block in 1..=message.len().max(1) {
            let (mut stuffer, mut out) = (TopStuffer::new(1), Vec::new());
            for part in message.chunks(block) {
                stuffer.stuff(part, &mut out);
            }
            assert_eq!(stuffer.is_in_headers(), in_headers, "{}", message.escape_ascii());
            stuffer.finish(&mut out);
            assert!(!stuffer.is_in_headers());
        }
    }
}

/// The whole answer, octet by octet.
fn naive(stored: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for line in canonical(stored).split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

#[test]
fn cut_at_any_two_places_it_is_the_same_answer() {
    let stored = b"..a\r\n.\n\n.\r.\r\n\r\r\n.b.\n.\r\n\0.\n.";
    let wire = naive(stored);
    for first in 0..=stored.len() {
        for second in first..=stored.len() {
            let pieces = [&stored[..first], &stored[first..second], &stored[second..]];
            let (got, octets) = stuff(&pieces);
            assert_eq!(got, wire, "cut at {first} and {second}");
            assert_eq!(octets, measure(stored));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Blocks as a daemon reads them, with much that changes around their ends.
    #[test]
    fn large_messages_in_large_blocks(
        pieces in prop::collection::vec((octets(), 0_usize..9000), 1..24),
        block in prop::sample::select(vec![4096_usize, 65_536, 65_537, 131_072]),
    ) {
        let mut stored = Vec::new();
        for (octets, filling) in &pieces {
            stored.extend_from_slice(octets);
            stored.resize(stored.len() + filling, b'x');
        }
        let blocks: Vec<&[u8]> = stored.chunks(block).collect();
        let (got, octets) = stuff(&blocks);
        prop_assert!(got == naive(&stored));
        prop_assert_eq!(octets, measure(&stored));
    }
}
