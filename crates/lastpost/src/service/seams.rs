//! What occupies the seams of `auth`, and what comes with each occupant.

use std::sync::Arc;

use auth::{Chain, LoginObserver, RulingObserver, SmtpAuth, SubmissionAuthority};
use axum::Router;
use tokio::task::JoinHandle;

use crate::config::{Config, ConfigError};
use crate::control::Reload;

/// Takes figures at the moment it is called.
pub(crate) type Figures = Box<dyn Fn() -> Vec<(String, u64)> + Send + Sync>;

/// Writes down what is in memory alone.
pub(crate) type AtEnd = Box<dyn FnOnce() + Send + Sync>;

/// The occupants of the seams.
pub(crate) struct Seams {
    /// Told of each POP3 login.
    pub(crate) observers: Vec<Arc<dyn LoginObserver>>,
    /// Everybody who may be named as an authority of a listener.
    pub(crate) authorities: Vec<Arc<dyn SubmissionAuthority>>,
    /// Told of each ruling.
    pub(crate) rulings: Vec<Arc<dyn RulingObserver>>,
    /// What a reload reads again.
    pub(crate) reloads: Vec<Arc<dyn Reload>>,
    /// Further figures for the status page, by name.
    pub(crate) figures: Vec<Figures>,
    /// Further routes of the control side.
    pub(crate) routes: Router,
    /// Tasks that live as long as the service.
    pub(crate) background: Vec<JoinHandle<()>>,
    /// What is written at the end. May block.
    pub(crate) at_end: Vec<AtEnd>,
}

impl Default for Seams {
    fn default() -> Self {
        Self {
            observers: Vec::new(),
            authorities: vec![Arc::new(SmtpAuth)],
            rulings: Vec::new(),
            reloads: Vec::new(),
            figures: Vec::new(),
            routes: Router::new(),
            background: Vec::new(),
            at_end: Vec::new(),
        }
    }
}

impl Seams {
    /// The chain of a listener that names these authorities.
    pub(crate) fn chain(&self, names: &[String]) -> Chain {
        let authorities = names
            .iter()
            .filter_map(|name| self.authorities.iter().find(|known| known.name() == name))
            .cloned()
            .collect();
        Chain::new(authorities, self.rulings.clone())
    }

    /// The names of the authorities.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.authorities.iter().map(|authority| authority.name()).collect()
    }
}

/// Whether every authority that a listener names is among `known`.
///
/// # Errors
/// The first that is not.
pub(crate) fn check_authorities(config: &Config, known: &[&str]) -> Result<(), ConfigError> {
    for (index, listen) in config.submission.listen.iter().enumerate() {
        for name in &listen.authorities {
            if !known.contains(&name.as_str()) {
                let key = format!("submission.listen[{index}].authorities");
                let message = format!(
                    "{name:?} is not an authority of this build and configuration; expected some \
                     of {}",
                    known.join(", ")
                );
                return Err(config.mistake(&key, message));
            }
        }
    }
    Ok(())
}
