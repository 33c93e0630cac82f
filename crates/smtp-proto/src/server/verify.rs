//! `VRFY` (RFC 5321 section 3.5.3): never answered with what is there, for whoever asks wants a
//! list of names.

use super::reply::Reply;

const CANNOT_VERIFY: Reply =
    Reply::fixed(252, "2.5.2", "Addresses are not verified here: send, and you will be told");
const NEEDS_ARGUMENT: Reply = Reply::fixed(501, "5.5.4", "This command needs an argument");
const MALFORMED: Reply = Reply::fixed(501, "5.5.4", "The name is not UTF-8");
const NEEDS_SMTPUTF8: Reply =
    Reply::fixed(553, "5.6.7", "A name outside ASCII needs the parameter SMTPUTF8");
const NO_SMTPUTF8: Reply =
    Reply::fixed(553, "5.6.7", "Names outside ASCII are not taken: SMTPUTF8 is not offered");

/// The answer to a name, behind which `SMTPUTF8` may stand (RFC 6531 section 3.7.4.2) where it is
/// `offered`.
pub(crate) fn reply(argument: &[u8], offered: bool) -> Reply {
    let Ok(text) = core::str::from_utf8(argument) else {
        return MALFORMED;
    };
    let (name, parameter) = match text.rsplit_once(' ') {
        Some((name, word)) if word.eq_ignore_ascii_case("SMTPUTF8") => (name.trim_end(), true),
        _ => (text, false),
    };
    match (name.is_ascii(), offered) {
        _ if name.is_empty() => NEEDS_ARGUMENT,
        (false, false) => NO_SMTPUTF8,
        (false, true) if !parameter => NEEDS_SMTPUTF8,
        _ => CANNOT_VERIFY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_who_is_there() {
        let code = |argument: &str, offered| reply(argument.as_bytes(), offered).code();
        assert_eq!(code("anna", false), 252);
        assert_eq!(code("anna SMTPUTF8", false), 252);
        assert_eq!(code("änna smtputf8", true), 252);
        assert_eq!(code("änna", true), 553);
        assert_eq!(code("änna SMTPUTF8", false), 553);
        assert_eq!(code("", true), 501);
        assert_eq!(reply(b"\xff", true).code(), 501);
    }
}
