//! Reply lines: written straight into the output, never longer than 512 octets, never
//! repeating what the client sent (RFC 1939 section 3, RFC 2449 section 4).

use alloc::vec::Vec;

/// Response codes that are really sent (RFC 2449 section 8, RFC 3206).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The maildrop is locked by another session.
    InUse,
    /// Something here is out of order for now; the credentials were not at fault.
    SysTemp,
    /// The credentials were at fault.
    Auth,
    /// The account was here a moment ago.
    LoginDelay,
    /// The message needs UTF-8 mode (RFC 6856 section 5).
    Utf8,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::InUse => "[IN-USE] ",
            Self::SysTemp => "[SYS/TEMP] ",
            Self::Auth => "[AUTH] ",
            Self::LoginDelay => "[LOGIN-DELAY] ",
            Self::Utf8 => "[UTF8] ",
        }
    }
}

/// `+OK text`.
pub(crate) fn ok(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"+OK ");
    line(out, text);
}

/// `-ERR text`.
pub(crate) fn err(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"-ERR ");
    line(out, text);
}

/// `-ERR [CODE] text`.
pub(crate) fn err_code(out: &mut Vec<u8>, code: Code, text: &str) {
    begin_err_code(out, code);
    line(out, text);
}

/// `-ERR [CODE] `, to be continued.
pub(crate) fn begin_err_code(out: &mut Vec<u8>, code: Code) {
    out.extend_from_slice(b"-ERR ");
    out.extend_from_slice(code.text().as_bytes());
}

/// A line of a reply of several, or the rest of one.
pub(crate) fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The end of a reply of several lines.
pub(crate) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b".\r\n");
}

/// A number in decimal digits.
pub(crate) fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0_u8; 20];
    let mut rest = number;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (rest % 10) as u8;
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[digits.len() - used..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn decimal_digits() {
        for number in [0, 7, 10, 99, 100, 4_294_967_297, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
