//! Whom to connect to, and as whom.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::BenchError;
use super::load::Turn;

/// How TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Tls {
    /// Not at all.
    None,
    /// By a command (STLS, STARTTLS).
    Starttls,
    /// With the connection.
    Implicit,
}

/// Whom to connect to, and as whom. Any certificate is accepted.
#[derive(Clone, Debug, Args)]
pub(super) struct TargetArgs {
    /// Address and port of the server.
    #[arg(long, required_unless_present = "demo")]
    addr: Option<SocketAddr>,
    /// A directory made by `lastpost demo --dir`: ports and accounts are taken from it.
    #[arg(long)]
    demo: Option<PathBuf>,
    /// How TLS begins.
    #[arg(long, value_enum, default_value = "none")]
    pub(super) tls: Tls,
    /// Login, `{}` in it being replaced by a number from 0.
    #[arg(long, default_value = "user{}@example.net")]
    login: String,
    /// Password of all accounts, `{}` as in the login.
    #[arg(long, default_value = "secret")]
    password: String,
    /// Number of accounts, used one after the other.
    #[arg(long, default_value_t = 1)]
    users: usize,
}

/// An account to log in to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
    pub(super) password: String,
    /// First address; the login if there is none.
    #[serde(default)]
    pub(super) addresses: Vec<String>,
}

impl Account {
    pub(super) fn address(&self) -> &str {
        self.addresses.first().unwrap_or(&self.login)
    }
}

/// What a session needs to know.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) addr: SocketAddr,
    pub(super) tls: Tls,
    /// At least one.
    accounts: Arc<[Account]>,
}

impl Target {
    pub(super) fn new(addr: SocketAddr, tls: Tls, accounts: Vec<Account>) -> Self {
        Self { addr, tls, accounts: accounts.into() }
    }

    /// The same accounts, at another server.
    pub(super) fn at(&self, addr: SocketAddr) -> Self {
        Self { addr, ..self.clone() }
    }

    /// One of its accounts alone.
    pub(super) fn only(&self, index: usize) -> Self {
        let account = self.accounts[index % self.accounts.len()].clone();
        Self::new(self.addr, self.tls, vec![account])
    }

    /// The account of a session. With as many accounts as workers no two workers ever use the
    /// same one, since a maildrop is for one session at a time (RFC 1939 section 4).
    pub(super) fn account(&self, turn: Turn) -> &Account {
        let count = self.accounts.len() as u64;
        let own = count.saturating_sub(turn.worker).div_ceil(turn.workers.max(1)).max(1);
        let index = turn.worker + turn.round % own * turn.workers;
        // There is at least one account, see `resolve`.
        &self.accounts[usize::try_from(index % count).unwrap_or(0)]
    }
}

/// `demo.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Demo {
    ports: std::collections::BTreeMap<String, u16>,
    pub(super) accounts: Vec<DemoAccount>,
}

/// An account of `demo.json`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DemoAccount {
    #[serde(flatten)]
    pub(super) account: Account,
    pub(super) maildir: PathBuf,
}

impl Demo {
    pub(super) fn read(directory: &Path) -> Result<Self, BenchError> {
        let path = directory.join("demo.json");
        let wrong = |why: String| BenchError::File { path: path.clone(), why };
        let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let demo: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if demo.accounts.is_empty() {
            return Err(wrong("it has no accounts".into()));
        }
        Ok(demo)
    }

    pub(super) fn port(&self, name: &str) -> Result<SocketAddr, BenchError> {
        let port = self.ports.get(name);
        let port =
            port.ok_or_else(|| BenchError::Usage(format!("demo.json has no port `{name}`")))?;
        Ok(SocketAddr::from(([127, 0, 0, 1], *port)))
    }

    /// The demo's daemon, all accounts in use.
    pub(super) fn target(&self, ports: &Ports, tls: Tls) -> Result<Target, BenchError> {
        let addr = self.port(ports.name(tls))?;
        Ok(Target::new(addr, tls, self.accounts()))
    }

    fn accounts(&self) -> Vec<Account> {
        self.accounts.iter().map(|demo| demo.account.clone()).collect()
    }
}

