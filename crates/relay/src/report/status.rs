//! The part for programs: message/delivery-status (RFC 3464).

use std::fmt::Write as _;

use address::{Host, Mailbox};

use super::{Failure, Original, Place, date, encode};

/// Writes the content of the part: the fields of the message, then those of each recipient.
pub(super) fn write(
    out: &mut String,
    place: &Place<'_>,
    original: &Original<'_>,
    failures: &[Failure<'_>],
) {
    let _ = write!(out, "Reporting-MTA: dns; {}\r\n", mta_name(place.hello));
    let _ = write!(out, "Arrival-Date: {}\r\n", date(original.received_at));
    for failure in failures {
        out.push_str("\r\n");
        let _ = write!(out, "Final-Recipient: {}\r\n", recipient(failure.recipient));
        out.push_str("Action: failed\r\n");
        let _ = write!(out, "Status: {}\r\n", failure.status);
        if let Some(remote) = &failure.verdict.remote {
            let _ = write!(out, "Remote-MTA: dns; {}\r\n", encode::ascii(host_of(remote)));
            let text = encode::ascii(&failure.verdict.text);
            field(out, "Diagnostic-Code: smtp;", &text);
        } else {
            let text = encode::ascii(&failure.verdict.text);
            field(out, "Diagnostic-Code: x-lastpost;", &text);
        }
        let _ = write!(out, "Last-Attempt-Date: {}\r\n", date(place.now));
    }
}

/// The name in `host[address]:port` or `host:port`.
fn host_of(remote: &str) -> &str {
    match remote.split_once('[') {
        Some((host, _)) => host,
        None => remote.rsplit_once(':').map_or(remote, |(host, _)| host),
    }
}

/// A field whose value is folded where it is long.
fn field(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    for line in encode::wrap(value, 500) {
        let _ = write!(out, " {line}\r\n");
    }
}

/// An address literal is no domain, but what else could stand here.
fn mta_name(hello: &Host) -> String {
    encode::ascii(&hello.to_string())
}

/// RFC 6533 section 3: an address that is not ASCII has its own type and a seven-bit form.
fn recipient(mailbox: &Mailbox) -> String {
    if mailbox.is_ascii() {
        format!("rfc822; {mailbox}")
    } else {
        format!("utf-8; {}", encode::ascii(&mailbox.to_string()))
    }
}
