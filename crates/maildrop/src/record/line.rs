//! One line of the record, both ways.
//!
//! ```text
//! V 1 <validity> <next> <sum>      the counters; 1 is the version of this form
//! M <id> <base> <sum>              the message with this base name has this id; the order of
//!                                  these lines is the order of the messages
//! L <n> <anchor> <base> <sum>      the message has its default id, and comes as the n-th behind
//!                                  the place that the name <anchor> has by its time
//! ```
//! Octets of a name that are not printable ASCII, and `%`, are written `%XX`. The sum is the
//! CRC-32C of all before it, so each line stands for itself: one that is damaged is left out
//! and tells nothing of the others.

use super::Counters;
use crate::uidl;

/// Longest line: two escaped names, two numbers, a sum.
pub(crate) const LINE_MAX: usize = 2 * 3 * NAME_MAX + 64;

/// Longest file name.
const NAME_MAX: usize = 255;

const VERSION: &str = "1";

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Counters(Counters),
    Id { uidl: Vec<u8>, base: Vec<u8> },
    Late { number: u32, anchor: Vec<u8>, base: Vec<u8> },
}

/// Reads a line without its line end; `None` if it is damaged or of no known form.
pub(crate) fn parse(line: &[u8]) -> Option<Line> {
    let split = line.len().checked_sub(8)?;
    let (covered, sum) = line.split_at_checked(split)?;
    let sum = u32::from_str_radix(lower_hex(sum)?, 16).ok()?;
    if crc32c::crc32c(covered) != sum {
        return None;
    }
    let mut fields = covered.strip_suffix(b" ")?.split(|&octet| octet == b' ');
    let kind = fields.next()?;
    let parsed = match kind {
        b"V" => {
            if fields.next()? != VERSION.as_bytes() {
                return None;
            }
            let (validity, next) = (number(fields.next()?)?, number(fields.next()?)?);
            let valid = validity > 0 && next > 0;
            valid.then_some(Line::Counters(Counters { validity, next }))?
        }
        b"M" => {
            let id = fields.next().filter(|id| uidl::is_valid(id))?.to_vec();
            Line::Id { uidl: id, base: name(fields.next()?)? }
        }
        b"L" => {
            let number = number(fields.next()?)?;
            Line::Late { number, anchor: name(fields.next()?)?, base: name(fields.next()?)? }
        }
        _ => return None,
    };
    fields.next().is_none().then_some(parsed)
}

fn lower_hex(text: &[u8]) -> Option<&str> {
    let hex = text.iter().all(|o| matches!(o, b'0'..=b'9' | b'a'..=b'f'));
    std::str::from_utf8(text).ok().filter(|_| hex)
}

fn number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// A base name as it can be in a directory.
fn name(text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&octet) = rest.next() {
        let octet = if octet == b'%' {
            let (high, low) = (hex_digit(*rest.next()?)?, hex_digit(*rest.next()?)?);
            high * 16 + low
        } else {
            Some(octet).filter(|octet| (0x21..=0x7E).contains(octet))?
        };
        name.push(octet);
    }
    let possible = (1..=NAME_MAX).contains(&name.len())
        && name.first() != Some(&b'.')
        && memchr::memchr2(b'/', 0, &name).is_none();
    possible.then_some(name)
}

fn hex_digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// Appends the line of the counters.
pub(crate) fn put_counters(out: &mut Vec<u8>, counters: Counters) {
    let start = out.len();
    let Counters { validity, next } = counters;
    out.extend_from_slice(format!("V {VERSION} {validity} {next} ").as_bytes());
    finish(out, start);
}

/// Appends the line of a message with an id.
pub(crate) fn put_id(out: &mut Vec<u8>, uidl: &[u8], base: &[u8]) {
    let start = out.len();
    out.extend_from_slice(b"M ");
    out.extend_from_slice(uidl);
    out.push(b' ');
    put_name(out, base);
    finish(out, start);
}

/// Appends the line of a message that came late.
pub(crate) fn put_late(out: &mut Vec<u8>, number: u32, anchor: &[u8], base: &[u8]) {
    let start = out.len();
    out.extend_from_slice(format!("L {number} ").as_bytes());
    put_name(out, anchor);
    out.push(b' ');
    put_name(out, base);
    finish(out, start);
}

fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    for &octet in name {
        if (0x21..=0x7E).contains(&octet) && octet != b'%' {
            out.push(octet);
        } else {
            out.extend_from_slice(format!("%{octet:02X}").as_bytes());
        }
    }
}

fn finish(out: &mut Vec<u8>, start: usize) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
    let sum = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(format!("{sum:08x}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(put: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out);
        assert_eq!(out.pop(), Some(b'\n'));
        assert!(out.len() <= LINE_MAX && !out.contains(&b'\n'));
        out
    }

    fn samples() -> Vec<Vec<u8>> {
        vec![
            one(|out| put_counters(out, Counters { validity: 7, next: u32::MAX })),
            one(|out| put_id(out, b"UID5-7", b"1.a%b c\xff\n,S=3")),
            one(|out| put_late(out, 3, b"300.x", b"\x01")),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let [counters, id, late] = samples().try_into().unwrap();
        assert!(counters.starts_with(b"V 1 7 4294967295 "));
        assert!(id.starts_with(b"M UID5-7 1.a%25b%20c%FF%0A,S=3 "));
        let expected = Counters { validity: 7, next: u32::MAX };
        assert_eq!(parse(&counters), Some(Line::Counters(expected)));
        let base = b"1.a%b c\xff\n,S=3".to_vec();
        assert_eq!(parse(&id), Some(Line::Id { uidl: b"UID5-7".to_vec(), base }));
        let late_read = Line::Late { number: 3, anchor: b"300.x".to_vec(), base: vec![1] };
        assert_eq!(parse(&late), Some(late_read));
        let longest = vec![0xFF; 255];
        let line = one(|out| put_late(out, u32::MAX, &longest, &longest));
        assert!(parse(&line).is_some());
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_noticed() {
        for whole in samples() {
            for bit in 0..whole.len() * 8 {
                let mut line = whole.clone();
                line[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(parse(&line), None, "bit {bit}");
            }
            for len in 0..whole.len() {
                assert_eq!(parse(&whole[..len]), None, "length {len}");
            }
            assert_eq!(parse(&[&whole[..], b"x"].concat()), None);
        }
    }

    #[test]
    fn what_is_signed_must_still_be_possible() {
        let signed = |text: &str| {
            let covered = format!("{text} ");
            let sum = crc32c::crc32c(covered.as_bytes());
            parse(format!("{covered}{sum:08x}").as_bytes())
        };
        assert!(signed("M UID5-7 1.a").is_some() && signed("V 1 7 9").is_some());
        for bad in [
            "",
            "M",
            "M UID5-7",
            "M UID5-7 1.a x",
            "M  1.a",
            "M UID5-7 ",
            "M UID5-7 ../a",
            "M UID5-7 a/b",
            "M UID5-7 %00",
            "M UID5-7 %2Fx",
            "M UID5-7 .a",
            "M UID5-7 %",
            "M UID5-7 %4",
            "M UID5-7 %zz",
            "M UID\x7f 1.a",
            "m UID5-7 1.a",
            "V 2 7 9",
            "V 1 0 9",
            "V 1 7 0",
            "V 1 7 4294967296",
            "V 1 -7 9",
            "V 1 +7 9",
            "V 1 7",
            "V 1 7 9 9",
            "L x 1.a 1.b",
            "L 1 1.a",
            "L 1 .a 1.b",
            "X 1 7 9",
        ] {
            assert_eq!(signed(bad), None, "{bad}");
        }
        assert_eq!(signed(&format!("M {} 1.a", "x".repeat(71))), None);
        assert_eq!(signed(&format!("M x {}", "x".repeat(256))), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
            let sum = crc32c::crc32c(&line);
            let _ = parse(&[&line[..], format!("{sum:08x}").as_bytes()].concat());
        }

        #[test]
        fn any_name_goes_round(base in proptest::collection::vec(any::<u8>(), 1..256)) {
            let line = one(|out| put_id(out, b"x", &base));
            let possible = base[0] != b'.' && !base.contains(&b'/') && !base.contains(&0);
            let expected = possible.then(|| Line::Id { uidl: b"x".to_vec(), base });
            prop_assert_eq!(parse(&line), expected);
        }
    }
}
