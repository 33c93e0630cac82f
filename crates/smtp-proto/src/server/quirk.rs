//! Deviations of real clients that are tolerated, each by name.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use sasl::{Mechanism, Offer};

/// Outlook 365 and others send `MAIL FROM: <a@b.example>` with a space that RFC 5321 section
/// 3.3 forbids. It means nothing, so it is dropped.
pub(crate) fn space_before_path(argument: &str) -> &str {
    argument.trim_start_matches(' ')
}

/// Scanners and scripts send `MAIL FROM:a@b.example` without the brackets. The path then ends
/// at the first space; brackets are put around it, and it is checked like any other.
pub(crate) fn path_without_brackets(argument: &str) -> (Cow<'_, str>, &str) {
    let (path, rest) = match argument.find(' ') {
        Some(space) => argument.split_at(space),
        None => (argument, ""),
    };
    (Cow::Owned(format!("<{path}>")), rest)
}

/// Outlook up to 2003 and Outlook Express up to 6 look for the mechanisms behind `AUTH=`, as an
/// early draft of RFC 2554 had it; other clients do not know the keyword and pass over it. Those
/// that look for it speak PLAIN, LOGIN and CRAM-MD5 at most, so it names no others.
pub(crate) fn auth_equals_line(mechanisms: Offer, output: &mut Vec<u8>) {
    let known = [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5];
    let mut separator = "250-AUTH=";
    for mechanism in known.into_iter().filter(|&known| mechanisms.contains(known)) {
        output.extend_from_slice(separator.as_bytes());
        output.extend_from_slice(mechanism.name().as_bytes());
        separator = " ";
    }
    if separator == " " {
        output.extend_from_slice(b"\r\n");
    }
}

/// iOS Mail, while it sets up an account, tries a TLS handshake on the port for STARTTLS. The
/// first octet of a TLS record of that kind (RFC 8446 section 5.1) begins no command.
pub(crate) fn is_tls_handshake(input: &[u8]) -> bool {
    input.first() == Some(&0x16)
}
