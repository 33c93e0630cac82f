//! retire: whole file
//! Two daemons on one host: the grant is there before the customer reads `+OK`.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use lastpost_tests::{Process, Site, Talk, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));

struct Pair {
    site: Site,
    pop3d: Process,
    /// `None` while it is away.
    submissiond: Option<Process>,
}

/// A next hop that nobody needs to reach: these tests end at the reply to `MAIL`.
fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9))
}

fn start_submissiond(site: &Site) -> Process {
    let ports = site.installation().ports();
    site.start(Path::new(PROGRAM), "lastpost-submissiond", &[ports.legacy, ports.submission])
}

fn pair() -> Pair {
    let site = Site::new(nowhere(), 3);
    let submissiond = Some(start_submissiond(&site));
    let ports = site.installation().ports();
    let pop3d = site.start(Path::new(PROGRAM), "lastpost-pop3d", &[ports.pop3]);
    Pair { site, pop3d, submissiond }
}

impl Pair {
    /// Logs in by POP3 and quits; how long the reply to PASS took.
    fn fetch(&self) -> Duration {
        let account = &self.site.installation().accounts()[0];
        let pop3 = self.site.at(self.site.installation().ports().pop3);
        let mut talk = Talk::connect_from(pop3, CUSTOMER);
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {}", account.login), "+OK");
        let asked = Instant::now();
        talk.expect(&format!("PASS {}", account.password), "+OK");
        let took = asked.elapsed();
        talk.expect("QUIT", "+OK");
        took
    }

    /// The reply to MAIL on a session that is already greeted.
    fn mail(&self, talk: &mut Talk) -> String {
        let account = &self.site.installation().accounts()[0];
        let reply = talk.ask(&format!("MAIL FROM:<{}>", account.addresses[0]));
        talk.expect("RSET", "250");
        reply
    }

    fn greeted(&self) -> Option<Talk> {
        let legacy = self.site.at(self.site.installation().ports().legacy);
        let mut talk = Talk::try_connect_from(legacy, CUSTOMER).ok()?;
        talk.try_line().ok().flatten()?;
        talk.expect("EHLO customer.example", "250");
        Some(talk)
    }

    fn revoke_all(&self) {
        let config = self.site.installation().config_file();
        let account = &self.site.installation().accounts()[0];
        let status = std::process::Command::new(PROGRAM)
            .args(["grants", "revoke", &account.login, "--config"])
            .arg(config)
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    }
}

#[test]
fn a_thousand_times_the_grant_is_there_at_the_first_command_after_ok() {
    let pair = pair();
    let mut smtp = pair.greeted().unwrap();
    for round in 0..1000 {
        pair.fetch();
        let reply = pair.mail(&mut smtp);
        assert!(reply.starts_with("250"), "round {round}: {reply}");
        // Every tenth time there is no grant left from before.
        if round % 10 == 9 {
            pair.revoke_all();
            let reply = pair.mail(&mut smtp);
            assert!(reply.starts_with("530"), "round {round} after revoke: {reply}");
            // Refusals count as errors, of which a session may have twenty.
            smtp = pair.greeted().unwrap();
        }
    }
}

#[test]
fn a_submission_daemon_that_dies_and_returns_is_found_again() {
    let mut pair = pair();
    for round in 0..3 {
        pair.submissiond.take().unwrap().kill_9();
        // Nobody owns the window now: the customer fetches all the same, without waiting.
        for _ in 0..5 {
            let took = pair.fetch();
            assert!(took < Duration::from_secs(1), "round {round}: POP3 waited {took:?}");
        }
        pair.submissiond = Some(start_submissiond(&pair.site));
        let mut smtp = None;
        eventually(Duration::from_secs(30), "a grant after the restart", || {
            pair.fetch();
            smtp = pair.greeted();
            smtp.as_mut().is_some_and(|smtp| pair.mail(smtp).starts_with("250"))
        });
    }
}

#[test]
fn a_submission_daemon_that_hangs_does_not_hold_up_pop3() {
    let pair = pair();
    pair.fetch();
    let submissiond = pair.submissiond.as_ref().unwrap();
    submissiond.signal("STOP");
    let waits: Vec<Duration> = (0..10).map(|_| pair.fetch()).collect();
    submissiond.signal("CONT");
    // 50 ms for the acknowledgement that does not come; the rest is the machine's.
    let worst = waits.iter().max().unwrap();
    assert!(*worst < Duration::from_millis(500), "{waits:?}");
    drop(pair.pop3d);
}
