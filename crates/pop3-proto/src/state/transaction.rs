//! The TRANSACTION state (RFC 1939 section 5 and 7).

use alloc::vec::Vec;

use super::State;
use super::listing::{Kind, Listing};
use super::mode;
use crate::body::Part;
use crate::capability;
use crate::command::{Command, Ordinal};
use crate::language::Language;
use crate::messages::{Marks, Messages};
use crate::pending::{PendingMessage, PendingUpdate};
use crate::reply;
use crate::session::{Link, Session, Step};
use crate::text::{self, Text};

/// Logged in. Message numbers stay what they are, whatever is deleted.
pub(crate) struct Transaction<M> {
    messages: M,
    deleted: Marks,
    retrieved: Marks,
    /// Messages not deleted, and their octets.
    count: usize,
    octets: u64,
    /// Octets of all messages: `RSET` by the hundred must not read every size again.
    octets_in_all: u64,
    /// The highest message number accessed (RFC 1460 section 5), now and at the login.
    last: usize,
    last_at_login: usize,
}

impl<M: Messages> Transaction<M> {
    /// `last`: whether `LAST` will be obeyed, which costs a look at the messages.
    pub(crate) fn new(messages: M, last: bool) -> Self {
        let count = messages.count();
        let add = |sum: u64, index| sum.saturating_add(messages.octets(index));
        let octets = (0..count).fold(0, add);
        let mut backwards = (0..count).rev();
        let last = if last {
            backwards.find(|&index| messages.retrieved_before(index)).map_or(0, |index| index + 1)
        } else {
            0
        };
        Self {
            messages,
            deleted: Marks::default(),
            retrieved: Marks::default(),
            count,
            octets,
            octets_in_all: octets,
            last,
            last_at_login: last,
        }
    }

    pub(crate) fn messages(&self) -> &M {
        &self.messages
    }

    pub(crate) fn is_deleted(&self, index: usize) -> bool {
        self.deleted.contains(index)
    }

    pub(crate) fn mark_retrieved(&mut self, index: usize) {
        self.retrieved.insert(index);
        self.access(index);
    }

    pub(crate) fn obey(
        mut self,
        command: Command<'_>,
        mut link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        let language = link.language;
        match command {
            Command::Stat => self.stat(out),
            Command::List(None) => return self.list(Kind::Octets, link, out),
            Command::Uidl(None) => return self.list(Kind::UniqueId, link, out),
            Command::List(Some(number)) => self.list_one(Kind::Octets, number, language, out),
            Command::Uidl(Some(number)) => self.list_one(Kind::UniqueId, number, language, out),
            Command::Retr(number) => return self.send(number, Part::Whole, link, out),
            Command::Top(number, lines) => return self.send(number, Part::Top(lines), link, out),
            Command::Dele(number) => self.delete(number, language, out),
            Command::Rset => {
                self.reset();
                self.summarise(language, out);
            }
            Command::Noop => reply::ok(out, language.say(text::STILL_HERE)),
            Command::Last if link.terms.last => {
                out.extend_from_slice(b"+OK ");
                reply::decimal(out, self.last as u64);
                reply::line(out, "");
            }
            Command::Utf8 => mode::obey_utf8(&mut link, out),
            Command::Lang(range) => mode::obey_lang(range, &mut link, out),
            Command::Capa => capability::after_login(out, &link.terms, language),
            Command::Quit => return self.quit(language),
            Command::LeftOut | Command::Last => reply::err(out, language.say(text::NOT_SUPPORTED)),
            Command::User(_)
            | Command::Pass(_)
            | Command::Auth { .. }
            | Command::AuthList
            | Command::Apop { .. }
            | Command::Xclient(_)
            | Command::Xoip(_)
            | Command::Stls => reply::err(out, language.say(text::NOT_AFTER_LOGIN)),
        }
        Step::Continue(Session::new(link, State::Transaction(self)))
    }

    /// `+OK`, and how many messages there are for people to read.
    pub(crate) fn summarise(&self, language: Language, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK ");
        reply::decimal(out, self.count as u64);
        out.extend_from_slice(language.say(text::MESSAGES).as_bytes());
        reply::decimal(out, self.octets);
        reply::line(out, language.say(text::OCTETS_END));
    }

    fn stat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK ");
        reply::decimal(out, self.count as u64);
        out.push(b' ');
        reply::decimal(out, self.octets);
        reply::line(out, "");
    }

    /// The message of this number, unless it is deleted (RFC 1939 section 5).
    fn find(&self, number: Ordinal) -> Result<usize, Text> {
        let index = number.index(self.messages.count()).ok_or(text::NO_SUCH_MESSAGE)?;
        if self.is_deleted(index) { Err(text::MESSAGE_DELETED) } else { Ok(index) }
    }

    fn list(self, kind: Kind, link: Link, out: &mut Vec<u8>) -> Step<M> {
        self.summarise(link.language, out);
        Step::Continue(Session::new(link, State::Listing(Listing::new(self, kind))))
    }

    /// One look-up and no memory of its own, whatever the maildrop holds: K-9 asks so for
    /// thousands of messages one by one ([`crate::Quirk::SingleLookups`]).
    fn list_one(&self, kind: Kind, number: Ordinal, language: Language, out: &mut Vec<u8>) {
        match self.find(number) {
            Ok(index) => {
                out.extend_from_slice(b"+OK ");
                kind.write(&self.messages, index, out);
            }
            Err(text) => reply::err(out, language.say(text)),
        }
    }

    fn send(self, number: Ordinal, part: Part, link: Link, out: &mut Vec<u8>) -> Step<M> {
        match self.find(number) {
            Ok(index) => Step::Send(part, PendingMessage::new(self, link, index, part)),
            Err(text) => {
                reply::err(out, link.language.say(text));
                Step::Continue(Session::new(link, State::Transaction(self)))
            }
        }
    }

    fn delete(&mut self, number: Ordinal, language: Language, out: &mut Vec<u8>) {
        match self.find(number) {
            Ok(index) => {
                self.deleted.insert(index);
                self.access(index);
                self.count = self.count.saturating_sub(1);
                self.octets = self.octets.saturating_sub(self.messages.octets(index));
                reply::ok(out, language.say(text::DELETED));
            }
            Err(text) => reply::err(out, language.say(text)),
        }
    }

    /// RFC 1460 section 5: `RETR` and `DELE` access a message, `TOP` does not.
    fn access(&mut self, index: usize) {
        self.last = self.last.max(index.saturating_add(1));
    }

    fn reset(&mut self) {
        self.deleted = Marks::default();
        self.count = self.messages.count();
        self.octets = self.octets_in_all;
        self.last = self.last_at_login;
    }

    fn quit(self, language: Language) -> Step<M> {
        Step::Update {
            deleted: self.deleted.to_indexes(),
            retrieved: self.retrieved.to_indexes(),
            messages: self.messages,
            pending: PendingUpdate::new(language),
        }
    }
}
