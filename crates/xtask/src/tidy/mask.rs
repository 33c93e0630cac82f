//! Rust source with comments and literals blanked out, so that what is left can be searched for
//! keywords and braces. Lines and columns stay as they are.

/// Blanks the insides of comments, strings and characters with spaces.
pub(super) fn mask(source: &str) -> String {
    let octets = source.as_bytes();
    let mut out = octets.to_vec();
    let mut at = 0;
    while at < octets.len() {
        let end = match (octets[at], octets.get(at + 1).copied()) {
            (b'/', Some(b'/')) => line_comment(octets, at),
            (b'/', Some(b'*')) => block_comment(octets, at),
            (b'"', _) => string(octets, at),
            (b'r', Some(b'"' | b'#')) if !is_word(octets, at) => {
                raw_string(octets, at).unwrap_or(at + 1)
            }
            (b'\'', Some(next)) => character(octets, at, next).unwrap_or(at + 1),
            _ => at + 1,
        };
        if end > at + 1 {
            for octet in &mut out[at..end] {
                if *octet != b'\n' {
                    *octet = b' ';
                }
            }
        }
        at = end;
    }
    // Only whole literals and comments were blanked, so no character was cut.
    String::from_utf8_lossy(&out).into_owned()
}

fn line_comment(octets: &[u8], start: usize) -> usize {
    let rest = octets[start..].iter().position(|&octet| octet == b'\n');
    rest.map_or(octets.len(), |length| start + length)
}

fn block_comment(octets: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < octets.len() {
        if octets[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if octets[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    octets.len()
}

fn string(octets: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < octets.len() {
        match octets[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    octets.len()
}

/// `r"…"`, `r#"…"#` and so on; `None` for a raw identifier.
fn raw_string(octets: &[u8], start: usize) -> Option<usize> {
    let hashes = octets[start + 1..].iter().take_while(|&&octet| octet == b'#').count();
    let open = start + 1 + hashes;
    if octets.get(open) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = &octets[open + 1..];
    let length = body.windows(close.len()).position(|window| window == close);
    Some(length.map_or(octets.len(), |length| open + 1 + length + close.len()))
}

/// A character literal; `None` for a lifetime or a label.
fn character(octets: &[u8], start: usize, next: u8) -> Option<usize> {
    if next == b'\\' {
        // `'\''` and `'\\'`: the octet after the backslash never ends the literal.
        let close = octets.get(start + 3..)?.iter().position(|&octet| octet == b'\'')?;
        return Some(start + 3 + close + 1);
    }
    let width = match next {
        0..=0x7F => 1,
        0x80..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    (octets.get(start + 1 + width) == Some(&b'\'')).then_some(start + 2 + width)
}

/// Whether the octet before `at` belongs to the same word, apart from a literal's `b` or `c`.
fn is_word(octets: &[u8], at: usize) -> bool {
    let word = |at: usize| octets.get(at).is_some_and(|o| o.is_ascii_alphanumeric() || *o == b'_');
    match at.checked_sub(1) {
        Some(before) if matches!(octets[before], b'b' | b'c') => {
            before.checked_sub(1).is_some_and(word)
        }
        Some(before) => word(before),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn code_stays_and_text_goes() {
        for (source, expected) in [
            ("a // fn {\nb", "a b"),
            ("a /* { /* } */ fn */ b", "a b"),
            ("x(\"fn { \\\" }\") y", "x( ) y"),
            ("r#\"fn \" { \"# {", "{"),
            ("br\"{\" c", "b c"),
            ("'{' '\\'' '\\u{7b}' }", "}"),
            ("fn f<'a>(x: &'a str) {", "fn f<'a>(x: &'a str) {"),
            ("'漢' {", "{"),
            ("'outer: loop {", "'outer: loop {"),
            ("r#fn bar\"{\"", "r#fn bar"),
            ("\"open {", ""),
            ("/* open {", ""),
        ] {
            let masked = mask(source);
            assert_eq!(masked.len(), source.len(), "{source}");
            let words: Vec<&str> = masked.split_ascii_whitespace().collect();
            assert_eq!(words.join(" "), expected, "{source}");
        }
    }

    #[test]
    fn lines_are_kept() {
        let source = "\"a\nb\"\n/* c\nd */\n";
        assert_eq!(mask(source).lines().count(), source.lines().count());
    }
}
