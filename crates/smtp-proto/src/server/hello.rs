//! Greeting, `HELO` and `EHLO`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::parameters::Parameters;
use super::reply::Reply;
use super::{datetime, quirk, xclient};
use sasl::Offer;

/// Characters of a client's name that are kept.
const NAME_MAX: usize = 255;

pub(crate) const NAME_MISSING: Reply =
    Reply::fixed(501, "5.5.4", "Say your name: a domain or an address in brackets");

/// The client's name as it will be shown. Any name is taken: real ones are host names without
/// domain, literals without `IPv6:`, or worse, and policing them stops no spam after AUTH.
pub(crate) fn name(argument: &[u8]) -> Option<Box<str>> {
    if argument.is_empty() {
        return None;
    }
    let plain =
        argument.len() <= NAME_MAX && argument.iter().all(|octet| (b' '..=b'~').contains(octet));
    let text = String::from_utf8_lossy(argument);
    if plain {
        return Some(text.into());
    }
    let shown: String =
        text.chars().take(NAME_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
    Some(shown.into())
}

/// Lets text be formatted into the output.
struct Lines<'a>(&'a mut Vec<u8>);

impl fmt::Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The greeting. What the client sent is not repeated, here or in the reply to EHLO: a reply
/// that echoes is a tool for cross-protocol attacks.
pub(crate) fn write_greeting(parameters: &Parameters, output: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(Lines(output), "220 {} ESMTP Lastpost ready\r\n", parameters.host);
}

pub(crate) fn write_helo(parameters: &Parameters, output: &mut Vec<u8>) {
    let _ = write!(Lines(output), "250 {}\r\n", parameters.host);
}

/// The reply to EHLO: our name and the extensions that hold in the session's present state.
/// `mechanisms`: those that may be used in it; `at`: when the session began, in Unix seconds.
pub(crate) fn write_ehlo(
    parameters: &Parameters,
    mechanisms: Offer,
    tls: bool,
    at: i64,
    output: &mut Vec<u8>,
) {
    let _ = write!(
        Lines(output),
        "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n",
        parameters.host,
        parameters.message_octets_max
    );
    if parameters.starttls && !tls {
        output.extend_from_slice(b"250-STARTTLS\r\n");
    }
    if !mechanisms.is_empty() {
        output.extend_from_slice(b"250-AUTH");
        for mechanism in mechanisms.iter() {
            output.push(b' ');
            output.extend_from_slice(mechanism.name().as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        quirk::auth_equals_line(mechanisms, output);
    }
    let _ = write_extensions(parameters, tls, at, output);
    output.extend_from_slice(b"250 ENHANCEDSTATUSCODES\r\n");
}

fn write_extensions(
    parameters: &Parameters,
    tls: bool,
    at: i64,
    output: &mut Vec<u8>,
) -> fmt::Result {
    let extensions = &parameters.extensions;
    for (offered, lines) in [
        (extensions.smtputf8, "250-SMTPUTF8\r\n"),
        (extensions.chunking, "250-CHUNKING\r\n250-BINARYMIME\r\n"),
        (extensions.dsn, "250-DSN\r\n"),
        (extensions.require_tls && tls, "250-REQUIRETLS\r\n"),
    ] {
        if offered {
            output.extend_from_slice(lines.as_bytes());
        }
    }
    let mut lines = Lines(output);
    match extensions.deliver_by {
        None => {}
        Some(0) => lines.write_str("250-DELIVERBY\r\n")?,
        Some(least) => write!(lines, "250-DELIVERBY {least}\r\n")?,
    }
    if let Some(max) = extensions.future_release {
        write!(lines, "250-FUTURERELEASE {max} ")?;
        datetime::write(at.saturating_add(max.into()), &mut lines)?;
        lines.write_str("\r\n")?;
    }
    if extensions.limits {
        lines.write_str("250-LIMITS")?;
        if parameters.mails_max > 0 {
            write!(lines, " MAILMAX={}", parameters.mails_max)?;
        }
        write!(lines, " RCPTMAX={}\r\n", parameters.recipients_max)?;
    }
    if parameters.xclient {
        write!(lines, "250-XCLIENT {}\r\n", xclient::KEYWORDS)?;
    }
    Ok(())
}
