//! Both daemons in this process, with a clock and a next hop that belong to the test.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::ManualClock;
use lastpost::config::Config;
use lastpost::demo::sink::{Received, Sink};
use lastpost::service::{Role, Service};
use tokio::runtime::Runtime;

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
    /// The text of `pop-before-smtp.toml`; without it there is no bridge.
    pub bridge: Option<String>,
    /// Whether connections to the plain listeners begin with a PROXY header from 127.0.0.1.
    pub proxied: bool,
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
            bridge: None,
            proxied: false,
            submission: "",
            pop3: "",
        }
    }
}

impl Plan {
    /// The same with a bridge.
    #[must_use]
    pub fn with_bridge(self, bridge: &str) -> Self {
        Self { bridge: Some(bridge.to_owned()), ..self }
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
        self.service = Some(service.unwrap_or_else(|error| panic!("{error}")));
    }

    fn stop(&mut self) {
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

    /// The reply to `MAIL FROM` of a client without password at `from`.
    #[must_use]
    pub fn mail_from(&self, sender: &str, from: IpAddr) -> String {
        let mut talk = self.client("legacy", from);
        talk.expect("EHLO customer.example", "250");
        let reply = talk.ask(&format!("MAIL FROM:<{sender}>"));
        talk.expect("QUIT", "221");
        reply
    }

    /// A client without password at `from` sends a small message; the last reply.
    #[must_use]
    pub fn send(&self, sender: &str, from: IpAddr) -> String {
        let mut talk = self.client("legacy", from);
        talk.expect("EHLO customer.example", "250");
        let reply = talk.ask(&format!("MAIL FROM:<{sender}>"));
        if !reply.starts_with("250") {
            return reply;
        }
        talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
        talk.expect("DATA", "354");
        talk.send(&format!("From: <{sender}>"));
        talk.send("Subject: hello");
        talk.send("");
        talk.send("text");
        talk.ask(".")
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

    /// Replaces the bridge's file and reloads, as `lastpost reload` does.
    ///
    /// # Errors
    /// What the admin reads.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn reload_bridge(&self, text: &str) -> Result<(), String> {
        std::fs::write(self.path("pop-before-smtp.toml"), text).expect("written");
        self.service().controls().reload().map(|_| ())
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

fn maildir(directory: &Path, login: &str) -> PathBuf {
    directory.join("mail").join(login).join("Maildir")
}

/// Cheap hashes: the tests are not about their cost.
fn hash(password: &str) -> String {
    let cost = auth::Argon2Params::new(64, 1, 1).expect("a cost");
    let hash = auth::hash_new(password.as_bytes(), &cost).expect("a hash");
    hash.to_field().to_string()
}

fn write_installation(directory: &Path, plan: &Plan, next_hop: SocketAddr) {
    let mut users = String::new();
    for customer in &plan.customers {
        let maildir = maildir(directory, customer.login);
        maildrop::create(&maildir).expect("a Maildir");
        let mut addresses = vec![customer.login];
        addresses.extend_from_slice(customer.aliases);
        let _ = writeln!(
            users,
            "{}:{}::::{}::addresses={}",
            customer.login,
            hash(customer.password),
            maildir.parent().expect("a home").display(),
            addresses.join(",")
        );
    }
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let write =
        |name: &str, text: &str| std::fs::write(directory.join(name), text).expect("written");
    write("users", &users);
    write("certificate.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    write("lastpost.toml", &config(plan, next_hop));
    if let Some(bridge) = &plan.bridge {
        write("pop-before-smtp.toml", bridge);
    }
}

/// The configuration: every listener on a port of the system's choice.
fn config(plan: &Plan, next_hop: SocketAddr) -> String {
    let proxied = plan.proxied;
    let proxies = if proxied { "trusted_proxies = [\"127.0.0.1/32\"]\n" } else { "" };
    let legacy = if plan.bridge.is_some() {
        "[\"smtp-auth\", \"pop-before-smtp\"]"
    } else {
        "[\"smtp-auth\"]"
    };
    format!(
        r#"hostname = "mail.lastpost.example"
data_directory = "state"

[tls]
certificate = "certificate.pem"
key = "key.pem"

[accounts]
passwd_file = "users"

[auth]
argon2_memory_kib = 64
argon2_passes = 1
failure_delay = "0s"
failure_delay_max = "0s"

[pop3]
{proxies}{pop3}
[[pop3.listen]]

address = "127.0.0.1:0"
proxy_protocol = {proxied}
[[pop3.listen]]

address = "127.0.0.1:0"
tls = "implicit"

[submission]
{proxies}{submission}
[[submission.listen]]
name = "legacy"
address = "127.0.0.1:0"
proxy_protocol = {proxied}
authorities = {legacy}
[[submission.listen]]
name = "submission"
address = "127.0.0.1:0"
authorities = ["smtp-auth"]
[[submission.listen]]
name = "submissions"
address = "127.0.0.1:0"
tls = "implicit"
authorities = ["smtp-auth"]

[spool]
directory = "spool"
segment_size = "4MiB"
free_space_min = 0

[relay]
local_domains = ["open.example", "closed.example"]
[relay.next_hop]
address = "{next_hop}"
"#,
        pop3 = plan.pop3,
        submission = plan.submission,
    )
}
