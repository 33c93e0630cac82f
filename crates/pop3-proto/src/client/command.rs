//! Command lines.

use alloc::vec::Vec;

/// An argument that would be another command, or cut this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsendable;

impl core::fmt::Display for Unsendable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a line end or NUL cannot be sent in a command")
    }
}

impl core::error::Error for Unsendable {}

/// Appends a command line to `out`; an empty `argument` is none. The argument may be a secret:
/// it is in no error.
///
/// # Errors
/// [`Unsendable`]; nothing was appended then.
pub fn command(keyword: &str, argument: &str, out: &mut Vec<u8>) -> Result<(), Unsendable> {
    if argument.bytes().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
        return Err(Unsendable);
    }
    out.extend_from_slice(keyword.as_bytes());
    if !argument.is_empty() {
        out.push(b' ');
        out.extend_from_slice(argument.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_command() {
        let mut out = Vec::new();
        assert_eq!(command("PASS", "two words ", &mut out), Ok(()));
        assert_eq!(command("QUIT", "", &mut out), Ok(()));
        for bad in ["a\r\nDELE 1", "a\n", "\0"] {
            assert_eq!(command("PASS", bad, &mut out), Err(Unsendable));
        }
        assert_eq!(out, b"PASS two words \r\nQUIT\r\n");
    }
}
