//! Greeting, `HELO` and `EHLO`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::parameters::Parameters;
use super::quirk;
use super::reply::Reply;

/// Characters of a client's name that are kept.
const NAME_MAX: usize = 255;

const MECHANISMS: &str = "PLAIN LOGIN";

pub(crate) const NAME_MISSING: Reply =
    Reply::fixed(501, "5.5.4", "Say your name: a domain or an address in brackets");

/// The client's name as it will be shown. Any name is taken: real ones are host names without
/// domain, literals without `IPv6:`, or worse, and policing them stops no spam after AUTH.
pub(crate) fn name(argument: &[u8]) -> Option<String> {
    if argument.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(argument);
    Some(text.chars().take(NAME_MAX).map(|c| if c.is_control() { '?' } else { c }).collect())
}

/// The greeting. What the client sent is not repeated, here or in the reply to EHLO: a reply
/// that echoes is a tool for cross-protocol attacks.
pub(crate) fn write_greeting(parameters: &Parameters, output: &mut Vec<u8>) {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(text, "220 {} ESMTP Lastpost ready\r\n", parameters.host);
    output.extend_from_slice(text.as_bytes());
}

pub(crate) fn write_helo(parameters: &Parameters, output: &mut Vec<u8>) {
    let mut text = String::new();
    let _ = write!(text, "250 {}\r\n", parameters.host);
    output.extend_from_slice(text.as_bytes());
}

/// The reply to EHLO: our name and the extensions that hold in the session's present state.
pub(crate) fn write_ehlo(parameters: &Parameters, tls: bool, output: &mut Vec<u8>) {
    let mut text = String::new();
    let _ = write!(
        text,
        "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n",
        parameters.host, parameters.message_octets_max
    );
    if parameters.starttls && !tls {
        text.push_str("250-STARTTLS\r\n");
    }
    output.extend_from_slice(text.as_bytes());
    if parameters.auth_allowed(tls) {
        output.extend_from_slice(b"250-AUTH ");
        output.extend_from_slice(MECHANISMS.as_bytes());
        output.extend_from_slice(b"\r\n");
        quirk::auth_equals_line(MECHANISMS, output);
    }
    output.extend_from_slice(b"250 ENHANCEDSTATUSCODES\r\n");
}
