//! What a Maildir file name says: base name, flags, sizes, time of delivery.

/// Sizes beyond this are not believed, so that a sum over a whole maildrop cannot overflow.
pub(crate) const OCTETS_MAX: u64 = 999_999_999_999;

/// The part that stays the same while a message moves about: all before the `:` of the flags.
/// A name that begins with `:` is its own base.
pub(crate) fn base(name: &[u8]) -> &[u8] {
    match memchr::memchr(b':', name) {
        Some(colon) if colon > 0 => name.get(..colon).unwrap_or(name),
        _ => name,
    }
}

/// The flags after `:2,`; empty if there are none.
pub(crate) fn flags(name: &[u8]) -> &[u8] {
    name.get(base(name).len()..).and_then(|info| info.strip_prefix(b":2,")).unwrap_or_default()
}

/// The size in CRLF form that `,W=` claims, when it is one that the message can have: not
/// smaller than `,S=` (the stored size) says, and at most each octet an LF that gains a CR.
pub(crate) fn claimed_octets(name: &[u8]) -> Option<u64> {
    octets_in_base(base(name))
}

/// As [`claimed_octets`], for one who has the base name.
pub(crate) fn octets_in_base(base: &[u8]) -> Option<u64> {
    let fields = fields(base)?;
    let octets = field(fields, b"W=")?;
    match field(fields, b"S=") {
        Some(stored) if octets < stored || octets > 2 * stored + 2 => None,
        _ => Some(octets),
    }
}

/// The size as stored that `,S=` claims.
pub(crate) fn stored_octets(name: &[u8]) -> Option<u64> {
    field(fields(base(name))?, b"S=")
}

/// Seconds since 1970 as the name has them in front of its first dot; the largest number for a
/// name that has none, so that such messages come last.
pub(crate) fn delivered_at(name: &[u8]) -> u64 {
    time(name).map_or(u64::MAX, |(time, _)| time)
}

/// The time of delivery, and what stands behind its dot.
fn time(name: &[u8]) -> Option<(u64, &[u8])> {
    let digits = name.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let tail = name.get(digits..)?.strip_prefix(b".")?;
    Some((number(name.get(..digits)?)?, tail))
}

/// A number that base names are in the order of as far as it goes, by time of delivery and then
/// octet by octet. Where it is equal, that has to be looked at.
pub(crate) fn order(base: &[u8]) -> u64 {
    const LAST: u64 = (u32::MAX as u64) << 32;
    let Some((time, tail)) = time(base).filter(|(time, _)| *time < u64::from(u32::MAX)) else {
        return LAST;
    };
    // Among names of one time those with zeros in front come first.
    let tail = if base.first() == Some(&b'0') { &[] } else { tail };
    let mut octets = [0; 4];
    for (octet, &of_tail) in octets.iter_mut().zip(tail) {
        *octet = of_tail;
    }
    (time << 32) | u64::from(u32::from_be_bytes(octets))
}

/// What stands behind the first comma.
fn fields(base: &[u8]) -> Option<&[u8]> {
    base.get(memchr::memchr(b',', base)? + 1..)
}

fn field(fields: &[u8], key: &[u8]) -> Option<u64> {
    let value = fields.split(|&octet| octet == b',').find_map(|f| f.strip_prefix(key));
    value.and_then(number).filter(|&octets| octets <= OCTETS_MAX)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, &digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_ends_at_the_flags() {
        assert_eq!(base(b"1.a.h,S=3:2,FS"), b"1.a.h,S=3");
        assert_eq!(base(b"1.a.h"), b"1.a.h");
        assert_eq!(base(b":2,S"), b":2,S");
        assert_eq!(flags(b"1.a.h,S=3:2,FS"), b"FS");
        assert_eq!(flags(b"1.a.h"), b"");
        assert_eq!(flags(b"1.a.h:1,x"), b"");
    }

    #[test]
    fn sizes_are_believed_only_when_possible() {
        assert_eq!(claimed_octets(b"1.a.h,S=10,W=12:2,S"), Some(12));
        assert_eq!(claimed_octets(b"1.a.h,W=12,S=10"), Some(12));
        assert_eq!(claimed_octets(b"1.a.h,W=12"), Some(12));
        assert_eq!(claimed_octets(b"1.a.h,S=0,W=0"), Some(0));
        for bad in [
            &b"1.a.h,S=10"[..],
            b"1.a.h,S=10,W=9",
            b"1.a.h,S=10,W=23",
            b"1.a.h,W=",
            b"1.a.h,W=-1",
            b"1.a.h,W=+1",
            b"1.a.h,W=1x",
            b"1.a.h,W=1000000000000",
            b"1.a.h,W=99999999999999999999999",
            b"W=12",
            b"1.a.h:2,W=12",
            b"1.a.h:2,,W=12",
        ] {
            assert_eq!(claimed_octets(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn the_order_by_numbers_is_that_of_the_names() {
        let names: [&[u8]; 17] = [
            b"1.a",
            b"1.",
            b"1.b",
            b"01.a",
            b"001.zz",
            b"2.a",
            b"10.1234",
            b"10.12345",
            b"10.123",
            b"4294967295.a",
            b"4294967296.a",
            b"x",
            b"0.x",
            b"0.y",
            b"00.y",
            b"x.1",
            b"\xff",
        ];
        for a in names {
            for b in names {
                let expected = (delivered_at(a), a).cmp(&(delivered_at(b), b));
                let found = order(a).cmp(&order(b));
                assert!(found == expected || found.is_eq(), "{a:?} {b:?}");
            }
        }
        assert!(order(b"10.M1P2") < order(b"10.M1P3"));
    }

    #[test]
    fn time_is_the_number_before_the_first_dot() {
        assert_eq!(delivered_at(b"1732456789.M1P2.h"), 1_732_456_789);
        assert_eq!(delivered_at(b"0.x"), 0);
        for none in [&b""[..], b".x", b"x.1", b"12", b"12:2,S", b"9999999999999999999.x"] {
            assert_eq!(delivered_at(none), u64::MAX, "{}", String::from_utf8_lossy(none));
        }
    }
}
