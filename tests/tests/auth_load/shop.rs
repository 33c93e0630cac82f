//! Both daemons in one process behind a proxy that names their clients, and what it holds.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use lastpost_tests::{Process, Site};

use crate::wire::Service;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
pub(crate) const PASSWORD: &str = "bench-pass";
/// argon2id at the default cost, of the password above.
pub(crate) const COSTLY: &str = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$bGFzdHBvc3RiZW5jaDAwMQ$hb30xK1vvhCLVAoHIKrEpp0GMvt0JcImbsMr7CtRQqs";

/// The same password at hardly any cost.
pub(crate) fn cheap() -> String {
    let cost = auth::Argon2Params::new(32, 1, 1).unwrap();
    auth::hash_new(PASSWORD.as_bytes(), &cost).unwrap().to_field().to_string()
}

/// One line of the table.
pub(crate) struct Account {
    pub(crate) login: String,
    pub(crate) disabled: bool,
    /// Whether there is mail to be looked at.
    pub(crate) has_box: bool,
}

impl Account {
    pub(crate) fn new(login: String) -> Self {
        Self { login, disabled: false, has_box: false }
    }
}

pub(crate) struct Shop {
    site: Site,
    daemon: Option<Process>,
}

impl Shop {
    /// Running, with these accounts. `auth`: what is in the section `[auth]` and below it.
    pub(crate) fn open(auth: &str, accounts: &[Account], hash: &str) -> Self {
        let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 1);
        let mut shop = Self { site, daemon: None };
        for account in accounts.iter().filter(|account| account.has_box) {
            maildrop::create(&shop.home(&account.login).join("Maildir")).unwrap();
        }
        shop.write_accounts(accounts, hash);
        fs::write(shop.config(), shop.text(auth)).unwrap();
        shop.remove_other_configuration();
        let ports = shop.site.installation().ports();
        let listening = [ports.legacy, ports.submission, ports.control];
        shop.daemon = Some(shop.site.start(Path::new(PROGRAM), "lastpost", &listening));
        shop
    }

    /// What else the site came with speaks of its own customers, whom nobody has here.
    fn remove_other_configuration(&self) {
        let is_other = |path: &Path| path.extension().is_some_and(|ext| ext == "toml");
        for entry in fs::read_dir(self.directory()).unwrap() {
            let path = entry.unwrap().path();
            if is_other(&path) && path != self.config() {
                fs::remove_file(path).unwrap();
            }
        }
    }

    fn directory(&self) -> &Path {
        self.site.installation().directory()
    }

    fn home(&self, login: &str) -> PathBuf {
        self.directory().join("mail").join(login)
    }

    fn config(&self) -> PathBuf {
        self.site.installation().config_file()
    }

    fn text(&self, auth: &str) -> String {
        let ports = self.site.installation().ports();
        let directory = self.directory().display();
        format!(
            r#"hostname = "mail.lastpost.example"
data_directory = "{directory}/state-of-load"

[accounts]
passwd_file = "{directory}/users-of-load"
check_every = "0s"

[auth]
{auth}
[pop3]
trusted_proxies = ["127.0.0.0/8"]
cleartext_networks = ["0.0.0.0/0"]
[[pop3.listen]]
address = "127.0.0.1:{}"
tls = "none"
proxy_protocol = true

[submission]
trusted_proxies = ["127.0.0.0/8"]
cleartext_auth_networks = ["0.0.0.0/0"]
[[submission.listen]]
name = "submission"
address = "127.0.0.1:{}"
tls = "none"
proxy_protocol = true
authorities = ["smtp-auth"]

[control]
listen = "127.0.0.1:{}"

[spool]
directory = "{directory}/spool-of-load"
segment_size = "4MiB"
free_space_min = 0

[relay]
[relay.next_hop]
address = "127.0.0.1:9"
"#,
            ports.legacy, ports.submission, ports.control
        )
    }

    fn write_accounts(&self, accounts: &[Account], hash: &str) {
        let mut table = String::new();
        for Account { login, disabled, .. } in accounts {
            let home = self.home(login);
            let extra = if *disabled { "disabled=yes" } else { "" };
            let _ = writeln!(table, "{login}:{hash}::::{}::{extra}", home.display());
        }
        fs::write(self.directory().join("users-of-load"), table).unwrap();
    }

    /// Everybody's hash is another one from now on, of the same password: nothing that was
    /// remembered of it is good any more.
    pub(crate) fn rehash(&self, accounts: &[Account], hash: &str) {
        self.write_accounts(accounts, hash);
        self.lastpost(&["reload"]);
    }

    pub(crate) fn address(&self, service: Service) -> SocketAddr {
        let ports = self.site.installation().ports();
        self.site.at(match service {
            Service::Pop3 => ports.legacy,
            Service::Submission => ports.submission,
        })
    }

    fn lastpost(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(PROGRAM);
        command.env("LASTPOST_PROGRAM", "lastpost").arg("--config").arg(self.config());
        let output = command.args(arguments).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(output.stderr));
        text(output.stdout)
    }

    /// What the daemon itself has counted, by the names that its status shows.
    pub(crate) fn figures(&self) -> Figures {
        let report = self.lastpost(&["auth", "status", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let figures = report["figures"].as_array().unwrap().iter();
        let pair =
            |of: &serde_json::Value| (of[0].as_str().unwrap().into(), of[1].as_u64().unwrap());
        Figures(figures.map(pair).collect())
    }

    /// Resident memory in KiB: now (`VmRSS`), or the most that it ever was (`VmHWM`).
    pub(crate) fn resident(&self, which: &str) -> u64 {
        let id = self.daemon.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Seconds of processor time that the daemon has taken.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let id = self.daemon.as_ref().unwrap().id();
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // User and system time, in hundredths (proc(5), fields 14 and 15).
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

pub(crate) struct Figures(Vec<(String, u64)>);

impl Figures {
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value)
    }

    /// Those that have grown since, by how much.
    pub(crate) fn since(&self, before: &Self) -> String {
        let grown = self.0.iter().filter_map(|(name, value)| {
            let more = value.saturating_sub(before.of(name));
            (more > 0).then(|| format!("{name} {more}"))
        });
        grown.collect::<Vec<_>>().join(", ")
    }
}
