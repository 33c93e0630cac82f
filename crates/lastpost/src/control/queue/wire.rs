//! What the control side and the command line tell each other about the queue.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use spool::{Filter, QueueEntry, QueueId, RecipientState, Shape, ShapeBy, ShapeQuery, States};

/// Recipients of a message that are shown in a list.
const RECIPIENTS_LISTED: usize = 100;

/// Messages in one answer, at most; the next ones are asked for by `after`.
pub const LISTED_MAX: usize = 1000;

/// Domains in a shape, at most.
const DOMAINS_MAX: usize = 10_000;

/// A queued message, for people and programs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its ID.
    pub id: String,
    /// When it came.
    pub received_at: jiff::Timestamp,
    /// Envelope sender.
    pub sender: String,
    /// Octets.
    pub octets: u64,
    /// `queued`, `held`, `in-delivery` or `damaged`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next.
    pub next_attempt: Option<jiff::Timestamp>,
    /// How it came: `submitted`, `inbound` or `report`.
    pub origin: String,
    /// The account in whose name it was submitted, and by which authority.
    pub account: Option<String>,
    /// The authority.
    pub authority: Option<String>,
    /// Why it was held for review when it came.
    #[serde(default)]
    pub review: Option<String>,
    /// How many recipients it has.
    #[serde(default)]
    pub recipients_total: usize,
    /// Its recipients; in a list the first hundred, pending ones before the others.
    pub recipients: Vec<QueuedRecipient>,
}

/// A recipient of a queued message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// The address.
    pub address: String,
    /// `pending`, `done` or `failed`.
    pub state: String,
    /// What the last attempt ended with.
    pub last_reply: Option<String>,
}

impl QueuedMessage {
    /// As a row of a list: with a bounded number of recipients.
    #[must_use]
    pub fn in_list(mut entry: QueueEntry) -> Self {
        let total = entry.recipients.len();
        entry.recipients.sort_by_key(|recipient| recipient.state != RecipientState::Pending);
        entry.recipients.truncate(RECIPIENTS_LISTED);
        Self { recipients_total: total, ..Self::from(entry) }
    }
}

impl From<QueueEntry> for QueuedMessage {
    fn from(entry: QueueEntry) -> Self {
        let state = match (entry.damaged, entry.held, entry.in_delivery) {
            (true, ..) => "damaged",
            (_, true, _) => "held",
            (_, _, true) => "in-delivery",
            _ => "queued",
        };
        let (origin, account, authority) = match entry.origin {
            spool::Origin::Submitted { account, authority, .. } => {
                ("submitted", Some(account.to_string()), Some(authority.into_string()))
            }
            spool::Origin::Inbound { .. } => ("inbound", None, None),
            spool::Origin::Report => ("report", None, None),
        };
        Self {
            id: entry.id.to_string(),
            received_at: entry.received_at,
            sender: entry.sender.to_string(),
            octets: entry.octets,
            state: state.to_owned(),
            attempts: entry.attempts,
            next_attempt: entry.next_attempt,
            origin: origin.to_owned(),
            account,
            authority,
            review: entry.review.map(Into::into),
            recipients_total: entry.recipients.len(),
            recipients: entry.recipients.into_iter().map(QueuedRecipient::from).collect(),
        }
    }
}

impl From<spool::QueueRecipient> for QueuedRecipient {
    fn from(recipient: spool::QueueRecipient) -> Self {
        let state = match recipient.state {
            RecipientState::Pending => "pending",
            RecipientState::Done => "done",
            RecipientState::Failed => "failed",
        };
        Self {
            address: recipient.mailbox.to_string(),
            state: state.to_owned(),
            last_reply: recipient.last_reply.map(Into::into),
        }
    }
}

/// Which messages are meant: everything that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueQuery {
    /// Only messages behind this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only messages with a recipient at this domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Only messages from this envelope sender; `<>` is the null sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Only messages from senders at this domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_domain: Option<String>,
    /// Only messages that this account submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only messages that are (not) held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    /// Only messages held for review for a reason that contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only messages that came so many seconds ago or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl QueueQuery {
    /// As the spool understands it. `now`: the wall clock.
    ///
    /// # Errors
    /// What is malformed, in words.
    pub fn filter(&self, now: Timestamp) -> Result<Filter, String> {
        let after = match &self.after {
            Some(text) => Some(text.parse::<QueueId>().map_err(|e| format!("after: {e}"))?),
            None => None,
        };
        let domain = |key: &str, text: &Option<String>| match text {
            Some(text) => match address::Domain::parse(text) {
                Ok(domain) => Ok(Some(domain.as_str().to_owned())),
                Err(error) => Err(format!("{key} {text:?}: {error}")),
            },
            None => Ok(None),
        };
        let sender = match &self.sender {
            Some(text) => Some(sender(text)?),
            None => None,
        };
        let received_before = self.older_than.map(|seconds| {
            let age = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            now.checked_sub(age).unwrap_or(Timestamp::MIN)
        });
        Ok(Filter {
            after,
            sender,
            sender_domain: domain("sender-domain", &self.sender_domain)?,
            domain: domain("domain", &self.domain)?,
            account: self.account.as_ref().map(|account| account.to_lowercase()),
            held: self.held,
            reason: self.reason.clone(),
            received_before,
            limit: self.limit.unwrap_or(LISTED_MAX),
            id: None,
        })
    }

    /// Whether it says nothing but how many, and from where on.
    #[must_use]
    pub fn means_all(&self) -> bool {
        let Self { after, limit, .. } = self.clone();
        *self == Self { after, limit, ..Self::default() }
    }

    /// As the query of a URL.
    #[must_use]
    pub fn to_url(&self) -> String {
        let mut url = String::new();
        let fields = serde_json::to_value(self).unwrap_or_default();
        for (key, value) in fields.as_object().into_iter().flatten() {
            let value = match value {
                serde_json::Value::String(text) => escape(text),
                other => other.to_string(),
            };
            let sign = if url.is_empty() { '?' } else { '&' };
            // Writing to a String cannot fail.
            let _ = write!(url, "{sign}{key}={value}");
        }
        url
    }
}

