//! Mail data: where it ends, what it holds, and what must not be taken for its end.

use proptest::prelude::*;
use textproto::{DataFault, DataStep, DotReader, DotStuffer, LoneLf};

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The message, and what of the input follows it.
    Message(Vec<u8>, usize),
    Fault(DataFault, usize),
    Unfinished,
}

fn read(policy: LoneLf, pieces: &[&[u8]]) -> Outcome {
    let mut reader = DotReader::new(policy);
    let mut message = Vec::new();
    let mut before = 0;
    for piece in pieces {
        match reader.read(piece, &mut message) {
            DataStep::More => before += piece.len(),
            DataStep::End { consumed, fault } => {
                let total: usize = pieces.iter().map(|piece| piece.len()).sum();
                let left = total - before - consumed;
                assert_eq!(fault, reader.fault());
                return match fault {
                    Some(fault) => Outcome::Fault(fault, left),
                    None => {
                        assert_eq!(reader.octets(), message.len() as u64);
                        Outcome::Message(message, left)
                    }
                };
            }
        }
    }
    Outcome::Unfinished
}

/// At once, octet by octet, and in pairs at both phases: the outcome must be the same.
fn read_all_ways(policy: LoneLf, input: &[u8]) -> Outcome {
    let whole = read(policy, &[input]);
    let singles: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(policy, &singles), whole, "{input:?} by octets");
    let pairs: Vec<&[u8]> = input.chunks(2).collect();
    assert_eq!(read(policy, &pairs), whole, "{input:?} by pairs");
    let (head, tail) = input.split_at(1);
    let odd: Vec<&[u8]> = std::iter::once(head).chain(tail.chunks(2)).collect();
    assert_eq!(read(policy, &odd), whole, "{input:?} by odd pairs");
    whole
}

fn message(octets: &[u8], left: usize) -> Outcome {
    Outcome::Message(octets.to_vec(), left)
}

#[test]
fn ordinary_messages() {
    for policy in [LoneLf::Reject, LoneLf::Normalise] {
        let cases: &[(&[u8], &[u8], usize)] = &[
            (b"a: b\r\n\r\nc\r\n.\r\n", b"a: b\r\n\r\nc\r\n", 0),
            (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", 6),
            (b"a\r\n..\r\n...b\r\n.c\r\n.\r\n", b"a\r\n.\r\n..b\r\nc\r\n", 0),
            (b"..\r\n.\r\n", b".\r\n", 0),
            (b"a.b\r\nc.\r\n.\r\n", b"a.b\r\nc.\r\n", 0),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n", 0),
            (b"\xe3\x81\x82\r\n.\r\n", b"\xe3\x81\x82\r\n", 0),
        ];
        for (input, want, left) in cases {
            assert_eq!(read_all_ways(policy, input), message(want, *left), "{input:?}");
        }
    }
}

#[test]
fn a_dot_as_the_first_line_is_an_empty_message() {
    assert_eq!(read_all_ways(LoneLf::Reject, b".\r\n"), message(b"", 0));
    assert_eq!(read_all_ways(LoneLf::Normalise, b".\r\nRSET\r\n"), message(b"", 6));
}

/// Every sequence that some mail server has taken, or still takes, for the end of data: none
/// is one. The true end stands behind it, so that a wrong end would leave octets over.
#[test]
fn nothing_but_crlf_dot_crlf_ends_a_message() {
    let sequences: &[(&[u8], Option<DataFault>, &[u8])] = &[
        (b"\n.\n", Some(DataFault::LoneLf), b"a\r\n.\r\nMAIL\r\n"),
        (b"\n.\r\n", Some(DataFault::LoneLf), b"a\r\n.\r\nMAIL\r\n"),
        // This dot begins a line, so it is taken off as RFC 5321 section 4.5.2 says.
        (b"\r\n.\n", Some(DataFault::LoneLf), b"a\r\n\r\nMAIL\r\n"),
        (b"\n..\r\n", Some(DataFault::LoneLf), b"a\r\n..\r\nMAIL\r\n"),
        (b"\n\n.\n\n", Some(DataFault::LoneLf), b"a\r\n\r\n.\r\n\r\nMAIL\r\n"),
        (b"\r\n.\r\r\n", None, b""),
        (b"\r\n.\r", None, b""),
        (b"\r.\r", None, b""),
        (b"\r.\r\n", None, b""),
        (b"\r\r\n.\n", None, b""),
        (b"\r\n\r.\r\n", None, b""),
        (b"\r\n.\r\0\n", None, b""),
    ];
    for (sequence, fault_if_rejected, normalised) in sequences {
        let input = [b"a", *sequence, b"MAIL\r\n.\r\nQUIT\r\n"].concat();
        let reject = fault_if_rejected.unwrap_or(DataFault::LoneCr);
        assert_eq!(
            read_all_ways(LoneLf::Reject, &input),
            Outcome::Fault(reject, 6),
            "{sequence:?} under Reject"
        );
        let want = match fault_if_rejected {
            Some(_) => message(normalised, 6),
            None => Outcome::Fault(DataFault::LoneCr, 6),
        };
        assert_eq!(read_all_ways(LoneLf::Normalise, &input), want, "{sequence:?} normalised");
    }
}

#[test]
fn nul_is_data_and_hides_no_dot() {
    for sequence in [&b"\r\n\0.\r\n"[..], b"\r\n.\0\r\n", b"\0\r\n..\r\n"] {
        let input = [b"a", sequence, b"b\r\n.\r\n"].concat();
        let Outcome::Message(got, 0) = read_all_ways(LoneLf::Reject, &input) else {
            panic!("{sequence:?}")
        };
        assert!(got.contains(&0) && got.ends_with(b"b\r\n"), "{sequence:?}");
    }
}

#[test]
fn an_end_cut_at_every_place_is_found() {
    let input = b"x\r\n.\r\nQUIT";
    for first in 0..input.len() {
        for second in first..input.len() {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(read(LoneLf::Reject, &pieces), message(b"x\r\n", 4), "{first} {second}");
        }
    }
}

#[test]
fn after_a_fault_nothing_is_written_and_the_session_keeps_step() {
    let mut reader = DotReader::new(LoneLf::Reject);
    let mut out = Vec::new();
    assert_eq!(reader.read(b"a\nb", &mut out), DataStep::More);
    out.clear();
    for _ in 0..1000 {
        assert_eq!(reader.read(&[b'x'; 4096], &mut out), DataStep::More);
    }
    assert!(out.is_empty());
    let step = reader.read(b"\r\n.\r\nNOOP\r\n", &mut out);
    assert_eq!(step, DataStep::End { consumed: 5, fault: Some(DataFault::LoneLf) });
    assert!(out.is_empty());
}

#[test]
fn the_first_fault_is_the_one_reported() {
    assert_eq!(
        read_all_ways(LoneLf::Reject, b"a\rb\nc\r\n.\r\n"),
        Outcome::Fault(DataFault::LoneCr, 0)
    );
    assert_eq!(
        read_all_ways(LoneLf::Reject, b"a\nb\rc\r\n.\r\n"),
        Outcome::Fault(DataFault::LoneLf, 0)
    );
}

#[test]
fn nothing_is_read_behind_the_end() {
    let mut reader = DotReader::new(LoneLf::Reject);
    let mut out = Vec::new();
    assert_eq!(reader.read(b".\r\n", &mut out), DataStep::End { consumed: 3, fault: None });
    assert_eq!(reader.read(b"more\r\n", &mut out), DataStep::End { consumed: 0, fault: None });
    assert!(out.is_empty());
}

#[test]
fn a_large_message_is_copied_in_blocks() {
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    let mut wire = line.repeat(10_000);
    let want = wire.clone();
    wire.extend_from_slice(b".\r\n");
    let mut reader = DotReader::new(LoneLf::Reject);
    let mut out = Vec::new();
    let mut end = None;
    for chunk in wire.chunks(65_536) {
        if let DataStep::End { consumed, fault } = reader.read(chunk, &mut out) {
            end = Some((consumed, fault));
        }
    }
    assert_eq!(end, Some((wire.len() % 65_536, None)));
    assert!(out == want);
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"\r\n\r\n..a\0".to_vec()), 0..300)
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

