//! retire: whole file
//! The flip in a process of its own: SIGHUP, `lastpost reload`, `lastpost check`, and a kill.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lastpost_tests::{Process, Site, Talk, eventually};
use serde_json::json;

use crate::command::{self, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const PATIENCE: Duration = Duration::from_secs(20);
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
/// The account in the phase of notice.
const NAOKO: &str = "naoko@notice.example";

struct Running {
    site: Site,
    daemon: Process,
}

impl Running {
    fn start() -> Self {
        // Nobody listens there: these tests end at the reply to the client.
        let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 3);
        let daemon = serve(&site);
        Self { site, daemon }
    }

    fn config(&self) -> PathBuf {
        self.site.installation().config_file()
    }

    fn file(&self) -> PathBuf {
        self.config().with_file_name("pop-before-smtp.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    fn fetch(&self, login: &str) {
        let accounts = self.site.installation().accounts();
        let account = accounts.iter().find(|account| account.login == login).unwrap();
        let mut talk =
            Talk::connect_from(self.site.at(self.site.installation().ports().pop3), CUSTOMER);
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {login}"), "+OK");
        talk.expect(&format!("PASS {}", account.password), "+OK");
        talk.expect("QUIT", "+OK");
    }

    /// A session on the legacy port.
    fn greeted(&self) -> Talk {
        let legacy = self.site.at(self.site.installation().ports().legacy);
        let mut talk = Talk::connect_from(legacy, CUSTOMER);
        talk.expect_reply("220");
        talk.expect("EHLO naoko", "250");
        talk
    }

    fn mail(&self, sender: &str) -> String {
        let mut talk = self.greeted();
        talk.ask(&format!("MAIL FROM:<{sender}>"))
    }
}

fn serve(site: &Site) -> Process {
    let ports = site.installation().ports();
    site.start(Path::new(PROGRAM), "lastpost", &[ports.pop3, ports.legacy, ports.control])
}

const ENDED: &str = "530-5.7.0 Sending without authentication ended on 2026-10-01 (Asia/Tokyo).";

#[test]
fn a_hangup_or_a_command_flips_and_a_bad_file_does_not() {
    let running = Running::start();
    let good = std::fs::read_to_string(running.file()).unwrap();
    let flipped = good.replace("closed = 2099-03-31", "closed = 2026-10-01");
    assert_ne!(good, flipped);
    running.fetch(NAOKO);
    let mut open = running.greeted();
    let mut asked = |words: &str| {
        // Refusals count as errors; a session may have some.
        let reply = open.ask(&format!("MAIL FROM:<{NAOKO}>"));
        open.expect("RSET", "250");
        reply.starts_with(words)
    };
    assert!(asked("250"));

    running.write(&flipped);
    assert!(asked("250"), "a file that is only written is not in force");
    running.daemon.signal("HUP");
    eventually(PATIENCE, "the flip by SIGHUP", || running.mail(NAOKO).starts_with(ENDED));
    assert!(asked(ENDED), "the session that was open");

    // A bad file by SIGHUP: the log says where; what was in force stays.
    let bad = good.replace("zone = \"Asia/Tokyo\"", "zone = \"Asia/Tokio\"");
    let line = 1 + bad[..bad.find("Tokio").unwrap()].matches('\n').count();
    let place = format!("pop-before-smtp.toml:{line}:8: ");
    running.write(&bad);
    running.daemon.signal("HUP");
    eventually(PATIENCE, "the mistake in the log", || running.daemon.log().contains(&place));
    assert!(running.daemon.log().contains("the old one stays in force"));
    assert!(asked(ENDED));
    // The same by command, and without a daemon.
    let reload = run(&running.config(), &["reload"]);
    assert_eq!(reload.status, Some(1), "{}", reload.errors);
    assert!(reload.errors.contains(&place), "{}", reload.errors);
    assert!(reload.errors.contains("Asia/Tokyo"), "{}", reload.errors);
    let check = run(&running.config(), &["check"]);
    assert_eq!(check.status, Some(2), "{}", check.errors);
    assert!(check.errors.contains(&place), "{}", check.errors);

    running.write(&good);
    let reload = run(&running.config(), &["reload"]);
    assert_eq!(reload.status, Some(0), "{}", reload.errors);
    assert!(asked("250"), "her grant was there all the time");
    assert!(running.daemon.terminate().success());
}

#[test]
fn the_ledger_outlives_a_kill_and_the_grants_do_not() {
    let running = Running::start();
    let config = running.config();
    running.fetch(NAOKO);
    let mut talk = running.greeted();
    talk.expect(&format!("MAIL FROM:<{NAOKO}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    assert!(talk.message(NAOKO).starts_with("250"));
    assert!(running.mail("clara@closed.example").starts_with("530"));
    let grants = command::json(&config, &["grants", "list"]);
    assert_eq!(grants["grants"][0]["account"], NAOKO);
    assert_eq!(grants["grants"][0]["address"], "127.0.0.7");
    assert_eq!(grants["grants"][0]["messages"], 1);
    let before = command::json(&config, &["phaseout", "who"]);
    let accounts = before["accounts"].as_array().unwrap();
    let lines: Vec<_> = accounts
        .iter()
        .map(|usage| (&usage["account"], &usage["reliance"], &usage["helo"]))
        .collect();
    assert_eq!(
        json!(lines),
        json!([
            ["clara@closed.example", "refused-only", ["naoko"]],
            [NAOKO, "legacy-only", ["naoko"]],
        ])
    );

    let Running { site, daemon } = running;
    daemon.kill_9();
    // Nobody has to run for this.
    assert_eq!(command::json(&config, &["phaseout", "who"]), before);
    let running = Running { daemon: serve(&site), site };
    assert_eq!(command::json(&config, &["phaseout", "who"]), before);
    assert_eq!(command::json(&config, &["grants", "list"])["grants"], json!([]));
    assert!(running.mail(NAOKO).starts_with("530-5.7.0 No authentication, and no mail"));
    running.fetch(NAOKO);
    assert!(running.mail(NAOKO).starts_with("250"));
    assert_eq!(command::json(&config, &["grants", "revoke", "127.0.0.7"]), 1);
    assert!(running.mail(NAOKO).starts_with("530-5.7.0 No authentication, and no mail"));
}
