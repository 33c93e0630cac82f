//! What a message's header section must be, and what is made of it (RFC 6409 section 8).

mod authors;
mod results;

use address::Domain;
use smtp_proto::server::Reply;

use crate::header::{Field, NotAField, fields};
use crate::header_options::HeaderOptions;
use crate::rights::Rights;
use crate::trace::{Origin, Trace};
use authors::Authors;

const MALFORMED: Reply = Reply::fixed(
    554,
    "5.6.0",
    "The message's header is malformed: a line is no field, or holds a NUL or a lone CR or LF",
);
const LOOP: Reply = Reply::fixed(554, "5.4.6", "Too many hops: the message runs in circles");
const TOO_MANY_FIELDS: Reply =
    Reply::fixed(554, "5.6.0", "The message's header has more fields than this server takes");

/// Octets that are added to a header at most, but for its own `Sender`.
const ADDED_OCTETS: usize = 1024;

/// A message's header section, made ready for the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The whole section, each field with its line end, without the blank line behind it.
    pub(crate) octets: Vec<u8>,
    /// The first so many octets are our `Received`; the message as its author sent it, and as
    /// filters see it, begins behind them.
    pub(crate) received: usize,
    /// The domain of the first author in `From`: whose DKIM key signs.
    pub(crate) from_domain: Option<Domain>,
    /// Whether the author asks for delivery even where TLS policy says no (`TLS-Required: No`,
    /// RFC 8689 section 5).
    pub(crate) tls_optional: bool,
    /// `Received` fields that it came with.
    pub(crate) hops: usize,
    /// Whether it holds octets above 127: such a header needs SMTPUTF8 or 8BITMIME.
    pub(crate) is_ascii: bool,
}

/// A submitted message's header section, made ready for the world: `Received` in front; `Date`,
/// `Message-ID` and `Sender` added where they are missing; `Bcc` and `Return-Path` taken out,
/// and `Authentication-Results` that claim to be ours. Every other field stays to the octet.
///
/// # Errors
/// The refusal, if a field of originators names an address that the account has no right to,
/// or the section is not what it must be.
pub(crate) fn submitted(
    section: &[u8],
    trace: &Trace<'_>,
    rights: &Rights<'_>,
    options: &HeaderOptions,
) -> Result<Header, Reply> {
    let mut header = Header::begin(section, trace, &options.origin(trace, Some(rights)));
    if options.authentication_results && trace.carriage.authenticated {
        header.octets.extend_from_slice(results::pass(trace, rights.login()).as_bytes());
    }
    let mut found = Found::default();
    let mut sender = None;
    for (count, field) in fields(section).enumerate() {
        let field = field.map_err(|NotAField| MALFORMED)?;
        if count >= options.fields_max {
            return Err(TOO_MANY_FIELDS);
        }
        header.note(&field);
        if !found.keeps(&field, trace.host)? {
            continue;
        }
        let begin = header.octets.len();
        header.octets.extend_from_slice(section.get(field.range.clone()).unwrap_or_default());
        // The last line of a section that has no body may lack its end.
        header.end_line();
        if field.is("Sender") {
            sender = Some(begin..header.octets.len());
        }
    }
    if header.hops > options.hops_max {
        return Err(LOOP);
    }
    found.authors.judge(rights, trace.carriage.smtputf8, options.addresses_in_names)?;
    if !found.date {
        header.add("Date", &trace.date());
    }
    if !found.message_id {
        header.add("Message-ID", &trace.message_id());
    }
    if let Some(mailbox) = found.authors.sender_to_add(rights, options.sender) {
        if let Some(range) = sender {
            header.octets.drain(range);
        }
        header.add("Sender", &mailbox.to_string());
    }
    header.from_domain = found.authors.domain();
    header.is_ascii = header.octets.is_ascii();
    Ok(header)
}

