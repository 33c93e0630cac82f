//! Which messages an administrator means.

use address::ReversePath;
use jiff::Timestamp;

use crate::queue::{Marks, Queue, View};
use crate::{Origin, QueueEntry, QueueId};

/// Entries of a listing whose filter names no limit.
const LIMIT: usize = 1000;

/// Recipients in a listing, after which it ends.
const RECIPIENTS_MAX: usize = 100_000;

/// Messages looked at before the queue is asked again.
const PAGE: usize = 256;

/// Which messages to list. Everything that is set must match.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this message.
    pub id: Option<QueueId>,
    /// Only messages with a larger ID: for paging.
    pub after: Option<QueueId>,
    /// Only messages from this envelope sender.
    pub sender: Option<ReversePath>,
    /// Only messages from envelope senders at this domain, lower case.
    pub sender_domain: Option<String>,
    /// Only messages that this account submitted.
    pub account: Option<String>,
    /// Only messages with a recipient (done or not) at this domain, lower case.
    pub domain: Option<String>,
    /// Only messages that are (not) held.
    pub held: Option<bool>,
    /// Only messages held for review for a reason that contains this, in whatever case.
    pub reason: Option<String>,
    /// Only messages received before.
    pub received_before: Option<Timestamp>,
    /// At most so many entries; 0: 1000.
    pub limit: usize,
}

impl Filter {
    /// The next messages to look at.
    pub(crate) fn page(&self, queue: &Queue, after: Option<QueueId>) -> Vec<View> {
        match self.id {
            None => queue.page(after, PAGE),
            Some(id) if after.is_none_or(|after| after < id) => {
                queue.view(id).into_iter().collect()
            }
            Some(_) => Vec::new(),
        }
    }

    fn limit(&self) -> usize {
        if self.limit == 0 { LIMIT } else { self.limit }
    }

    fn admits_view(&self, view: &View) -> bool {
        self.held.is_none_or(|held| held == view.entry.marks.has(Marks::HELD))
    }

    fn admits(&self, entry: &QueueEntry) -> bool {
        let domain = |name: &String| {
            entry.recipients.iter().any(|recipient| {
                recipient.mailbox.domain().is_some_and(|domain| domain.as_str() == name)
            })
        };
        let sender_domain = |name: &String| {
            let domain = entry.sender.mailbox().and_then(|mailbox| mailbox.domain());
            domain.is_some_and(|domain| domain.as_str() == name)
        };
        let account = |name: &String| match &entry.origin {
            Origin::Submitted { account, .. } => account.as_str() == name,
            Origin::Inbound { .. } | Origin::Report => false,
        };
        let reason = |text: &String| {
            let review = entry.review.as_deref().unwrap_or_default();
            entry.review.is_some() && review.to_lowercase().contains(&text.to_lowercase())
        };
        self.sender.as_ref().is_none_or(|sender| *sender == entry.sender)
            && self.sender_domain.as_ref().is_none_or(sender_domain)
            && self.account.as_ref().is_none_or(account)
            && self.domain.as_ref().is_none_or(domain)
            && self.reason.as_ref().is_none_or(reason)
            && self.received_before.is_none_or(|before| entry.received_at < before)
    }
}

/// Reads a page and adds what matches; `false`: there are enough. Blocking.
pub(crate) fn list_page(page: Vec<View>, filter: &Filter, entries: &mut Vec<QueueEntry>) -> bool {
    let mut recipients: usize = entries.iter().map(|entry| entry.recipients.len()).sum();
    for view in page.into_iter().filter(|view| filter.admits_view(view)) {
        match view.read() {
            Ok(stored) => {
                let entry = view.show(stored);
                if filter.admits(&entry) {
                    recipients += entry.recipients.len();
                    entries.push(entry);
                }
            }
            Err(error) => {
                tracing::error!(
                    target: "lastpost::spool", id = %view.id, %error,
                    "spool: a queued message does not read"
                );
            }
        }
        if entries.len() >= filter.limit() || recipients >= RECIPIENTS_MAX {
            return false;
        }
    }
    true
}
