//! The TRANSACTION state (RFC 1939 section 5 and 7).

use alloc::vec::Vec;

use super::State;
use super::listing::{Kind, Listing};
use crate::body::Part;
use crate::capability;
use crate::command::{Command, Ordinal};
use crate::messages::{Marks, Messages};
use crate::pending::{PendingMessage, PendingUpdate};
use crate::reply;
use crate::session::{Link, Session, Step};

/// Logged in. Message numbers stay what they are, whatever is deleted.
pub(crate) struct Transaction<M> {
    messages: M,
    deleted: Marks,
    retrieved: Marks,
    /// Messages not deleted, and their octets.
    count: usize,
    octets: u64,
}

impl<M: Messages> Transaction<M> {
    pub(crate) fn new(messages: M) -> Self {
        let mut transaction = Self {
            messages,
            deleted: Marks::default(),
            retrieved: Marks::default(),
            count: 0,
            octets: 0,
        };
        transaction.reset();
        transaction
    }

    pub(crate) fn messages(&self) -> &M {
        &self.messages
    }

    pub(crate) fn is_deleted(&self, index: usize) -> bool {
        self.deleted.contains(index)
    }

    pub(crate) fn mark_retrieved(&mut self, index: usize) {
        self.retrieved.insert(index);
    }

    pub(crate) fn obey(mut self, command: Command<'_>, link: Link, out: &mut Vec<u8>) -> Step<M> {
        match command {
            Command::Stat => self.stat(out),
            Command::List(None) => return self.list(Kind::Octets, link, out),
            Command::Uidl(None) => return self.list(Kind::UniqueId, link, out),
            Command::List(Some(number)) => self.list_one(Kind::Octets, number, out),
            Command::Uidl(Some(number)) => self.list_one(Kind::UniqueId, number, out),
            Command::Retr(number) => return self.send(number, Part::Whole, link, out),
            Command::Top(number, lines) => return self.send(number, Part::Top(lines), link, out),
            Command::Dele(number) => self.delete(number, out),
            Command::Rset => {
                self.reset();
                self.summarise(out);
            }
            Command::Noop => reply::ok(out, "Still here"),
            // Quirk::Utf8AfterLogin
            Command::Utf8 => reply::ok(out, "Messages are sent as they are stored"),
            Command::Capa => capability::after_login(out),
            Command::Quit => return self.quit(),
            Command::LeftOut => reply::err(out, "Not supported"),
            Command::User(_)
            | Command::Pass(_)
            | Command::Auth { .. }
            | Command::AuthList
            | Command::Stls => reply::err(out, "Not after the login"),
        }
        Step::Continue(Session::new(link, State::Transaction(self)))
    }

    /// `+OK`, and how many messages there are for people to read.
    pub(crate) fn summarise(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK ");
        reply::decimal(out, self.count as u64);
        out.extend_from_slice(b" messages (");
        reply::decimal(out, self.octets);
        reply::line(out, " octets)");
    }

    fn stat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK ");
        reply::decimal(out, self.count as u64);
        out.push(b' ');
        reply::decimal(out, self.octets);
        reply::line(out, "");
    }

    /// The message of this number, unless it is deleted (RFC 1939 section 5).
    fn find(&self, number: Ordinal) -> Result<usize, &'static str> {
        let index = number.index(self.messages.count()).ok_or("No such message")?;
        if self.is_deleted(index) { Err("That message is deleted") } else { Ok(index) }
    }

    fn list(self, kind: Kind, link: Link, out: &mut Vec<u8>) -> Step<M> {
        self.summarise(out);
        Step::Continue(Session::new(link, State::Listing(Listing::new(self, kind))))
    }

    fn list_one(&self, kind: Kind, number: Ordinal, out: &mut Vec<u8>) {
        match self.find(number) {
            Ok(index) => {
                out.extend_from_slice(b"+OK ");
                kind.write(&self.messages, index, out);
            }
            Err(text) => reply::err(out, text),
        }
    }

    fn send(self, number: Ordinal, part: Part, link: Link, out: &mut Vec<u8>) -> Step<M> {
        match self.find(number) {
            Ok(index) => Step::Send(part, PendingMessage::new(self, link, index, part)),
            Err(text) => {
                reply::err(out, text);
                Step::Continue(Session::new(link, State::Transaction(self)))
            }
        }
    }

    fn delete(&mut self, number: Ordinal, out: &mut Vec<u8>) {
        match self.find(number) {
            Ok(index) => {
                self.deleted.insert(index);
                self.count = self.count.saturating_sub(1);
                self.octets = self.octets.saturating_sub(self.messages.octets(index));
                reply::ok(out, "Deleted when you quit");
            }
            Err(text) => reply::err(out, text),
        }
    }

    fn reset(&mut self) {
        self.deleted = Marks::default();
        self.count = self.messages.count();
        self.octets = (0..self.count).map(|index| self.messages.octets(index)).sum();
    }

    fn quit(self) -> Step<M> {
        Step::Update {
            deleted: self.deleted.to_indexes(),
            retrieved: self.retrieved.to_indexes(),
            messages: self.messages,
            pending: PendingUpdate::new(),
        }
    }
}
