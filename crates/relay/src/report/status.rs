//! The part for programs: message/delivery-status (RFC 3464).

use std::fmt::Write as _;
use std::net::IpAddr;

use address::{Host, Mailbox};
use envelope::OriginalRecipient;

use super::{Action, Entry, Original, Place, date, encode};

/// Writes the content of the part: the fields of the message, then those of each recipient.
pub(super) fn write(
    out: &mut String,
    place: &Place<'_>,
    original: &Original<'_>,
    entries: &[Entry<'_>],
) {
    if let Some(envid) = original.envid {
        let _ = write!(out, "Original-Envelope-Id: {}\r\n", envid.as_str());
    }
    let _ = write!(out, "Reporting-MTA: dns; {}\r\n", mta_name(place.hello));
    let _ = write!(out, "Arrival-Date: {}\r\n", date(original.received_at));
    for entry in entries {
        out.push_str("\r\n");
        write_recipient(out, place, entry);
    }
}

fn write_recipient(out: &mut String, place: &Place<'_>, entry: &Entry<'_>) {
    if let Some(original) = &entry.recipient.original {
        let _ = write!(out, "Original-Recipient: {}\r\n", original_recipient(original));
    }
    let _ = write!(out, "Final-Recipient: {}\r\n", recipient(&entry.recipient.mailbox));
    let action = match entry.action {
        Action::Failed { .. } => "failed",
        Action::Delayed { .. } => "delayed",
        Action::Delivered => "delivered",
        Action::Relayed => "relayed",
    };
    let _ = write!(out, "Action: {action}\r\nStatus: {}\r\n", entry.status);
    let text = encode::ascii(&entry.verdict.text);
    if let Some(name) = entry.verdict.remote.as_deref().and_then(remote_mta) {
        let _ = write!(out, "Remote-MTA: dns; {name}\r\n");
    }
    match (&entry.verdict.remote, entry.action) {
        // RFC 3464 section 2.3.6: smtp is for what the other side said, word for word.
        (Some(_), _) if entry.verdict.is_reply => field(out, "Diagnostic-Code: smtp;", &text),
        // Where it lies is nobody's business.
        (None, Action::Delivered) => {}
        _ => field(out, "Diagnostic-Code: x-lastpost;", &text),
    }
    let _ = write!(out, "Last-Attempt-Date: {}\r\n", date(place.now));
    if let Action::Delayed { until } = entry.action {
        let _ = write!(out, "Will-Retry-Until: {}\r\n", date(until));
    }
}

/// The name in `host[address]:port` or `host:port`; an address as a literal (RFC 3464 section
/// 2.2.2). None for a socket of this host, which has no name in the DNS.
fn remote_mta(remote: &str) -> Option<String> {
    if remote.starts_with("unix:") {
        return None;
    }
    let host = match remote.split_once('[') {
        Some(("", literal)) => literal.split(']').next().unwrap_or_default(),
        Some((host, _)) => host,
        None => remote.rsplit_once(':').map_or(remote, |(host, _)| host),
    };
    Some(match host.parse() {
        Ok(IpAddr::V4(address)) => format!("[{address}]"),
        Ok(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Err(_) => encode::ascii(host),
    })
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

/// As the sender gave it. It was decoded, and may be any printable text by that.
fn original_recipient(original: &OriginalRecipient) -> String {
    let kind = match original.address().is_ascii() {
        true => original.kind(),
        false => "utf-8",
    };
    format!("{kind}; {}", encode::ascii(original.address()))
}
