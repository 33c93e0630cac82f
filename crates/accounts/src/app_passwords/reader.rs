//! The thread that answers whether an app password is one.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use address::AccountKey;
use auth::{AppPasswordName, Service};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::database::{Database, Purpose};
use super::service_of;
use super::usage::{Notes, Use};

/// Questions that may wait. Each takes microseconds.
const WAITING_MAX: usize = 1024;

/// What is asked.
pub(super) struct Question {
    pub(super) account: AccountKey,
    pub(super) digest: [u8; 32],
    pub(super) service: Service,
    pub(super) client: IpAddr,
    pub(super) at: Timestamp,
    pub(super) answer: oneshot::Sender<Result<Option<AppPasswordName>, String>>,
}

/// A handle to the thread, which ends when this goes.
pub(super) struct Reader {
    questions: SyncSender<Question>,
}

impl Reader {
    pub(super) fn start(path: PathBuf, notes: Notes) -> io::Result<Self> {
        let (questions, inbox) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("app-passwords".to_owned())
            .spawn(move || answer_all(&path, &inbox, &notes))?;
        Ok(Self { questions })
    }

    /// Passes a question on, without waiting.
    pub(super) fn ask(&self, question: Question) -> Result<(), String> {
        self.questions.try_send(question).map_err(|error| match error {
            TrySendError::Full(_) => "too many questions are waiting".to_owned(),
            TrySendError::Disconnected(_) => "the thread that reads the file is gone".to_owned(),
        })
    }
}

fn answer_all(path: &Path, inbox: &Receiver<Question>, notes: &Notes) {
    let mut database = None;
    let mut is_failing = false;
    for question in inbox {
        let found = look_up(path, &mut database, &question);
        if found.is_err() {
            // What is wrong may be this connection.
            database = None;
        }
        if is_failing != found.is_err() {
            is_failing = found.is_err();
            match &found {
                Err(problem) => {
                    tracing::warn!(target: "lastpost::auth", %problem, "app passwords cannot be read");
                }
                Ok(_) => {
                    tracing::info!(target: "lastpost::auth", "app passwords can be read again")
                }
            }
        }
        if let Ok(Some(_)) = &found {
            let Question { account, digest, service, client, at, .. } = &question;
            notes.note(
                (account.clone(), *digest),
                Use { at: at.as_second(), client: *client, service: *service },
            );
        }
        // Whoever asked may have gone.
        let _ = question.answer.send(found);
    }
}

/// Looks into the file as it is now.
pub(super) fn look_up(
    path: &Path,
    database: &mut Option<Database>,
    question: &Question,
) -> Result<Option<AppPasswordName>, String> {
    if database.as_ref().is_none_or(|open| !open.is_at(path)) {
        *database = Database::open(path, Purpose::Read).map_err(|error| error.to_string())?;
    }
    let Some(open) = database else { return Ok(None) };
    let read = || {
        let mut statement = open.connection.prepare_cached(
            "SELECT name, only_service, expires FROM app_password
             WHERE account = ?1 AND digest = ?2",
        )?;
        let keys = params![question.account.as_str(), question.digest];
        let row = statement.query_row(keys, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?))
        });
        row.optional()
    };
    let found: Option<(String, Option<String>, Option<i64>)> =
        read().map_err(|error: rusqlite::Error| format!("{}: {error}", path.display()))?;
    Ok(found.and_then(|(name, only, expires)| {
        // A word that is not known limits to nothing that there is.
        let fits = only.is_none_or(|only| service_of(&only) == Some(question.service));
        let lives = expires.is_none_or(|expires| question.at.as_second() < expires);
        (fits && lives).then(|| AppPasswordName(name.into()))
    }))
}
