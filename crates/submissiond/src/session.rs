//! One client's session: carries bytes between connection and session, and questions to
//! whoever answers them.

#[cfg(test)]
mod tests;
mod xclient;

use std::sync::Arc;

use netio::{Connection, Drain, NetError};
use smtp_proto::server::{Action, CloseReason, Reply, Session};
use tokio::time::Instant;

use crate::answer;
use crate::answer::Exchange;
use crate::house::Listening;
use crate::input::Input;
use crate::log;
use crate::offer;
use crate::pace::Pace;
use crate::transaction::Submission;
use crate::visitor::Visitor;

/// What to do after an action.
enum Next {
    /// Another action may follow at once.
    Act,
    /// The session waits for input.
    Read,
    /// TLS was agreed to: send the reply, shake hands.
    StartTls,
    Close(CloseReason),
    /// The client that a proxy named cannot be served, for this reason.
    TurnAway(&'static str),
}

/// Why a session ended.
pub(crate) enum End {
    Closed(CloseReason),
    /// The client closed its side.
    Gone,
    /// The client that a proxy named could not be served, for this reason.
    TurnedAway(&'static str),
    Failed(NetError),
}

/// A message's octets are decoded in blocks of at most this much input, so that the decoded
/// block stays small.
const BLOCK_OCTETS: usize = 64 * 1024;

struct Conversation {
    connection: Connection,
    listening: Arc<Listening>,
    session: Session<Submission>,
    visitor: Visitor,
    exchange: Exchange,
    input: Input,
    output: Vec<u8>,
    block: Vec<u8>,
    /// When the present command must have come; moves on with each reply.
    command_deadline: Instant,
    /// How a message must come in, while one does.
    pace: Option<Pace>,
}

/// Serves one client until the end.
pub(crate) async fn converse(connection: Connection, listening: Arc<Listening>, drain: Drain) {
    // Boxed, for a future keeps a copy of what is moved within it.
    let mut conversation = Box::new(Conversation::begin(connection, listening));
    let end = conversation.run(&drain).await;
    Box::pin(conversation.finish(end)).await;
}

impl Conversation {
    fn begin(mut connection: Connection, listening: Arc<Listening>) -> Self {
        let proxy = listening.house.protocol.trusts(connection.peer());
        if proxy {
            xclient::doubt(&mut connection);
        }
        let visitor = Visitor::new(&connection, proxy);
        let mechanisms = offer::mechanisms(&listening, &connection, &visitor);
        let parameters = listening.parameters_for(proxy);
        let at = listening.house.clock.now().wall.as_second();
        let session = Session::new(parameters, mechanisms, connection.is_tls(), at);
        let mut output = Vec::new();
        session.greet(&mut output);
        Self {
            command_deadline: Instant::now() + listening.house.command_timeout,
            visitor,
            exchange: None,
            connection,
            listening,
            session,
            input: Input::default(),
            output,
            block: Vec::new(),
            pace: None,
        }
    }

    async fn run(&mut self, drain: &Drain) -> End {
        loop {
            let outcome = match self.act().await {
                Next::Act => Ok(None),
                Next::Read => self.read(drain).await,
                Next::StartTls => self.start_tls().await.map(|()| None),
                Next::Close(reason) => self.flush().await.map(|()| Some(End::Closed(reason))),
                Next::TurnAway(why) => self.flush().await.map(|()| Some(End::TurnedAway(why))),
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Failed(error),
            }
        }
    }

    async fn act(&mut self) -> Next {
        let Self {
            connection, listening, session, visitor, exchange, input, output, block, ..
        } = self;
        let within_exchange = session.is_in_exchange();
        let step = session.next(input.rest(), output);
        input.take(step.consumed);
        // Also a response that was no message may hold a secret.
        if within_exchange || matches!(step.action, Action::Sasl(..)) {
            input.wipe();
        }
        // Answers that wait are boxed: their state is large, and a session idles far longer.
        match step.action {
            Action::More => return Next::Read,
            Action::Close(reason) => return Next::Close(reason),
            Action::StartTls(pending) if listening.tls.is_some() => {
                pending.accept(output);
                return Next::StartTls;
            }
            Action::StartTls(pending) => pending.refuse(&Reply::TLS_UNAVAILABLE, output),
            Action::Sasl(said, pending) => {
                let asked = (said, pending);
                let turn = answer::sasl(listening, connection, visitor, exchange, asked, output);
                Box::pin(turn).await;
            }
            Action::Xclient(facts, pending) => {
                let believed =
                    xclient::believe(listening, connection, visitor, &facts, pending, output);
                if let Err(why) = Box::pin(believed).await {
                    return Next::TurnAway(why);
                }
            }
            Action::Mail(request, pending) => {
                Box::pin(answer::mail(listening, visitor, request, pending, output)).await;
            }
            Action::Recipient(request, pending) => {
                Box::pin(answer::recipient(listening, visitor, request, pending, output)).await;
            }
            Action::Data(pending) => answer::data(listening, visitor, pending, output),
            Action::Body(mut body) => {
                let rest = input.rest();
                let piece = rest.get(..BLOCK_OCTETS).unwrap_or(rest);
                block.clear();
                let taken = body.read(piece, block);
                input.take(taken);
                body.message().take(block, listening).await;
            }
            Action::EndOfData(message, pending) => {
                Box::pin(answer::end_of_data(listening, visitor, message, pending, output)).await;
            }
            Action::Rejected(message, flaw) => {
                log::flawed(listening, visitor, &message.envelope, flaw);
            }
        }
        Next::Act
    }

