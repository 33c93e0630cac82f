//! What a command costs: look-ups counted, memory watched.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

use pop3_proto::{Claim, LoginFacts, Messages, Session, Step, Terms};

/// How often a maildrop was asked.
#[derive(Clone, Default)]
struct Asked {
    octets: Rc<Cell<usize>>,
    uidls: Rc<Cell<usize>>,
    retrieved: Rc<Cell<usize>>,
}

impl Asked {
    fn take(&self) -> [usize; 3] {
        [self.octets.take(), self.uidls.take(), self.retrieved.take()]
    }
}

/// A maildrop of a size, each message of so many octets.
struct Counted {
    count: usize,
    octets: u64,
    asked: Asked,
}

impl Messages for Counted {
    fn count(&self) -> usize {
        self.count
    }

    fn octets(&self, _: usize) -> u64 {
        self.asked.octets.set(self.asked.octets.get() + 1);
        self.octets
    }

    fn uidl(&self, _: usize) -> &str {
        self.asked.uidls.set(self.asked.uidls.get() + 1);
        "0123456789012345678901234567890123456789012345678901234567890123456789"
    }

    fn retrieved_before(&self, _: usize) -> bool {
        self.asked.retrieved.set(self.asked.retrieved.get() + 1);
        false
    }
}

fn logged_in(terms: Terms, count: usize, octets: u64) -> (Session<Counted>, Asked) {
    let mut out = Vec::new();
    let session = Session::<Counted>::greet(Terms { cleartext_login: true, ..terms }, &mut out);
    let (_, step) = session.advance(b"USER aiko\r\nPASS secret\r\n", &mut out);
    let Step::Verify(Claim::Password { .. }, pending) = step else { panic!("a password was sent") };
    let asked = Asked::default();
    let messages = Counted { count, octets, asked: asked.clone() };
    (pending.accept(messages, LoginFacts::default(), &mut out), asked)
}

/// Sends lines whose replies are small; returns the session and what it said.
fn said(session: Session<Counted>, lines: &[u8]) -> (Session<Counted>, String) {
    let mut out = Vec::new();
    let (done, step) = session.advance(lines, &mut out);
    assert_eq!(done, lines.len());
    let Step::Continue(session) = step else { panic!("nothing was asked") };
    (session, String::from_utf8(out).unwrap())
}

#[test]
fn a_lookup_is_one_lookup_whatever_the_maildrop() {
    const COUNT: usize = 1_000_000;
    let (mut session, asked) = logged_in(Terms::default(), COUNT, 1);
    assert_eq!(asked.take(), [COUNT, 0, 0], "each size once at the login");
    let mut out = Vec::with_capacity(256);
    let memory = out.as_ptr();
    for number in [1, 77, 500_000, COUNT] {
        let mut line = String::new();
        write!(line, "UIDL {number}\r\n").unwrap();
        let (_, step) = session.advance(line.as_bytes(), &mut out);
        let Step::Continue(next) = step else { panic!("nothing was asked") };
        session = next;
        assert_eq!(asked.take(), [0, 1, 0]);
        assert!(out.starts_with(format!("+OK {number} 0123").as_bytes()));
        out.clear();
    }
    assert_eq!(out.as_ptr(), memory, "the reply went into the memory that was there");
    let (_, reply) = said(session, b"LIST 1000000\r\nLIST 1000001\r\nUIDL 0\r\n");
    assert_eq!(reply, "+OK 1000000 1\r\n-ERR No such message\r\n-ERR No such message\r\n");
    assert_eq!(asked.take(), [1, 0, 0]);
}

/// Ten thousand `RSET` in a pipeline must not be ten thousand walks.
#[test]
fn rset_and_stat_read_no_sizes() {
    let (session, asked) = logged_in(Terms::default(), 100_000, 3);
    asked.take();
    let (session, _) = said(session, b"DELE 1\r\nDELE 100000\r\n");
    assert_eq!(asked.take(), [2, 0, 0]);
    let (_, reply) = said(session, &b"STAT\r\nRSET\r\nSTAT\r\nNOOP\r\n".repeat(100));
    assert!(reply.starts_with("+OK 99998 299994\r\n+OK 100000 messages (300000 octets)\r\n"));
    assert!(reply.ends_with("+OK 100000 300000\r\n+OK Still here\r\n"));
    assert_eq!(asked.take(), [0, 0, 0]);
}

#[test]
fn only_last_asks_what_was_retrieved_before() {
    let (_, asked) = logged_in(Terms::default(), 10, 1);
    assert_eq!(asked.take(), [10, 0, 0]);
    let (session, asked) = logged_in(Terms { last: true, ..Terms::default() }, 10, 1);
    assert_eq!(asked.take(), [10, 0, 10]);
    let (_, reply) = said(session, &b"LAST\r\n".repeat(50));
    assert_eq!(reply, "+OK 0\r\n".repeat(50));
    assert_eq!(asked.take(), [0, 0, 0]);
}

/// Sizes of 32 bits overflowed in other servers, and sums do before sizes.
#[test]
fn sizes_beyond_32_bits_are_told() {
    let (session, _) = logged_in(Terms::default(), 3, 5_000_000_000);
    let (_, reply) = said(session, b"STAT\r\nLIST 1\r\nDELE 1\r\nSTAT\r\n");
    let expected = "+OK 3 15000000000\r\n+OK 1 5000000000\r\n+OK Deleted when you quit\r\n\
                    +OK 2 10000000000\r\n";
    assert_eq!(reply, expected);
    let (session, _) = logged_in(Terms::default(), 3, u64::MAX);
    let (_, reply) = said(session, b"STAT\r\n");
    assert_eq!(reply, format!("+OK 3 {}\r\n", u64::MAX), "a sum that has no room stays");
}

#[test]
fn an_idle_session_is_small() {
    let octets = size_of::<Session<Box<u64>>>();
    assert!(octets <= 176, "{octets} octets");
    // What waits for a verdict is smaller still, and the terms are one piece of memory.
    let terms = size_of::<Terms>();
    assert!(terms <= 64, "{terms} octets");
}
