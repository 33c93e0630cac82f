//! A submission daemon in a process of its own, and a customer who sends.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use lastpost_tests::{Process, Site, Talk};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An installation whose submission daemon runs, and whose next hop does not.
pub(crate) struct Shop {
    pub(crate) site: Site,
    daemon: Option<Process>,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let mut shop =
            Self { site: Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 1), daemon: None };
        shop.start();
        shop
    }

    fn start(&mut self) {
        let port = self.site.installation().ports().submission;
        self.daemon = Some(self.site.start(PROGRAM.as_ref(), "lastpost-submissiond", &[port]));
    }

    pub(crate) fn daemon(&self) -> &Process {
        self.daemon.as_ref().expect("the daemon runs")
    }

    /// Kills it as `kill -9` does, and starts it again.
    pub(crate) fn crash(&mut self) {
        self.daemon.take().expect("the daemon runs").kill_9();
        self.start();
    }

    /// A session that has authenticated.
    pub(crate) fn customer(&self) -> Customer {
        let installation = self.site.installation();
        let account = &installation.accounts()[0];
        let mut talk = Talk::connect(self.site.at(installation.ports().submission));
        talk.expect_reply("220");
        talk.expect("EHLO customer.example", "250");
        let login = format!("\0{}\0{}", account.login, account.password);
        let encoded = base64::engine::general_purpose::STANDARD.encode(login);
        talk.expect(&format!("AUTH PLAIN {encoded}"), "235");
        Customer { talk, address: account.login.clone() }
    }

    /// How many messages are queued.
    pub(crate) fn queued(&self) -> u64 {
        let mut status = std::process::Command::new(PROGRAM);
        status.env("LASTPOST_PROGRAM", "lastpost").arg("--config");
        status.arg(self.site.installation().config_file()).args(["--json", "status"]);
        let output = status.output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        json["queued"].as_u64().unwrap_or_else(|| panic!("{json}"))
    }
}

pub(crate) struct Customer {
    pub(crate) talk: Talk,
    address: String,
}

impl Customer {
    /// Sends a message with a body of so many lines; the last reply, of whichever command.
    pub(crate) fn send(&mut self, lines: usize) -> String {
        let sender = self.address.clone();
        self.talk.expect(&format!("MAIL FROM:<{sender}>"), "250");
        self.talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
        let reply = self.talk.ask("DATA");
        if !reply.starts_with("354") {
            return reply;
        }
        let body = format!("{}\r\n", "x".repeat(98)).repeat(lines);
        self.talk.send_raw(format!("From: {sender}\r\n\r\n{body}").as_bytes());
        self.talk.ask(".")
    }
}
