//! What changes about a destination, under one lock.

use std::time::Duration;

use tokio::task::JoinSet;

use super::Limits;
use super::bucket::Bucket;
use super::health::Health;
use super::line::Line;
use super::queue::Queue;
use super::window::Window;

/// Messages that are due as soon as a destination that was down may be tried again: one of them
/// finds out for the others.
const SCOUTS: u8 = 2;

pub(super) struct State {
    pub(super) queue: Queue,
    /// Messages in the spool that wait for it.
    pub(super) line: Line,
    /// The tasks that serve the queue, each with at most one connection.
    pub(super) crew: JoinSet<()>,
    /// How many of them are there.
    pub(super) workers: usize,
    /// Of these, those that have not got their first message yet.
    pub(super) starting: usize,
    /// Of these, those with nothing to do.
    pub(super) waiting: usize,
    /// Of these, those with a connection.
    pub(super) open: usize,
    /// Of these, those that are about to have one.
    pub(super) opening: usize,
    pub(super) window: Window,
    pub(super) bucket: Option<Bucket>,
    pub(super) health: Health,
    /// When it last took a message, or refused one in order; monotonic.
    pub(super) success_at: Option<Duration>,
    scouts: u8,
    /// No new message is begun.
    pub(super) stopping: bool,
}

impl State {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            queue: Queue::default(),
            line: Line::default(),
            crew: JoinSet::new(),
            workers: 0,
            starting: 0,
            waiting: 0,
            open: 0,
            opening: 0,
            window: Window::new(limits.connections),
            bucket: limits.rate.map(Bucket::new),
            health: Health::new(limits.wait_max),
            success_at: None,
            scouts: SCOUTS,
            stopping: false,
        }
    }

    /// Messages in memory: those in the queue and, about, those being sent.
    pub(super) fn load(&self) -> usize {
        self.queue.len() + self.workers.saturating_sub(self.waiting)
    }

    /// It is left alone for a while.
    pub(super) fn close(&mut self) {
        self.window.restart();
        self.scouts = SCOUTS;
    }

    /// Whether another message is to be due when it may be tried again.
    pub(super) fn take_scout(&mut self) -> bool {
        let wanted = self.scouts > 0;
        self.scouts = self.scouts.saturating_sub(1);
        wanted
    }
}
