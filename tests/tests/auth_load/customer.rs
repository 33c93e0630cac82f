//! Customers who log in all the time, and how long that takes them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::shop::PASSWORD;
use crate::wire::{Service, Session, is_welcome};

/// A customer of each kind that is meant logs in so often.
const EVERY: Duration = Duration::from_millis(50);
/// Customers whose passwords are remembered; several, for a box has one session at a time.
pub(crate) const REMEMBERED: usize = 8;

/// What the daemon knows of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// His password is remembered.
    Remembered,
    /// He was there before, and his password must be hashed.
    Known,
    /// Nobody has ever logged in from where he is, nor to this account.
    New,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Remembered, Kind::Known, Kind::New];

/// A login that came to an answer.
pub(crate) struct Visit {
    kind: Kind,
    /// When it began, since customers began.
    pub(crate) at: Duration,
    took: Duration,
    pub(crate) reply: String,
}

pub(crate) fn login(number: usize) -> String {
    format!("customer{number}@example.net")
}

/// In no network of the attackers', and each in one of its own.
pub(crate) fn home(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x6440_0000 + number as u32 * 300)
}

/// A whole login: from the connection to the welcome.
pub(crate) fn log_in(service: Service, to: SocketAddr, number: usize) -> (String, Duration) {
    let begun = Instant::now();
    let mut session = Session::greeted(service, to, home(number));
    let reply = session.log_in(&login(number), PASSWORD);
    let took = begun.elapsed();
    session.quit();
    (reply, took)
}

/// Numbers of customers that have not been used up, who are known or new in turn.
pub(crate) struct Fresh {
    pub(crate) known: std::ops::Range<usize>,
    pub(crate) new: std::ops::Range<usize>,
}

/// Each in a thread of its own, so that none waits for the one before.
pub(crate) fn visit(
    service: Service,
    to: SocketAddr,
    fresh: &mut Fresh,
    lasts: Duration,
) -> Vec<Visit> {
    let (begun, visits) = (Instant::now(), Mutex::new(Vec::new()));
    let one = |kind, number| {
        let at = begun.elapsed();
        let (reply, took) = log_in(service, to, number);
        visits.lock().unwrap().push(Visit { kind, at, took, reply });
    };
    thread::scope(|scope| {
        let mut due = Duration::ZERO;
        for turn in 0.. {
            if due >= lasts {
                return;
            }
            thread::sleep(due.saturating_sub(begun.elapsed()));
            scope.spawn(move || one(Kind::Remembered, turn % REMEMBERED));
            let (kind, numbers) = match turn % 2 {
                0 => (Kind::Known, &mut fresh.known),
                _ => (Kind::New, &mut fresh.new),
            };
            let number = numbers.next().expect("customers enough");
            // Between the others, not beside them.
            thread::sleep((due + EVERY / 2).saturating_sub(begun.elapsed()));
            scope.spawn(move || one(kind, number));
            due += EVERY;
        }
    });
    visits.into_inner().unwrap()
}

/// Median, 99th percentile and longest of those that were let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) count: usize,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    pub(crate) most: Duration,
}

impl Times {
    /// Of one kind, from `from` on.
    pub(crate) fn of(visits: &[Visit], kind: Kind, from: Duration) -> Self {
        let let_in = |visit: &&Visit| visit.kind == kind && visit.at >= from && visit.is_in();
        let mut times: Vec<_> = visits.iter().filter(let_in).map(|visit| visit.took).collect();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        Self { count: times.len(), median: at(50), p99: at(99), most: at(100) }
    }
}

impl Visit {
    pub(crate) fn is_in(&self) -> bool {
        is_welcome(&self.reply)
    }
}
