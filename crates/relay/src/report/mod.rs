//! Reports to senders (RFC 3464 in RFC 6522), as a message: of failures, of delays, of success.
//!
//! Three parts: a text for people, a part for programs, and the original or its header. All of
//! it is seven-bit text, whatever the original held, but for a message that is returned whole
//! and was eight-bit itself; only a sender whose address itself is not ASCII makes the header
//! UTF-8.

mod config;
mod encode;
mod original;
mod status;
mod text;

use std::fmt::Write as _;

use address::{Host, Mailbox};
use envelope::EnvelopeId;
use jiff::Timestamp;
use smtp_proto::client::EnhancedCode;
use spool::{QueueId, Recipient, Report};

use crate::config::Language;
use crate::verdict::Verdict;

pub use config::{Reports, ReportsConfig};
pub(crate) use original::Returned;

/// Who reports.
pub(crate) struct Place<'a> {
    pub(crate) hello: &'a Host,
    pub(crate) language: Language,
    pub(crate) now: Timestamp,
}

/// The message that the report is about.
pub(crate) struct Original<'a> {
    pub(crate) id: QueueId,
    pub(crate) received_at: Timestamp,
    /// The sender's own name for it.
    pub(crate) envid: Option<&'a EnvelopeId>,
    pub(crate) returned: Returned<'a>,
    /// It must not leave TLS, and neither must what is said about it (RFC 8689).
    pub(crate) require_tls: bool,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Failure,
    Delay,
    Success,
}

impl Subject {
    /// For the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Delay => "delay",
            Self::Success => "success",
        }
    }
}

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Given up; `expired`: after too long a time, and not because of what was said.
    Failed { expired: bool },
    /// Still tried, until this.
    Delayed { until: Timestamp },
    /// In the mailbox.
    Delivered,
    /// Handed to a host that will not report any further.
    Relayed,
}

/// What is said of one recipient.
pub(crate) struct Entry<'a> {
    pub(crate) recipient: &'a Recipient,
    pub(crate) action: Action,
    pub(crate) status: EnhancedCode,
    pub(crate) verdict: &'a Verdict,
}

/// Writes the report to `to`. `salt` makes its Message-ID and its boundary unlike any other.
pub(crate) fn compose(
    place: &Place<'_>,
    to: &Mailbox,
    subject: Subject,
    original: &Original<'_>,
    entries: &[Entry<'_>],
    salt: u64,
) -> Report {
    let boundary = format!("={salt:016x}={}", original.id);
    let mut out = String::new();
    write_header(&mut out, place, to, subject, original, &boundary, salt);
    let part = |out: &mut String| {
        let _ = write!(out, "\r\n--{boundary}\r\n");
    };
    part(&mut out);
    encode::text_part(&mut out, &text::body(place, subject, original, entries));
    part(&mut out);
    out.push_str("Content-Type: message/delivery-status\r\n\r\n");
    status::write(&mut out, place, original, entries);
    part(&mut out);
    let is_ascii = out.is_ascii();
    let mut octets = out.into_bytes();
    let seven_bit = original.returned.write_part(&mut octets);
    octets.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Report {
        recipients: vec![to.clone()],
        smtputf8: !to.is_ascii(),
        eight_bit: !(is_ascii && seven_bit),
        require_tls: original.require_tls,
        body: octets.into(),
        at: place.now,
    }
}

fn write_header(
    out: &mut String,
    place: &Place<'_>,
    to: &Mailbox,
    subject: Subject,
    original: &Original<'_>,
    boundary: &str,
    salt: u64,
) {
    let Place { hello, language, now } = place;
    let _ = write!(
        out,
        "From: Mail Delivery System <MAILER-DAEMON@{hello}>\r\n\
         To: <{to}>\r\n\
         Subject: {}\r\n\
         Date: {}\r\n\
         Message-ID: <{}.{salt:016x}@{hello}>\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n \
         boundary=\"{boundary}\"\r\n",
        encode::subject(text::subject(*language, subject)),
        date(*now),
        original.id,
    );
}

/// RFC 5322 section 3.3, in UTC.
fn date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests;