/// Names of the ports in `demo.json` for each way of TLS.
pub(super) struct Ports {
    pub(super) plain: &'static str,
    pub(super) starttls: &'static str,
    pub(super) implicit: &'static str,
}

impl Ports {
    fn name(&self, tls: Tls) -> &'static str {
        match tls {
            Tls::None => self.plain,
            Tls::Starttls => self.starttls,
            Tls::Implicit => self.implicit,
        }
    }
}

pub(super) const POP3: Ports = Ports { plain: "pop3", starttls: "pop3", implicit: "pop3s" };
pub(super) const SUBMISSION: Ports =
    Ports { plain: "legacy", starttls: "submission", implicit: "submissions" };

impl TargetArgs {
    /// Reads the demo's description, if one is given.
    pub(super) fn resolve(&self, ports: &Ports) -> Result<Target, BenchError> {
        match (&self.demo, self.addr) {
            (Some(directory), None) => Demo::read(directory)?.target(ports, self.tls),
            (Some(directory), Some(addr)) => {
                Ok(Target::new(addr, self.tls, Demo::read(directory)?.accounts()))
            }
            (None, Some(addr)) => Ok(Target::new(addr, self.tls, self.numbered())),
            (None, None) => Err(BenchError::Usage("--addr or --demo is needed".into())),
        }
    }

    fn numbered(&self) -> Vec<Account> {
        (0..self.users.max(1))
            .map(|number| Account {
                login: self.login.replace("{}", &number.to_string()),
                password: self.password.replace("{}", &number.to_string()),
                addresses: Vec::new(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(demo: Option<PathBuf>, tls: Tls) -> TargetArgs {
        TargetArgs {
            addr: demo.is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 110))),
            demo,
            tls,
            login: "u{}@x".into(),
            password: "p{}".into(),
            users: 3,
        }
    }

    #[test]
    fn accounts_are_numbered_and_used_in_turn() {
        let target = args(None, Tls::None).resolve(&POP3).unwrap();
        let login = |turn| target.account(turn).login.as_str();
        let alone = |round| Turn { number: round, worker: 0, workers: 1, round };
        assert_eq!([0, 1, 2, 3].map(|round| login(alone(round))), ["u0@x", "u1@x", "u2@x", "u0@x"]);
        assert_eq!(target.account(alone(5)).password, "p2");
        assert_eq!(target.account(alone(1)).address(), "u1@x");
    }

    #[test]
    fn workers_keep_to_their_own_accounts_while_there_are_enough() {
        let target = args(None, Tls::None).resolve(&POP3).unwrap();
        let logins = |worker, workers| -> Vec<String> {
            let turn = |round| Turn { number: 0, worker, workers, round };
            (0..3).map(|round| target.account(turn(round)).login.clone()).collect()
        };
        assert_eq!(logins(0, 2), ["u0@x", "u2@x", "u0@x"]);
        assert_eq!(logins(1, 2), ["u1@x", "u1@x", "u1@x"]);
        assert_eq!(logins(2, 3), ["u2@x", "u2@x", "u2@x"]);
        assert_eq!(logins(4, 5), ["u1@x", "u1@x", "u1@x"]);
    }

    #[test]
    fn a_demo_tells_ports_and_accounts() {
        let directory = tempfile::tempdir().unwrap();
        let json = r#"{"ports": {"pop3": 1110, "pop3s": 1995, "legacy": 1025}, "certificate": "c",
            "accounts": [{"login": "a", "password": "b", "addresses": ["a@x"], "cohort": "open",
                          "maildir": "/m"}], "spool": "s", "config": "f"}"#;
        fs::write(directory.path().join("demo.json"), json).unwrap();
        let demo = Some(directory.path().to_owned());
        let target = args(demo.clone(), Tls::Implicit).resolve(&POP3).unwrap();
        assert_eq!(target.addr.port(), 1995);
        assert_eq!(target.account(Turn::first()).address(), "a@x");
        let error = args(demo, Tls::Implicit).resolve(&SUBMISSION).unwrap_err();
        assert!(error.to_string().contains("submissions"), "{error}");
        assert!(args(Some("/nowhere".into()), Tls::None).resolve(&POP3).is_err());
    }
}
