//! Reports of mail that could not be delivered (RFC 3464 in RFC 6522), as a message.
//!
//! Three parts: a text for people, a part for programs, and the header of the original. All of
//! it is seven-bit text, whatever the original held; only a sender whose address itself is
//! not ASCII makes the header UTF-8.

mod encode;
mod header;
mod status;
mod text;

use std::fmt::Write as _;

use address::{Host, Mailbox};
use jiff::Timestamp;
use smtp_proto::client::EnhancedCode;
use spool::{QueueId, Report};

use crate::config::Language;
use crate::verdict::Verdict;

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
    /// Its first octets; its header or a part of it.
    pub(crate) start: &'a [u8],
}

/// A recipient that is given up.
pub(crate) struct Failure<'a> {
    pub(crate) recipient: &'a Mailbox,
    pub(crate) status: EnhancedCode,
    pub(crate) verdict: &'a Verdict,
    pub(crate) expired: bool,
}

/// Writes the report. `salt` makes its Message-ID and its boundary unlike any other.
pub(crate) fn compose(
    place: &Place<'_>,
    sender: &Mailbox,
    original: &Original<'_>,
    failures: &[Failure<'_>],
    salt: u64,
) -> Report {
    let boundary = format!("={salt:016x}={}", original.id);
    let mut out = String::new();
    write_header(&mut out, place, sender, original, &boundary, salt);
    let part = |out: &mut String| {
        let _ = write!(out, "\r\n--{boundary}\r\n");
    };
    part(&mut out);
    encode::text_part(&mut out, &text::body(place, original, failures));
    part(&mut out);
    out.push_str("Content-Type: message/delivery-status\r\n\r\n");
    status::write(&mut out, place, original, failures);
    part(&mut out);
    header::write_part(&mut out, original.start);
    let _ = write!(out, "\r\n--{boundary}--\r\n");
    Report {
        recipients: vec![sender.clone()],
        smtputf8: !sender.is_ascii(),
        eight_bit: !out.is_ascii(),
        body: out.into(),
        at: place.now,
    }
}

fn write_header(
    out: &mut String,
    place: &Place<'_>,
    sender: &Mailbox,
    original: &Original<'_>,
    boundary: &str,
    salt: u64,
) {
    let Place { hello, language, now } = place;
    let _ = write!(
        out,
        "From: Mail Delivery System <MAILER-DAEMON@{hello}>\r\n\
         To: <{sender}>\r\n\
         Subject: {}\r\n\
         Date: {}\r\n\
         Message-ID: <{}.{salt:016x}@{hello}>\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n \
         boundary=\"{boundary}\"\r\n",
        encode::subject(text::subject(*language)),
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
