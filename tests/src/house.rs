//! Both daemons in this process, with a clock and a next hop that belong to the test.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::ManualClock;
use lastpost::config::Config;
use lastpost::control::ControlClient;
use lastpost::demo::sink::{Received, Sink};
use lastpost::service::{Role, Service};
use tokio::runtime::Runtime;

use crate::installation::{maildir, write_installation};
use crate::{Talk, eventually};

/// One account of the house.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Login name.
    pub login: &'static str,
    /// Password.
    pub password: &'static str,
    /// Addresses beside the login itself.
    pub aliases: &'static [&'static str],
}

/// What the house is to be like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the story begins: `2026-11-24T09:00:00Z` unless the test says otherwise.
    pub begins: &'static str,
    /// The accounts.
    pub customers: Vec<Customer>,
    /// Who may let a message in on the legacy port, in this order.
    pub legacy_authorities: Vec<&'static str>,
    /// Files that lie beside `lastpost.toml`: name and text.
    pub files: Vec<(&'static str, String)>,
    /// Whether connections to the plain listeners begin with a PROXY header from 127.0.0.1.
    pub proxied: bool,
    /// Domains whose mail goes into the accounts' Maildirs.
    pub local_domains: Vec<&'static str>,
    /// Further lines for `[submission]`.
    pub submission: &'static str,
    /// Further lines for `[pop3]`.
    pub pop3: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            begins: "2026-11-24T09:00:00Z",
            customers: vec![
                Customer {
                    login: "aiko@open.example",
                    password: "aiko's password",
                    aliases: &["sales@open.example"],
                },
                Customer { login: "bert@open.example", password: "bert's password", aliases: &[] },
                Customer {
                    login: "clara@closed.example",
                    password: "clara's password",
                    aliases: &[],
                },
            ],
            legacy_authorities: vec!["smtp-auth"],
            files: Vec::new(),
            proxied: false,
            local_domains: vec!["open.example", "closed.example"],
            submission: "",
            pop3: "",
        }
    }
}

/// A running house. Its directory goes with it.
pub struct House {
    plan: Plan,
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    received: Arc<Mutex<Vec<Received>>>,
    service: Option<Service>,
    sink: Option<Sink>,
    runtime: Runtime,
}

/// Longer than anything takes that the kit waits for.
const PATIENCE: Duration = Duration::from_secs(30);