    async fn flush(&mut self) -> Result<(), NetError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let timeout = self.listening.house.command_timeout;
        self.connection.write_all(&self.output, timeout).await?;
        self.output.clear();
        self.command_deadline = Instant::now() + timeout;
        Ok(())
    }

    async fn read(&mut self, drain: &Drain) -> Result<Option<End>, NetError> {
        self.flush().await?;
        let read = if self.session.is_in_message() {
            self.read_data().await
        } else {
            self.read_command(drain).await
        };
        let ended = match read {
            Ok(Some(0)) => return Ok(Some(End::Gone)),
            Ok(Some(_)) => return Ok(None),
            Ok(None) => CloseReason::Shutdown,
            Err(NetError::TimedOut) => CloseReason::Timeout,
            Err(error) => return Err(error),
        };
        // The session says why, and closes at its next action.
        self.session.end(ended, &mut self.output);
        Ok(None)
    }

    /// `None`: the daemon is going down.
    async fn read_command(&mut self, drain: &Drain) -> Result<Option<usize>, NetError> {
        self.pace = None;
        if !self.session.is_in_exchange() {
            self.exchange = None;
        }
        self.output = Vec::new();
        self.block = Vec::new();
        let deadline = self.command_deadline;
        let read = self.connection.read_by(self.input.for_command(), deadline);
        tokio::select! {
            biased;
            read = read => read.map(Some),
            () = drain.requested() => Ok(None),
        }
    }

    /// Goes on while the daemon is going down: the client would send all of it again. Chunks, and
    /// what stands between them, must come as fast as the message would without them.
    async fn read_data(&mut self) -> Result<Option<usize>, NetError> {
        let house = &self.listening.house;
        let now = Instant::now();
        let pace = self.pace.get_or_insert_with(|| Pace::new(house.data_timeout, now));
        let deadline = pace.deadline().min(now + house.command_timeout);
        // A small message often comes in one piece, and needs no room of its own.
        let buffer =
            if self.block.is_empty() { self.input.for_command() } else { self.input.for_data() };
        let count = self.connection.read_by(buffer, deadline).await?;
        pace.progress(count, Instant::now());
        Ok(Some(count))
    }

    async fn start_tls(&mut self) -> Result<(), NetError> {
        self.flush().await?;
        let timeout = self.listening.house.handshake_timeout;
        if let Some(tls) = &self.listening.tls {
            self.connection.start_tls(tls, self.input.discard(), timeout).await?;
            self.visitor.begin_tls(&self.connection);
            let mechanisms = offer::mechanisms(&self.listening, &self.connection, &self.visitor);
            self.session.offer(mechanisms);
        }
        self.command_deadline = Instant::now() + self.listening.house.command_timeout;
        Ok(())
    }

    async fn finish(self: Box<Self>, end: End) {
        let this = *self;
        log::ended(&this.listening, &this.connection, &this.visitor, &end, this.session.counts());
        // What the session held is let go of before the client can notice the close.
        drop(this.session);
        this.connection.close().await;
    }
}

impl End {
    /// A stable word for the log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Closed(reason) => reason.word(),
            Self::Gone | Self::Failed(NetError::Closed) => "client-gone",
            Self::TurnedAway(why) => why,
            Self::Failed(NetError::TimedOut) => "timeout",
            Self::Failed(NetError::Handshake(_)) => "tls-handshake",
            Self::Failed(_) => "connection-failed",
        }
    }

    pub(crate) fn error(&self) -> Option<&NetError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Closed(_) | Self::Gone | Self::TurnedAway(_) => None,
        }
    }
}
