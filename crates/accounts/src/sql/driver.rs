//! What the pool needs of a kind of server: sessions that answer one question after the other.

use std::future::Future;
use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use super::query::Query;
use crate::Row;

/// What a placeholder stands for. Prints no values.
#[derive(Clone)]
pub(super) enum Parameter {
    Text(Zeroizing<String>),
    Number(u64),
    Nothing,
}

impl Parameter {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }

    /// Whether a server would choke on it: no table holds a NUL in a text.
    pub(super) fn has_nul(&self) -> bool {
        matches!(self, Self::Text(text) if text.contains('\0'))
    }
}

/// One question.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    /// Rows, at most so many.
    Select(&'a Query, &'a [Parameter], usize),
    /// A change of one row.
    Replace(&'a Query, &'a [Parameter]),
    /// Whether the server takes this query, and its columns are known.
    Check(&'a Query),
}

/// The answer to it.
pub(super) enum Reply {
    Rows(Vec<Row>),
    /// Whether a row was changed.
    Replaced(bool),
    Fine,
}

/// What went wrong. Holds no values.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("no answer within {0:?}")]
    Slow(Duration),
    #[error("nonsense from the server: {0}")]
    Nonsense(String),
    /// The server does not want us, or not now.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server is well, but it or we do not understand the query or its answer.
    #[error("{key}: {problem}")]
    Query { key: String, problem: String },
}

impl Problem {
    pub(super) fn query(query: &Query, problem: impl Into<String>) -> Self {
        Self::Query { key: query.key.clone(), problem: problem.into() }
    }

    /// Whether the session can go on, and the server is well.
    pub(super) fn is_of_query(&self) -> bool {
        matches!(self, Self::Query { .. })
    }
}

/// A kind of server, and how to connect to one.
pub(super) trait Driver: Send + Sync + 'static {
    type Session: Session;

    /// Connects and introduces itself. The caller limits how long that takes.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, Problem>> + Send;
}

/// A connection. One whose question did not come to its end must not be used again.
pub(super) trait Session: Send + 'static {
    /// Whether it is known to be closed.
    fn is_closed(&self) -> bool;

    /// Asks one question.
    fn ask(&mut self, request: Request<'_>) -> impl Future<Output = Result<Reply, Problem>> + Send;
}

/// Checks the names of an answer's columns.
///
/// # Errors
/// The first one that is unknown or stands there twice, or that there is no `login`.
pub(super) fn check_columns<'a>(
    query: &Query,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Problem> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        Row::default().set(name, "").map_err(|error| Problem::query(query, error.to_string()))?;
        if seen.contains(&name) {
            return Err(Problem::query(query, format!("the column {name} is there twice")));
        }
        seen.push(name);
    }
    if seen.contains(&"login") {
        return Ok(());
    }
    let problem = "there is no column login; expected SELECT … AS login: it is what names the \
                   account, whatever was typed";
    Err(Problem::query(query, problem))
}
