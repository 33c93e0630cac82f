//! Two daemons on one host turn the hashes of one passwd-file into better ones while customers
//! log in at both and an administrator changes passwords.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use auth::{Directory, Scheme};
use lastpost::config::Config;
use lastpost_tests::{Process, Site, Talk, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));

struct Pair {
    site: Site,
    pop3d: Process,
    submissiond: Process,
}

impl Pair {
    fn start(accounts: u32) -> Self {
        let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), accounts);
        let file = site.installation().config_file();
        let text = std::fs::read_to_string(&file).unwrap();
        let key = "upgrade_to = \"SCRAM-SHA-256\"\n";
        let text = match text.contains("[auth]\n") {
            true => text.replacen("[auth]\n", &format!("[auth]\n{key}"), 1),
            false => format!("{text}\n[auth]\n{key}"),
        };
        std::fs::write(&file, text).unwrap();
        let ports = site.installation().ports();
        let submissiond =
            site.start(Path::new(PROGRAM), "lastpost-submissiond", &[ports.submissions]);
        let pop3d = site.start(Path::new(PROGRAM), "lastpost-pop3d", &[ports.pop3]);
        Self { site, pop3d, submissiond }
    }

    fn fetch(&self, login: &str, password: &str) -> String {
        let pop3 = self.site.at(self.site.installation().ports().pop3);
        let mut talk = Talk::connect_from(pop3, CUSTOMER);
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {login}"), "+OK");
        talk.ask(&format!("PASS {password}"))
    }

    fn submit(&self, login: &str, password: &str) -> String {
        let submissions = self.site.at(self.site.installation().ports().submissions);
        let mut talk = Talk::connect_tls(submissions, CUSTOMER);
        talk.expect_reply("220");
        talk.expect("EHLO customer.example", "250");
        talk.auth_plain(login, password)
    }

    /// The hash of each account: its scheme, and whether it is that of `password`.
    fn stored(&self, login: &str, password: &str) -> (Scheme, bool) {
        let config = Config::load(&self.site.installation().config_file()).unwrap();
        let directory = Directory::load(&config.accounts.passwd().unwrap()).unwrap();
        let key = directory.key(login).unwrap();
        let account = directory.blocking().find(&key).unwrap().unwrap();
        let hash = account.hash().unwrap();
        (hash.scheme(), hash.verify(password.as_bytes()))
    }

    fn passwd(&self, login: &str, password: &str) {
        let mut command = Command::new(PROGRAM)
            .args(["account", "passwd", login, "--config"])
            .arg(self.site.installation().config_file())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = command.stdin.take().unwrap();
        pipe.write_all(password.as_bytes()).unwrap();
        drop(pipe);
        assert!(command.wait().unwrap().success());
    }
}

#[test]
fn two_daemons_upgrade_one_file_and_nobody_is_locked_out() {
    let pair = Pair::start(6);
    let accounts = pair.site.installation().accounts();
    for account in accounts {
        let reply = pair.fetch(&account.login, &account.password);
        assert!(reply.starts_with("+OK"), "{reply}");
        let reply = pair.submit(&account.login, &account.password);
        assert!(reply.starts_with("235"), "{reply}");
    }
    // In the second in which both daemons gather their changes.
    pair.passwd(&accounts[0].login, "changed");
    for account in accounts {
        let password =
            if account.login == accounts[0].login { "changed" } else { &account.password };
        eventually(Duration::from_secs(60), "an upgrade", || {
            pair.stored(&account.login, password).0 == Scheme::ScramSha256
        });
        assert!(pair.stored(&account.login, password).1, "{}", account.login);
    }
    // Both daemons see the new records, and nobody has to know of them.
    for account in &accounts[1..] {
        assert!(pair.fetch(&account.login, &account.password).starts_with("+OK"));
        assert!(pair.submit(&account.login, &account.password).starts_with("235"));
    }
    eventually(Duration::from_secs(60), "the changed password", || {
        pair.fetch(&accounts[0].login, "changed").starts_with("+OK")
    });
    let logs = [pair.pop3d.log(), pair.submissiond.log()].concat();
    let upgraded = logs.matches("password hash upgraded").count();
    assert!((accounts.len() - 1..=accounts.len()).contains(&upgraded), "{upgraded}\n{logs}");
    assert!(!logs.contains("not upgraded; tried again"), "{logs}");
    for account in accounts {
        assert!(!logs.contains(&account.password), "a password is in the log");
    }
}
