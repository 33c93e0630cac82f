//! Opening, and files that are replaced whole.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth::Clock;

use crate::config::{ConfigError, LimitsConfig};
use crate::limits::{Core, Limits};
use crate::rules::Rules;
use crate::shared::{self, Shared};
use crate::snapshot;
use crate::suspension::Suspensions;
use crate::timeline::Timeline;

/// Why the limits cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// The section `[limits]` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of theirs cannot be read or made.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no randomness.
    #[error("the system gives no random octets")]
    NoRandomness,
}

impl Limits {
    /// Opens the limits, whose files lie in `directory` (made if it is missing). Counters that
    /// cannot be read are begun anew with a warning: mail flows. Does file work: not on an async
    /// worker.
    ///
    /// # Errors
    /// [`LimitsError`].
    pub fn open(
        config: &LimitsConfig,
        directory: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LimitsError> {
        Self::open_patient(config, directory, clock, shared::ANSWER_TIMEOUT)
    }

    /// The same with another bound on the shared counters' answers.
    pub(crate) fn open_patient(
        config: &LimitsConfig,
        directory: &Path,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Result<Self, LimitsError> {
        config.check()?;
        let io = |file: &Path| {
            let file = file.to_owned();
            move |source| LimitsError::Io { file, source }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io(directory))?;
        let shared = match &config.shared {
            None => None,
            Some(url) => {
                let password = config.shared_password()?;
                Some(Shared::new(url, password.as_deref(), patience)?)
            }
        };
        let suspensions = Suspensions::open(directory)?;
        let file = directory.join("counters");
        let state = snapshot::load_or_begin(&file, config.entries_max)?;
        let timeline = Timeline::new(clock.now(), state.now);
        Ok(Self::from_core(Core::new(
            Rules::resolve(config)?,
            config,
            config.admin_address()?,
            state,
            crate::limits::Means { file, timeline, suspensions, shared, clock },
        )))
    }
}

impl LimitsConfig {
    /// The password of the shared counters, if there is one.
    ///
    /// # Errors
    /// If its file cannot be read, or is empty.
    pub fn shared_password(&self) -> Result<Option<String>, LimitsError> {
        let Some(file) = &self.shared_password_file else { return Ok(None) };
        let failed = |source| LimitsError::Io { file: file.clone(), source };
        let text = std::fs::read_to_string(file).map_err(failed)?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(failed(io::Error::other("the file is empty; expected the password"))),
            password => Ok(Some(password.to_owned())),
        }
    }
}

/// Puts a file in the place of `file` that holds what `write` writes: whole and flushed, or not
/// at all.
pub(crate) fn replace(
    file: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let new = file.with_extension("new");
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let mut output = BufWriter::with_capacity(1 << 16, &made);
    write(&mut output)?;
    output.flush()?;
    drop(output);
    made.sync_all()?;
    std::fs::rename(&new, file)?;
    match file.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