/// A header section of mail from elsewhere: `Received` in front, no word of ours that is not ours
/// (RFC 8601 section 5), and no `Return-Path`, which the last host writes (RFC 5321 section 4.4);
/// the rest as it came.
///
/// # Errors
/// The refusal, if it has been through too many hands.
pub(crate) fn received(
    section: &[u8],
    trace: &Trace<'_>,
    options: &HeaderOptions,
) -> Result<Header, Reply> {
    let mut header = Header::begin(section, trace, &Origin::Shown);
    let mut copied = 0;
    for field in fields(section).flatten() {
        header.note(&field);
        if field.is("Return-Path") || results::is_forged(&field, trace.host) {
            let before = section.get(copied..field.range.start).unwrap_or_default();
            header.octets.extend_from_slice(before);
            copied = field.range.end;
        }
    }
    if header.hops > options.hops_max {
        return Err(LOOP);
    }
    header.octets.extend_from_slice(section.get(copied..).unwrap_or_default());
    header.end_line();
    header.is_ascii = header.octets.is_ascii();
    Ok(header)
}

impl Header {
    /// Puts what filters made of the section in its place. They may write what they want; but
    /// the message is signed for the authors whom it names then, and only if the account may
    /// name them. `rights`: those of the account; `None`: the message comes from elsewhere.
    pub(crate) fn replace(
        &mut self,
        section: &[u8],
        rights: Option<&Rights<'_>>,
        smtputf8: bool,
        options: &HeaderOptions,
    ) {
        self.octets.truncate(self.received);
        self.octets.extend_from_slice(section);
        self.end_line();
        self.is_ascii = self.octets.is_ascii();
        (self.hops, self.tls_optional, self.from_domain) = (0, false, None);
        let mut authors = Authors::default();
        let mut judged = Ok(());
        for field in fields(section).flatten() {
            self.note(&field);
            judged = judged.and_then(|()| authors.take(&field));
        }
        let Some(rights) = rights else { return };
        match judged.and_then(|()| authors.judge(rights, smtputf8, options.addresses_in_names)) {
            Ok(()) => self.from_domain = authors.domain(),
            Err(refusal) => tracing::warn!(
                target: "lastpost::filter", account = rights.login(), reason = refusal.text(),
                "a filter changed the authors: not signed for them"
            ),
        }
    }

    fn begin(section: &[u8], trace: &Trace<'_>, origin: &Origin) -> Self {
        let mut octets = Vec::with_capacity(section.len() + ADDED_OCTETS);
        octets.extend_from_slice(trace.received(origin).as_bytes());
        let received = octets.len();
        Self { octets, received, from_domain: None, tls_optional: false, hops: 0, is_ascii: true }
    }

    /// Takes down what any message's field may tell.
    fn note(&mut self, field: &Field<'_>) {
        if field.is("Received") {
            self.hops = self.hops.saturating_add(1);
        } else if field.is("TLS-Required") {
            self.tls_optional |= field.value.trim_ascii().eq_ignore_ascii_case(b"No");
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        self.octets.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }

    fn end_line(&mut self) {
        if !self.octets.ends_with(b"\r\n") {
            self.octets.extend_from_slice(b"\r\n");
        }
    }
}

#[derive(Default)]
struct Found {
    authors: Authors,
    date: bool,
    message_id: bool,
}

impl Found {
    /// Takes a field down, and says whether it stays.
    fn keeps(&mut self, field: &Field<'_>, host: &str) -> Result<bool, Reply> {
        self.authors.take(field)?;
        if field.is("Date") {
            self.date |= !field.is_blank();
            return Ok(!field.is_blank());
        }
        if field.is("Message-ID") {
            self.message_id |= !field.is_blank();
            return Ok(!field.is_blank());
        }
        // RFC 5321 section 4.4: the last hop alone writes Return-Path.
        let dropped = ["Bcc", "Resent-Bcc", "Return-Path"];
        let is_dropped = dropped.iter().any(|name| field.is(name));
        Ok(!is_dropped && !results::is_forged(field, host))
    }
}

#[cfg(test)]
mod tests;