impl House {
    /// Sets the house up and starts it.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(plan: Plan) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::new(plan.begins.parse().expect("an instant")));
        let received = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&received);
        let sink = runtime
            .block_on(Sink::bind_with(
                SocketAddr::from(([127, 0, 0, 1], 0)),
                Arc::new(move |message| {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                }),
            ))
            .expect("a sink");
        write_installation(directory.path(), &plan, sink.address());
        let mut house =
            Self { plan, directory, clock, received, service: None, sink: Some(sink), runtime };
        house.restart();
        house
    }

    /// Stops the daemons if they run, and starts them again on the same directory.
    ///
    /// # Panics
    /// If they do not start.
    pub fn restart(&mut self) {
        self.stop();
        let config =
            Config::load(&self.path("lastpost.toml")).unwrap_or_else(|error| panic!("{error}"));
        let clock: Arc<ManualClock> = Arc::clone(&self.clock);
        let service = self.runtime.block_on(Service::start(config, Role::Both, clock));
        self.service = Some(service.unwrap_or_else(|error| panic!("{error:?}")));
    }

    /// Stops the daemons; [`restart`](Self::restart) starts them again on the same directory.
    pub fn stop(&mut self) {
        if let Some(service) = self.service.take() {
            self.runtime.block_on(service.stop());
        }
    }

    /// A path below the house's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The clock, to be moved.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The running service.
    ///
    /// # Panics
    /// If it is stopped.
    #[must_use]
    pub fn service(&self) -> &Service {
        self.service.as_ref().expect("the house runs")
    }

    /// Where a listener listens: `pop3`, `pop3s`, `legacy`, `submission` or `submissions`.
    ///
    /// # Panics
    /// If there is no such listener.
    #[must_use]
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.service().address(listener).unwrap_or_else(|| panic!("no listener {listener}"))
    }

    /// The account with this login.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn customer(&self, login: &str) -> &Customer {
        let found = self.plan.customers.iter().find(|customer| customer.login == login);
        found.unwrap_or_else(|| panic!("no customer {login}"))
    }

    /// The Maildir of an account.
    #[must_use]
    pub fn maildir(&self, login: &str) -> PathBuf {
        maildir(self.directory.path(), login)
    }

    /// Puts a message into an account's maildrop.
    ///
    /// # Panics
    /// If it cannot be delivered.
    pub fn deliver(&self, login: &str, message: &[u8]) {
        let delivery = maildrop::Delivery::to(&self.maildir(login)).expect("a Maildir");
        delivery.deliver(message).expect("delivered");
    }

    /// A client of `listener` on `from`, greeted already. On a proxied house, `from` is what the
    /// proxy says.
    #[must_use]
    pub fn client(&self, listener: &str, from: IpAddr) -> Talk {
        let to = self.address(listener);
        let mut talk = if self.plan.proxied {
            let mut talk = Talk::connect(to);
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            talk.send_raw(format!("PROXY {family} {from} {from} 49152 110\r\n").as_bytes());
            talk
        } else {
            Talk::connect_from(to, from)
        };
        talk.expect_reply(if listener.starts_with("pop3") { "+OK" } else { "220" });
        talk
    }

    /// A customer at `from` logs in by POP3; the session stays open.
    #[must_use]
    pub fn logged_in(&self, login: &str, from: IpAddr) -> Talk {
        let password = self.customer(login).password;
        let mut talk = self.client("pop3", from);
        talk.expect(&format!("USER {login}"), "+OK");
        talk.expect(&format!("PASS {password}"), "+OK");
        talk
    }

    /// A customer at `from` fetches and quits.
    pub fn fetch(&self, login: &str, from: IpAddr) {
        self.logged_in(login, from).expect("QUIT", "+OK");
    }

    /// A client of the legacy port at `from` that has said `EHLO helo`.
    #[must_use]
    pub fn greeted(&self, from: IpAddr, helo: &str) -> Talk {
        let mut talk = self.client("legacy", from);
        talk.expect(&format!("EHLO {helo}"), "250");
        talk
    }

    /// The reply to `MAIL FROM` of a client without password at `from`.
    #[must_use]
    pub fn mail_from(&self, sender: &str, from: IpAddr) -> String {
        self.mail_from_named(sender, from, "customer.example")
    }

    /// The same of a client that calls itself `helo`.
    #[must_use]
    pub fn mail_from_named(&self, sender: &str, from: IpAddr, helo: &str) -> String {
        let mut talk = self.greeted(from, helo);
        let reply = talk.ask(&format!("MAIL FROM:<{sender}>"));
        talk.expect("QUIT", "221");
        reply
    }

    /// A client without password at `from` sends a small message; the last reply.
    #[must_use]
    pub fn send(&self, sender: &str, from: IpAddr) -> String {
        self.send_named(sender, from, "customer.example")
    }

    /// The same of a client that calls itself `helo`.
    #[must_use]
    pub fn send_named(&self, sender: &str, from: IpAddr, helo: &str) -> String {
        let mut talk = self.greeted(from, helo);
        let reply = talk.ask(&format!("MAIL FROM:<{sender}>"));
        if !reply.starts_with("250") {
            return reply;
        }
        talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
        talk.message(sender)
    }

    /// Asks the running service as the command line does.
    ///
    /// # Panics
    /// If its token cannot be read.
    #[must_use]
    pub fn control(&self) -> ControlClient {
        let token = self.path("state").join("control.token");
        ControlClient::new(self.address("control"), &token).expect("the control token")
    }

    /// Waits until the next hop has `count` messages.
    ///
    /// # Panics
    /// If they do not come.
    pub fn wait_for_mail(&self, count: usize) -> Vec<Received> {
        eventually(PATIENCE, "mail at the next hop", || self.received().len() >= count);
        self.received()
    }

    /// What the next hop has so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop();
        if let Some(sink) = self.sink.take() {
            self.runtime.block_on(sink.stop());
        }
    }
}
