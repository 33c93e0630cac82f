//! How a session ended, and the one line that says so.

use std::net::IpAddr;
use std::sync::Arc;

use auth::Account;
use netio::NetError;

/// How a session ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// `QUIT` after the login, all done.
    Quit,
    /// `QUIT`, and something could not be removed.
    NotRemoved,
    /// `QUIT` before the login, or too many errors.
    Closed,
    /// The client closed the connection without `QUIT`.
    Left,
    /// The client said nothing for too long.
    Silent,
    /// The client did not read what it was sent.
    Unread,
    /// The connection or its TLS failed.
    Broken(NetError),
    /// A message could not be read to its end.
    MessageBroken,
    /// A login of the same account has taken the maildrop.
    TakenOver,
    /// The daemon stops.
    Drained,
    /// File work panicked.
    Defect,
}

impl Ending {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::NotRemoved => "not-removed",
            Self::Closed => "closed",
            Self::Left => "left",
            Self::Silent => "silent",
            Self::Unread => "unread",
            Self::Broken(_) => "broken",
            Self::MessageBroken => "message-broken",
            Self::TakenOver => "taken-over",
            Self::Drained => "drained",
            Self::Defect => "defect",
        }
    }

    /// Whether the connection deserves a proper end: there may be replies still to be read, or
    /// TLS to be closed.
    pub(crate) fn is_orderly(&self) -> bool {
        matches!(
            self,
            Self::Quit
                | Self::NotRemoved
                | Self::Closed
                | Self::Silent
                | Self::TakenOver
                | Self::Drained
        )
    }
}

/// What a session did.
#[derive(Debug)]
pub(crate) struct Tally {
    client: IpAddr,
    pub(crate) account: Option<Arc<Account>>,
    /// Messages and their octets at the login.
    pub(crate) messages: usize,
    pub(crate) size: u64,
    pub(crate) retrieved: u64,
    pub(crate) retrieved_octets: u64,
    pub(crate) tops: u64,
    pub(crate) top_octets: u64,
    pub(crate) removed: usize,
}

impl Tally {
    pub(crate) fn new(client: IpAddr) -> Self {
        Self {
            client,
            account: None,
            messages: 0,
            size: 0,
            retrieved: 0,
            retrieved_octets: 0,
            tops: 0,
            top_octets: 0,
            removed: 0,
        }
    }

    /// The client is at another address than it seemed.
    pub(crate) fn rename(&mut self, client: IpAddr) {
        self.client = client;
    }

    /// One line for each session that logged in; one for those curious for each that did not.
    /// `taken_by`: who has taken the session over.
    pub(crate) fn log(&self, ending: &Ending, tls: bool, taken_by: Option<IpAddr>) {
        let rip = self.client;
        let ended = ending.as_str();
        let taken_by =
            taken_by.filter(|_| matches!(ending, Ending::TakenOver)).map(tracing::field::display);
        let error = match ending {
            Ending::Broken(error) => Some(tracing::field::display(error)),
            _ => None,
        };
        let Some(account) = &self.account else {
            tracing::debug!(
                target: "lastpost::pop3", %rip, tls, ended, error, "session ended without login"
            );
            return;
        };
        tracing::info!(
            target: "lastpost::pop3",
            user = %account.key(),
            %rip,
            tls,
            ended,
            taken_by,
            messages = self.messages,
            size = self.size,
            retr = self.retrieved,
            retr_octets = self.retrieved_octets,
            top = self.tops,
            top_octets = self.top_octets,
            del = self.removed,
            error,
            "session ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;

    #[test]
    fn every_ending_is_explained_to_administrators() {
        let page = include_str!("../../../../docs/pop3.md");
        let broken = Ending::Broken(netio::NetError::Closed);
        for ending in [
            Ending::Quit,
            Ending::NotRemoved,
            Ending::Closed,
            Ending::Left,
            Ending::Silent,
            Ending::Unread,
            Ending::MessageBroken,
            Ending::TakenOver,
            Ending::Drained,
            Ending::Defect,
            broken,
        ] {
            assert!(page.contains(&format!("\n| `{}` |", ending.as_str())), "{ending:?}");
        }
    }
}
