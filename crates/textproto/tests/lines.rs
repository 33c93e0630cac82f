//! Lines whole, cut, over-long and hostile.

use proptest::prelude::*;
use textproto::{Line, LineEnd, LineReader};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Line(Vec<u8>),
    TooLong,
}

/// Feeds `input` in pieces and keeps at most `max` octets beside the piece just read.
fn run(max: usize, end: LineEnd, pieces: &[&[u8]]) -> Vec<Event> {
    let mut reader = LineReader::new(max, end);
    let mut buffer = Vec::new();
    let mut events = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let (event, consumed) = match reader.next_line(&buffer) {
                Line::Whole { line, consumed } => (Some(Event::Line(line.to_vec())), consumed),
                Line::TooLong { consumed } => (Some(Event::TooLong), consumed),
                Line::More { consumed } => (None, consumed),
            };
            buffer.drain(..consumed);
            match event {
                Some(event) => events.push(event),
                None => break,
            }
        }
        assert!(buffer.len() < max.max(2), "an unfinished line never fills the buffer");
    }
    events
}

fn lines(lines: &[&[u8]]) -> Vec<Event> {
    lines.iter().map(|line| Event::Line(line.to_vec())).collect()
}

#[test]
fn several_commands_in_one_segment_come_one_by_one() {
    let got = run(64, LineEnd::Crlf, &[b"EHLO a\r\nMAIL FROM:<>\r\n\r\nRSET"]);
    assert_eq!(got, lines(&[b"EHLO a", b"MAIL FROM:<>", b""]));
}

#[test]
fn a_line_is_a_slice_of_the_input() {
    let mut reader = LineReader::new(64, LineEnd::Crlf);
    let input = b"NOOP\r\nQUIT\r\n";
    let Line::Whole { line, consumed } = reader.next_line(input) else { panic!() };
    assert_eq!(line.as_ptr(), input.as_ptr());
    assert_eq!(consumed, 6);
}

#[test]
fn a_line_may_come_octet_by_octet_and_be_cut_within_its_crlf() {
    let octets: Vec<&[u8]> = b"QUIT\r\nNOOP\r\n".chunks(1).collect();
    assert_eq!(run(64, LineEnd::Crlf, &octets), lines(&[b"QUIT", b"NOOP"]));
    assert_eq!(run(64, LineEnd::CrlfOrLf, &octets), lines(&[b"QUIT", b"NOOP"]));
}

#[test]
fn a_lone_lf_ends_a_line_only_where_allowed() {
    let input: &[&[u8]] = &[b"STAT\nLIST\r\n\n"];
    assert_eq!(run(64, LineEnd::CrlfOrLf, input), lines(&[b"STAT", b"LIST", b""]));
    assert_eq!(run(64, LineEnd::Crlf, input), lines(&[b"STAT\nLIST"]));
}

#[test]
fn lone_cr_nul_and_eight_bit_octets_pass_through() {
    let input: &[&[u8]] = &[b"a\rb\0\xff\r\r\n"];
    for end in [LineEnd::Crlf, LineEnd::CrlfOrLf] {
        assert_eq!(run(64, end, input), lines(&[b"a\rb\0\xff\r"]));
    }
}

#[test]
fn the_limit_counts_the_line_end() {
    for end in [LineEnd::Crlf, LineEnd::CrlfOrLf] {
        assert_eq!(run(6, end, &[b"QUIT\r\n"]), lines(&[b"QUIT"]));
        assert_eq!(
            run(6, end, &[b"QUITS\r\nQ\r\n"]),
            [vec![Event::TooLong], lines(&[b"Q"])].concat()
        );
        assert_eq!(
            run(6, end, &[b"QUITS", b"\r", b"\n", b"Q\r\n"]),
            [vec![Event::TooLong], lines(&[b"Q"])].concat()
        );
    }
    assert_eq!(run(6, LineEnd::CrlfOrLf, &[b"QUITS\n"]), lines(&[b"QUITS"]));
}

#[test]
fn an_endless_line_is_one_event_and_takes_no_memory() {
    let block = vec![b'A'; 1 << 16];
    let mut pieces: Vec<&[u8]> = vec![&block; 64];
    pieces.push(b"\r");
    pieces.push(b"A\r");
    pieces.push(b"\nQUIT\r\n");
    for end in [LineEnd::Crlf, LineEnd::CrlfOrLf] {
        assert_eq!(run(512, end, &pieces), [vec![Event::TooLong], lines(&[b"QUIT"])].concat());
    }
}

#[test]
fn the_tail_of_a_long_line_is_no_command() {
    let mut input = vec![b' '; 600];
    input.extend_from_slice(b"DELE 1\r\nDELE 2\r\n");
    let pieces: Vec<&[u8]> = input.chunks(512).collect();
    let want = [vec![Event::TooLong], lines(&[b"DELE 2"])].concat();
    assert_eq!(run(512, LineEnd::Crlf, &pieces), want);
    assert_eq!(run(512, LineEnd::Crlf, &[&input]), want);
}

#[test]
fn a_line_that_trickles_in_is_scanned_once() {
    // Quadratic scanning would look at 2^19 * 2^20 octets here.
    let mut reader = LineReader::new(1 << 21, LineEnd::Crlf);
    let input = vec![b'\n'; 1 << 20];
    for len in (1..input.len()).step_by(2) {
        assert_eq!(reader.next_line(&input[..len]), Line::More { consumed: 0 });
    }
}

#[test]
fn after_a_reset_nothing_of_the_old_line_remains() {
    let mut reader = LineReader::new(8, LineEnd::Crlf);
    assert_eq!(reader.next_line(b"too long for this"), Line::More { consumed: 17 });
    reader.reset();
    assert_eq!(reader.next_line(b"CAPA\r\n"), Line::Whole { line: b"CAPA", consumed: 6 });
    assert_eq!(reader.next_line(b"abc"), Line::More { consumed: 0 });
    reader.reset();
    assert_eq!(reader.next_line(b"\r\n"), Line::Whole { line: b"", consumed: 2 });
}

#[test]
fn the_limit_can_grow_for_one_line() {
    let mut reader = LineReader::new(8, LineEnd::Crlf);
    reader.set_max(64);
    assert_eq!(
        reader.next_line(b"longer than eight\r\n"),
        Line::Whole { line: b"longer than eight", consumed: 19 }
    );
    reader.set_max(8);
    assert_eq!(reader.next_line(b"longer than eight\r\n"), Line::TooLong { consumed: 19 });
}

/// Octets that make CR, LF and dots likely.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"\r\n\r\n.a\0\xff".to_vec()), 0..200)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_lines(input in octets(), sizes in prop::collection::vec(1_usize..9, 1..200), max in 2_usize..20, lenient: bool) {
        let end = if lenient { LineEnd::CrlfOrLf } else { LineEnd::Crlf };
        let mut rest = &input[..];
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, tail) = rest.split_at(rest.len().min(*size));
            pieces.push(piece);
            rest = tail;
        }
        prop_assert_eq!(run(max, end, &pieces), model(max, end, &input));
    }
}

/// The rule octet by octet.
fn model(max: usize, end: LineEnd, input: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = 0;
    for at in 0..input.len() {
        let crlf = input[start..=at].ends_with(b"\r\n");
        let lf = end == LineEnd::CrlfOrLf && input[at] == b'\n';
        if !crlf && !lf {
            continue;
        }
        let ending = if crlf { 2 } else { 1 };
        events.push(match at + 1 - start <= max {
            true => Event::Line(input[start..at + 1 - ending].to_vec()),
            false => Event::TooLong,
        });
        start = at + 1;
    }
    events
}
