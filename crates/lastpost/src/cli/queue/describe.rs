//! The queue in words and tables.

use std::fmt::Write as _;

use crate::cli::output::table;
use crate::control::{QueueAction, QueueDone, QueueShape, QueuedMessage, ShapeLine};

/// Rows that are shown of what was done, before they are only counted.
const DONE_SHOWN: usize = 100;

pub(super) fn list(messages: &[QueuedMessage]) -> String {
    let rows = messages.iter().map(|message| {
        let next = message.next_attempt.map_or_else(|| "-".to_owned(), |at| at.to_string());
        vec![
            message.id.clone(),
            message.received_at.to_string(),
            message.octets.to_string(),
            message.state.clone(),
            message.attempts.to_string(),
            next,
            message.sender.clone(),
            pending(message),
        ]
    });
    table(&["id", "received", "octets", "state", "tries", "next", "from", "to"], rows)
}

fn pending(message: &QueuedMessage) -> String {
    let pending: Vec<_> = message
        .recipients
        .iter()
        .filter(|recipient| recipient.state == "pending")
        .map(|recipient| recipient.address.as_str())
        .collect();
    let more = message.recipients_total.saturating_sub(message.recipients.len());
    match more {
        0 => pending.join(","),
        _ => format!("{},… ({} in all)", pending.join(","), message.recipients_total),
    }
}

pub(super) fn message(message: &QueuedMessage) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}  {}  {} octets", message.id, message.state, message.octets);
    let _ = writeln!(text, "from      {}", message.sender);
    let _ = writeln!(text, "received  {} ({})", message.received_at, message.origin);
    if let (Some(account), Some(authority)) = (&message.account, &message.authority) {
        let _ = writeln!(text, "account   {account}, by {authority}");
    }
    if let Some(reason) = &message.review {
        let _ = writeln!(text, "review    {reason}");
    }
    if let Some(next) = &message.next_attempt {
        let _ = writeln!(text, "next try  {next}");
    }
    for recipient in &message.recipients {
        let reply = match (&recipient.last_reply, recipient.state.as_str()) {
            (Some(reply), _) => format!(": {reply}"),
            (None, "pending") => ": not tried yet".to_owned(),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "to        {} {}{reply}", recipient.address, recipient.state);
    }
    text
}

pub(super) fn done(action: QueueAction, dry_run: bool, done: &QueueDone) -> String {
    let word = match (action, dry_run) {
        (QueueAction::Hold, false) => "held",
        (QueueAction::Release, false) => "released",
        (QueueAction::Retry, false) => "tried now",
        (QueueAction::Delete, false) => "deleted",
        (QueueAction::Hold, true) => "would be held",
        (QueueAction::Release, true) => "would be released",
        (QueueAction::Retry, true) => "would be tried now",
        (QueueAction::Delete, true) => "would be deleted",
    };
    let mut text = String::new();
    for message in done.done.iter().take(DONE_SHOWN) {
        let _ = write!(text, "{} {word}: from {}", message.id, message.sender);
        if let Some(account) = &message.account {
            let _ = write!(text, ", account {account}");
        }
        let _ = write!(text, ", to {}", pending(message));
        if let Some(reason) = &message.review {
            let _ = write!(text, ", was held for review: {reason}");
        }
        text.push('\n');
    }
    for failure in &done.failed {
        let _ = writeln!(text, "{}: {}", failure.id, failure.error);
    }
    if done.done.len() != 1 {
        let _ = writeln!(text, "{} messages {word}", done.done.len());
    }
    text
}

pub(super) fn shape(shape: &QueueShape, by_sender: bool) -> String {
    let mut header = vec!["".to_owned(), "total".to_owned()];
    header.extend(shape.ages_minutes.iter().map(|minutes| minutes.to_string()));
    header.push(format!("{}+", shape.ages_minutes.last().copied().unwrap_or(0)));
    let row = |name: &str, line: &ShapeLine| {
        let mut cells = vec![name.to_owned(), line.total.to_string()];
        cells.extend(line.by_age.iter().map(u64::to_string));
        cells
    };
    let mut rows = vec![row("TOTAL", &shape.total)];
    for line in &shape.domains {
        rows.push(row(if line.domain.is_empty() { "<>" } else { &line.domain }, line));
    }
    if shape.rest.total > 0 {
        rows.push(row(&format!("({} others)", shape.rest_domains), &shape.rest));
    }
    let names: Vec<_> = header.iter().map(String::as_str).collect();
    let mut text = table(&names, rows);
    let what = if by_sender { "messages by sender domain" } else { "recipients by domain" };
    let _ = writeln!(text, "{what} and age in minutes; {} messages", shape.messages);
    if shape.unreadable > 0 {
        let _ = writeln!(text, "{} messages do not read and are not counted", shape.unreadable);
    }
    text
}
