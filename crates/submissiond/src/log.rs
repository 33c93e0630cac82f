//! The daemon's log lines, one for each event. Text that a client chose is escaped.
//!
//! A failed login has its own stable line, which the authenticator writes. What one session may
//! do wrong in the log is bounded ([`Visitor::note_refusal`]).

use std::sync::Arc;

use address::ForwardPath;
use auth::{Account, Login, Moment};
use netio::Connection;
use smtp_proto::server::{Counts, Flaw};
use tracing::info;

use crate::answer::Stored;
use crate::checks::Refused;
use crate::house::Listening;
use crate::session::End;
use crate::trace::Token;
use crate::transaction::{Envelope, Mail};
use crate::visitor::Visitor;

pub(crate) fn authenticated(listening: &Listening, visitor: &Visitor, login: &Login) {
    info!(
        target: "lastpost::submission",
        account = login.account.key().as_str(),
        master = acting(login),
        mechanism = visitor.mechanism,
        rip = %login.client,
        tls = visitor.client.tls_version(),
        listener = listening.name,
        "login succeeded"
    );
}

/// The password was right, and the account may not use the service all the same.
pub(crate) fn login_refused(
    listening: &Listening,
    visitor: &mut Visitor,
    login: &Login,
    refused: &Refused,
) {
    if !visitor.note_refusal() {
        return;
    }
    info!(
        target: "lastpost::submission",
        reason = refused.reason,
        code = refused.reply.code(),
        account = login.account.key().as_str(),
        master = acting(login),
        rip = %login.client,
        tls = visitor.client.tls_version(),
        listener = listening.name,
        "login refused"
    );
}

pub(crate) fn sender_refused(
    listening: &Listening,
    visitor: &mut Visitor,
    mail: &Mail,
    login: Option<&Login>,
    refused: &Refused,
) {
    if !visitor.note_refusal() {
        return;
    }
    info!(
        target: "lastpost::submission",
        reason = refused.reason,
        code = refused.reply.code(),
        rip = %mail.client.address,
        account = login.map(|login| login.account.key().as_str()),
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        tls = mail.client.tls_version(),
        listener = listening.name,
        "sender refused"
    );
}

pub(crate) fn recipient_refused(
    listening: &Listening,
    visitor: &mut Visitor,
    envelope: &Envelope,
    recipient: &ForwardPath,
    refused: &Refused,
) {
    let mail = &envelope.mail;
    if !visitor.note_refusal() {
        return;
    }
    info!(
        target: "lastpost::submission",
        reason = refused.reason,
        code = refused.reply.code(),
        rip = %mail.client.address,
        account = named(envelope.right.account()),
        sender = ?mail.sender.to_string(),
        recipient = ?recipient.to_string(),
        helo = ?mail.helo,
        listener = listening.name,
        "recipient refused"
    );
}

/// One line for a message that is ours now.
pub(crate) fn accepted(listening: &Listening, mail: &Mail, stored: &Stored, token: Token) {
    let counters = &listening.house.counters;
    counters.messages_accepted.add(1);
    counters.octets_accepted.add(stored.octets);
    counters.messages_held.add(stored.held.is_some().into());
    let took = took(mail, listening.house.clock.now());
    info!(
        target: "lastpost::submission",
        queue_id = %stored.id,
        transaction = %token,
        account = stored.account.as_ref().map(address::AccountKey::as_str),
        master = mail.acting.as_ref().map(address::AccountKey::as_str),
        authority = stored.authority,
        rip = %mail.client.address,
        sender = ?mail.sender.to_string(),
        recipients = stored.recipients,
        octets = stored.octets,
        coding = stored.coding.keyword(),
        extensions = %Extensions(mail),
        submitter = mail.wishes.submitter.as_ref().map(|mailbox| tracing::field::debug(mailbox.to_string())),
        held = stored.held.as_deref().map(tracing::field::debug),
        helo = ?mail.helo,
        tls = mail.client.tls_version(),
        ms = took,
        listener = listening.name,
        "message accepted"
    );
}