fn sender(text: &str) -> Result<address::ReversePath, String> {
    let text = text.trim();
    if text == "<>" || text.is_empty() {
        return Ok(address::ReversePath::Null);
    }
    let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text);
    let mailbox = address::Mailbox::parse(bare).map_err(|error| format!("sender: {error}"))?;
    Ok(address::ReversePath::Mailbox(mailbox))
}

/// Percent-encoding (RFC 3986 section 2.1).
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

/// What is to be done to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueAction {
    /// Not to be tried until released.
    Hold,
    /// To be tried again.
    Release,
    /// To be tried now.
    Retry,
    /// To be thrown away.
    Delete,
}

impl QueueAction {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Retry => "retry",
            Self::Delete => "delete",
        }
    }
}

/// An order about messages: those named, or those that `query` means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueOrder {
    /// What is to be done.
    pub action: QueueAction,
    /// To these; if there are any, `query` has no part in it.
    #[serde(default)]
    pub ids: Vec<String>,
    /// To these, a page of them.
    #[serde(default)]
    pub query: QueueQuery,
    /// Only to say to which.
    #[serde(default)]
    pub dry_run: bool,
    /// Who says so, for the log.
    #[serde(default)]
    pub by: String,
}

/// What became of an order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct QueueDone {
    /// The messages it was carried out on (or would be).
    pub done: Vec<QueuedMessage>,
    /// Those it was not, with the reason.
    pub failed: Vec<QueueFailure>,
    /// There may be more: the order is to be given again with this as `query.after`.
    pub next: Option<String>,
}

/// A message to which nothing was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueFailure {
    /// Its ID.
    pub id: String,
    /// Why.
    pub error: String,
}

/// What to count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShapeOrder {
    /// By sender domains in place of recipient domains.
    pub sender: bool,
    /// Names of states, with commas between them; all if empty.
    pub states: String,
    /// So many domains; 0: 20.
    pub top: usize,
}

impl ShapeOrder {
    /// As the spool understands it.
    ///
    /// # Errors
    /// If there is no such state.
    pub fn query(&self) -> Result<ShapeQuery, String> {
        let mut states = if self.states.is_empty() { States::ALL } else { States::NONE };
        for name in self.states.split(',').filter(|name| !name.is_empty()) {
            match name.trim() {
                "incoming" => states.incoming = true,
                "active" => states.active = true,
                "deferred" => states.deferred = true,
                "held" => states.held = true,
                "scheduled" => states.scheduled = true,
                other => {
                    return Err(format!(
                        "state {other:?}: expected incoming, active, deferred, held or scheduled"
                    ));
                }
            }
        }
        let by = if self.sender { ShapeBy::Senders } else { ShapeBy::Recipients };
        let top = if self.top == 0 { 20 } else { self.top.min(DOMAINS_MAX) };
        Ok(ShapeQuery { by, states, domains_max: top })
    }
}

/// A row of a shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShapeLine {
    /// The domain; empty for the null sender.
    pub domain: String,
    /// All ages.
    pub total: u64,
    /// By age.
    pub by_age: Vec<u64>,
}

/// The shape of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueShape {
    /// Upper ends of the age columns, in minutes; the last column is for what is older.
    pub ages_minutes: Vec<u64>,
    /// Everything.
    pub total: ShapeLine,
    /// The domains with the most.
    pub domains: Vec<ShapeLine>,
    /// All others together.
    pub rest: ShapeLine,
    /// How many others.
    pub rest_domains: usize,
    /// Messages counted.
    pub messages: u64,
    /// Messages that do not read.
    pub unreadable: u64,
}

impl From<spool::ShapeRow> for ShapeLine {
    fn from(row: spool::ShapeRow) -> Self {
        Self { domain: row.domain, total: row.total, by_age: row.by_age.to_vec() }
    }
}

impl From<Shape> for QueueShape {
    fn from(shape: Shape) -> Self {
        Self {
            ages_minutes: spool::AGES_MINUTES.to_vec(),
            total: shape.total.into(),
            domains: shape.rows.into_iter().map(ShapeLine::from).collect(),
            rest: shape.rest.into(),
            rest_domains: shape.rest_domains,
            messages: shape.messages,
            unreadable: shape.unreadable,
        }
    }
}