/// The rule with the whole input in hand: find the end first, then look at each octet.
fn model(policy: LoneLf, input: &[u8]) -> Outcome {
    let with_data_line = [b"\r\n", input].concat();
    let Some(end) = with_data_line.windows(5).position(|five| five == b"\r\n.\r\n") else {
        return Outcome::Unfinished;
    };
    // The CRLF before the dot belongs to the message, but that of the DATA line does not.
    let data = &with_data_line[2..(end + 2).max(2)];
    let left = input.len() - (end + 3);
    let mut out: Vec<u8> = Vec::new();
    let mut line_start = true;
    for (at, &octet) in data.iter().enumerate() {
        let next = data.get(at + 1);
        let after_cr = at > 0 && data[at - 1] == b'\r';
        match octet {
            b'\r' if next != Some(&b'\n') => return Outcome::Fault(DataFault::LoneCr, left),
            b'\n' if !after_cr && policy == LoneLf::Reject => {
                return Outcome::Fault(DataFault::LoneLf, left);
            }
            b'\n' if !after_cr => out.extend_from_slice(b"\r\n"),
            b'.' if line_start => {}
            _ => out.push(octet),
        }
        line_start = octet == b'\n' && after_cr;
    }
    Outcome::Message(out, left)
}

proptest! {
    #[test]
    fn any_input_at_any_split_is_read_by_the_rule(input in octets(), sizes in prop::collection::vec(1_usize..12, 1..40), reject: bool) {
        let policy = if reject { LoneLf::Reject } else { LoneLf::Normalise };
        let input = [&input[..], b"\r\n.\r\nQUIT\r\n"].concat();
        prop_assert_eq!(read(policy, &cut(&input, &sizes)), model(policy, &input));
        prop_assert_eq!(read(policy, &[&input]), model(policy, &input));
    }

    #[test]
    fn what_was_stuffed_comes_back(stored in octets(), sizes in prop::collection::vec(1_usize..12, 1..40)) {
        // A CR of its own would be refused, so the message has none.
        let stored: Vec<u8> = stored.into_iter().filter(|&octet| octet != b'\r').collect();
        let mut stuffer = DotStuffer::new();
        let mut wire = Vec::new();
        cut(&stored, &sizes).iter().for_each(|piece| stuffer.stuff(piece, &mut wire));
        stuffer.finish(&mut wire);
        let Outcome::Message(got, 0) = read(LoneLf::Reject, &cut(&wire, &sizes)) else {
            return Err(TestCaseError::fail("no message"));
        };
        prop_assert_eq!(got.len() as u64, stuffer.wire_octets());
        // Stuffing what was read gives the same wire form: it was canonical.
        let mut again = DotStuffer::new();
        let mut second = Vec::new();
        again.stuff(&got, &mut second);
        again.finish(&mut second);
        prop_assert_eq!(second, wire);
    }
}
