//! Names as GS2 writes them: `saslname` (RFC 5801 section 4, RFC 5802 section 5.1).

use alloc::string::String;

/// The authorization identity in the field of a GS2 header that has one: `a=` and a name. An empty
/// field has none; nor has `a=` alone, which some clients send.
///
/// # Errors
/// If it is anything else.
pub(crate) fn authzid(field: &str) -> Result<Option<String>, Unescapable> {
    match field {
        "" | "a=" => Ok(None),
        _ => match field.strip_prefix("a=").and_then(unescape) {
            Some(name) => Ok(Some(name)),
            None => Err(Unescapable),
        },
    }
}

/// It is no name.
pub(crate) struct Unescapable;

/// The name behind the escapes `=2C` for a comma and `=3D` for an equals sign; none if another
/// one is in it, or it is empty or holds NUL or a comma.
pub(crate) fn unescape(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut pieces = escaped.split('=');
    name.push_str(pieces.next()?);
    for piece in pieces {
        match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => {
                name.push(',');
                name.push_str(rest);
            }
            (_, Some(rest)) => {
                name.push('=');
                name.push_str(rest);
            }
            _ => return None,
        }
    }
    let sound = !escaped.is_empty() && !escaped.contains(['\0', ',']);
    sound.then_some(name)
}
