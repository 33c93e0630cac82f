//! A milter's part in one transaction, from the first question to the last change.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::reply::Change;
use super::session::{Decision, Session};
use crate::config::MilterConfig;
use crate::endpoint::Endpoint;
use crate::error::FilterError;
use crate::facts::{Client, Message, Sender};
use crate::section::{BadField, Section};

/// A milter that can be talked to.
#[derive(Debug)]
pub(crate) struct Milter {
    pub(crate) config: MilterConfig,
    endpoint: Endpoint,
    places: Arc<Semaphore>,
}

impl Milter {
    /// From a configuration that was checked.
    pub(crate) fn new(config: &MilterConfig) -> Option<Self> {
        Some(Self {
            endpoint: Endpoint::parse(&config.address).ok()?,
            places: Arc::new(Semaphore::new(config.connections_max)),
            config: config.clone(),
        })
    }
}

/// A milter's part in one transaction.
pub(crate) struct MilterTalk {
    milter: Arc<Milter>,
    state: State,
}

enum State {
    /// Nothing was asked yet.
    New,
    Open(Session, OwnedSemaphorePermit),
    /// It wants no more of this message, or has ended it.
    Over,
}

/// What became of the text after a milter has seen it.
pub(crate) struct Revised {
    pub(crate) decision: Decision,
    pub(crate) quarantine: Option<String>,
    pub(crate) changed: Changed,
}

/// What a milter changed.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) header: bool,
    pub(crate) body: Option<Vec<Bytes>>,
    pub(crate) sender: Option<String>,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

impl MilterTalk {
    pub(crate) fn new(milter: Arc<Milter>) -> Self {
        Self { milter, state: State::New }
    }

    pub(crate) fn milter(&self) -> &MilterConfig {
        &self.milter.config
    }

    /// `MAIL`; connects, and says who the client is.
    pub(crate) async fn mail(
        &mut self,
        client: &Client,
        sender: &Sender<'_>,
    ) -> Result<Decision, FilterError> {
        let config = &self.milter.config;
        let waiting = Arc::clone(&self.milter.places).acquire_owned();
        let place = timeout(config.command_timeout, waiting)
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(FilterError::Busy)?;
        let stream = self.milter.endpoint.connect(config.connect_timeout).await?;
        let mut session = Session::begin(stream, config.command_timeout).await?;
        let mut decision = session.client(client).await?;
        if decision == Decision::Continue {
            decision = session.mail(client, sender).await?;
        }
        self.state = State::Open(session, place);
        self.end_unless_open(&decision).await;
        Ok(decision)
    }

    /// `RCPT`. A refusal is this recipient's alone.
    pub(crate) async fn recipient(&mut self, path: &str) -> Result<Decision, FilterError> {
        let State::Open(session, _) = &mut self.state else { return Ok(Decision::Continue) };
        let decision = session.recipient(path).await?;
        if matches!(decision, Decision::Accept | Decision::Discard) {
            self.end().await;
        }
        Ok(decision)
    }

    /// The message; `header` is changed in place.
    pub(crate) async fn message(
        &mut self,
        message: &Message<'_>,
        header: &mut Section,
    ) -> Result<Revised, FilterError> {
        let nothing =
            |decision| Revised { decision, quarantine: None, changed: Changed::default() };
        let State::Open(session, _) = &mut self.state else {
            return Ok(nothing(Decision::Accept));
        };
        let mut changes = Vec::new();
        let patience = self.milter.config.message_timeout;
        let decision = session.message(message, header, patience, &mut changes).await?;
        self.end().await;
        let mut revised = nothing(decision);
        for change in changes {
            apply(change, header, &mut revised, self.milter.config.may_change)
                .map_err(|BadField| FilterError::Nonsense("it makes a field that is none"))?;
        }
        Ok(revised)
    }

    /// Ends the conversation where nothing more is to be said.
    pub(crate) async fn end(&mut self) {
        if let State::Open(session, _place) = std::mem::replace(&mut self.state, State::Over) {
            session.end().await;
        }
    }

    async fn end_unless_open(&mut self, decision: &Decision) {
        if *decision != Decision::Continue {
            self.end().await;
        }
    }
}

fn apply(
    change: Change,
    header: &mut Section,
    revised: &mut Revised,
    may_change: bool,
) -> Result<(), BadField> {
    let changed = &mut revised.changed;
    match change {
        Change::Quarantine(reason) => revised.quarantine = Some(reason),
        _ if !may_change => return Ok(()),
        Change::Add { name, value } => {
            changed.header = true;
            header.add(&name, &value)?;
        }
        Change::Insert { index, name, value } => {
            changed.header = true;
            header.insert(index, &name, &value)?;
        }
        Change::Replace { nth, name, value } => {
            changed.header = true;
            header.change(&name, nth, &value)?;
        }
        Change::AddRecipient(path) => changed.added.push(path),
        Change::RemoveRecipient(path) => changed.removed.push(path),
        Change::Sender(path) => changed.sender = Some(path),
        Change::Body(piece) => changed.body.get_or_insert_default().push(piece),
    }
    Ok(())
}