/// One line for a message that the client believes to be ours, and that a check had dropped.
pub(crate) fn discarded(
    listening: &Listening,
    mail: &Mail,
    account: Option<&Arc<Account>>,
    reason: &str,
    token: Token,
) {
    listening.house.counters.messages_discarded.add(1);
    info!(
        target: "lastpost::submission",
        reason,
        transaction = %token,
        rip = %mail.client.address,
        account = named(account),
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        listener = listening.name,
        "message discarded"
    );
}

/// One line for a message that is not.
pub(crate) fn refused(
    listening: &Listening,
    visitor: &mut Visitor,
    mail: &Mail,
    account: Option<&Arc<Account>>,
    refused: &Refused,
) {
    listening.house.counters.messages_refused.add(1);
    if !visitor.note_refusal() {
        return;
    }
    info!(
        target: "lastpost::submission",
        reason = refused.reason,
        code = refused.reply.code(),
        text = ?refused.reply.text(),
        rip = %mail.client.address,
        account = named(account),
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        listener = listening.name,
        "message refused"
    );
}

/// The session refused a message for what was wrong with its lines or its size.
pub(crate) fn flawed(
    listening: &Listening,
    visitor: &mut Visitor,
    envelope: &Envelope,
    flaw: Flaw,
) {
    let mail = &envelope.mail;
    listening.house.counters.messages_refused.add(1);
    if !visitor.note_refusal() {
        return;
    }
    info!(
        target: "lastpost::submission",
        reason = flaw.word(),
        rip = %mail.client.address,
        account = named(envelope.right.account()),
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        listener = listening.name,
        "message refused"
    );
}

/// The last line of a session.
pub(crate) fn ended(
    listening: &Listening,
    connection: &Connection,
    visitor: &Visitor,
    end: &End,
    counts: &Counts,
) {
    let tls = connection.tls_info();
    let unlogged = visitor.unlogged();
    info!(
        target: "lastpost::submission",
        reason = end.word(),
        error = end.error().map(|error| tracing::field::debug(error.to_string())),
        rip = %connection.peer(),
        tls = tls.map(|tls| tls.version),
        cipher = tls.map(|tls| tls.cipher),
        listener = listening.name,
        counts = counts.to_string(),
        unlogged = (unlogged > 0).then_some(unlogged),
        "disconnected"
    );
}

/// The account as the log names it; mail from elsewhere has none.
fn named(account: Option<&Arc<Account>>) -> Option<&str> {
    account.map(|account| account.key().as_str())
}

/// The master user who opened the account, if one did.
fn acting(login: &Login) -> Option<&str> {
    login.acting.as_ref().map(address::AccountKey::as_str)
}

/// Milliseconds since `MAIL`.
fn took(mail: &Mail, now: Moment) -> u64 {
    let took = now.mono.saturating_sub(mail.at.mono).as_millis();
    u64::try_from(took).unwrap_or(u64::MAX)
}

/// What the client asked for beyond RFC 5321, in one word each with commas; `-` for nothing.
struct Extensions<'a>(&'a Mail);

impl std::fmt::Display for Extensions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mail { wishes, smtputf8, size, .. } = self.0;
        let used = [
            (size.is_some(), "size"),
            (*smtputf8, "smtputf8"),
            (wishes.ret.is_some() || wishes.envid.is_some(), "dsn"),
            (wishes.hold_until.is_some(), "futurerelease"),
            (wishes.deliver_by.is_some(), "deliverby"),
            (wishes.require_tls, "requiretls"),
        ];
        let mut first = true;
        for (_, word) in used.into_iter().filter(|(used, _)| *used) {
            f.write_str(if first { "" } else { "," })?;
            f.write_str(word)?;
            first = false;
        }
        if first { f.write_str("-") } else { Ok(()) }
    }
}
