//! The daemon's log lines, one for each event. Text that a client chose is escaped.
//!
//! A failed login has its own stable line, which the authenticator writes.

use auth::{Login, Refusal};
use netio::Connection;
use smtp_proto::server::{Counts, Flaw, Reply};
use tracing::info;

use crate::answer::Stored;
use crate::house::Listening;
use crate::session::End;
use crate::trace::Token;
use crate::transaction::Mail;

pub(crate) fn authenticated(listening: &Listening, login: &Login) {
    info!(
        target: "lastpost::submission",
        account = %login.account.key(),
        rip = %login.client,
        tls = login.channel.tls,
        listener = listening.name,
        "login succeeded"
    );
}

pub(crate) fn sender_refused(
    listening: &Listening,
    mail: &Mail,
    login: Option<&Login>,
    refusal: &Refusal,
) {
    info!(
        target: "lastpost::submission",
        reason = refusal.reason,
        code = refusal.code,
        rip = %mail.client.address,
        account = login.map(|login| login.account.key().as_str()),
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        tls = mail.client.tls,
        listener = listening.name,
        "sender refused"
    );
}

/// One line for a message that is ours now.
pub(crate) fn accepted(listening: &Listening, mail: &Mail, stored: &Stored, token: Token) {
    let counters = &listening.house.counters;
    counters.messages_accepted.add(1);
    counters.octets_accepted.add(stored.octets);
    info!(
        target: "lastpost::submission",
        queue_id = %stored.id,
        transaction = %token,
        account = stored.account.as_ref().map(address::AccountKey::as_str),
        authority = stored.authority,
        rip = %mail.client.address,
        sender = ?mail.sender.to_string(),
        recipients = stored.recipients,
        octets = stored.octets,
        helo = ?mail.helo,
        tls = mail.client.tls,
        listener = listening.name,
        "message accepted"
    );
}

/// One line for a message that is not.
pub(crate) fn refused(listening: &Listening, mail: &Mail, reason: &'static str, reply: &Reply) {
    listening.house.counters.messages_refused.add(1);
    info!(
        target: "lastpost::submission",
        reason,
        code = reply.code(),
        text = ?reply.text(),
        rip = %mail.client.address,
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        listener = listening.name,
        "message refused"
    );
}

/// The session refused a message for what was wrong with its lines or its size.
pub(crate) fn flawed(listening: &Listening, mail: &Mail, flaw: Flaw) {
    listening.house.counters.messages_refused.add(1);
    info!(
        target: "lastpost::submission",
        reason = flaw.word(),
        rip = %mail.client.address,
        sender = ?mail.sender.to_string(),
        helo = ?mail.helo,
        listener = listening.name,
        "message refused"
    );
}

/// The last line of a session.
pub(crate) fn ended(listening: &Listening, connection: &Connection, end: &End, counts: &Counts) {
    let tls = connection.tls_info();
    info!(
        target: "lastpost::submission",
        reason = end.word(),
        error = end.error().map(|error| tracing::field::debug(error.to_string())),
        rip = %connection.peer(),
        tls = tls.map(|tls| tls.version),
        cipher = tls.map(|tls| tls.cipher),
        listener = listening.name,
        counts = counts.to_string(),
        "disconnected"
    );
}
