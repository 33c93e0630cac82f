//! Connections to a policy service: kept, and used one question at a time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Action, Question};
use crate::config::PolicyConfig;
use crate::endpoint::{Endpoint, Stream};
use crate::error::FilterError;

/// Octets of an answer.
const ANSWER_MAX: usize = 16 * 1024;

/// A policy service.
pub(crate) struct Policy {
    pub(crate) config: PolicyConfig,
    endpoint: Endpoint,
    places: Semaphore,
    idle: Mutex<Vec<Stream>>,
}

impl Policy {
    /// From a configuration that was checked.
    pub(crate) fn new(config: &PolicyConfig) -> Option<Self> {
        Some(Self {
            endpoint: Endpoint::parse(&config.address).ok()?,
            places: Semaphore::new(config.connections_max),
            idle: Mutex::default(),
            config: config.clone(),
        })
    }

    /// Asks. A connection that was kept may have been closed meanwhile: then a new one is tried,
    /// for the service cannot have answered.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Action, FilterError> {
        let patience = self.config.command_timeout;
        let _place = timeout(patience, self.places.acquire())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(FilterError::Busy)?;
        while let Some(stream) = self.kept() {
            match self.ask_over(stream, question, patience).await {
                Err(FilterError::Closed | FilterError::Io(_)) => {}
                outcome => return outcome,
            }
        }
        let stream = self.endpoint.connect(self.config.connect_timeout).await?;
        self.ask_over(stream, question, patience).await
    }

    async fn ask_over(
        &self,
        mut stream: Stream,
        question: &Question,
        patience: Duration,
    ) -> Result<Action, FilterError> {
        let exchange = async {
            stream.write_all(question.as_bytes()).await?;
            let mut answer = Vec::with_capacity(256);
            while !answer.ends_with(b"\n\n") {
                if answer.len() > ANSWER_MAX {
                    return Err(FilterError::Nonsense("its answer is too long"));
                }
                if stream.read_buf(&mut answer).await? == 0 {
                    return Err(FilterError::Closed);
                }
            }
            Ok(answer)
        };
        let answer = timeout(patience, exchange).await.map_err(|_| FilterError::TimedOut)??;
        self.keep(stream);
        let text = String::from_utf8_lossy(&answer);
        let action = text.lines().find_map(|line| line.strip_prefix("action="));
        let action = action.ok_or(FilterError::Nonsense("its answer has no action"))?;
        Ok(Action::parse(&self.config.name, action))
    }

    fn kept(&self) -> Option<Stream> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, stream: Stream) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.config.connections_idle {
            idle.push(stream);
        }
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("name", &self.config.name).finish_non_exhaustive()
    }
}
