//! Attacks on passwords in a whole house: what is blocked, what the admin sees and forgives, and
//! what the two daemons tell each other.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lastpost_tests::{House, Plan, Site, Talk, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const PATIENCE: Duration = Duration::from_secs(60);
const AIKO: &str = "aiko@open.example";
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

const ATTACK: &str = "[auth.attack]\nfailures_max = 6\nnetworks_max = 4\n";

/// Runs `lastpost`: status, output, errors.
fn lastpost(config: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(PROGRAM)
        .env("LASTPOST_PROGRAM", "lastpost")
        .arg("--config")
        .arg(config)
        .args(arguments)
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json(config: &Path, arguments: &[&str]) -> serde_json::Value {
    let (status, output, errors) = lastpost(config, &[arguments, &["--json"]].concat());
    assert_eq!(status, 0, "{arguments:?}: {errors}");
    serde_json::from_str(&output).unwrap()
}

/// The configuration for commands, which must know where the control side listens.
fn command_file(house: &House) -> std::path::PathBuf {
    let text = std::fs::read_to_string(house.path("lastpost.toml")).unwrap();
    let control = format!("[control]\nlisten = \"{}\"", house.address("control"));
    let file = house.path("command.toml");
    std::fs::write(&file, text.replace("[control]\nlisten = \"127.0.0.1:0\"", &control)).unwrap();
    file
}

/// The reply to one login by POP3.
fn login(house: &House, from: IpAddr, password: &str) -> String {
    let mut talk = house.client("pop3", from);
    talk.expect("STLS", "+OK");
    talk.start_tls();
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.ask(&format!("PASS {password}"))
}

/// One in a session for each, from one address.
fn fail(house: &House, from: IpAddr, count: u32) {
    for n in 0..count {
        let reply = login(house, from, &format!("guess {from} {n}"));
        assert!(reply.starts_with("-ERR [AUTH]"), "{n}: {reply}");
    }
}

#[test]
fn who_guesses_is_blocked_and_an_admin_forgives() {
    let house = House::start(Plan { proxied: true, submission: ATTACK, ..Plan::default() });
    let config = command_file(&house);
    assert!(login(&house, HOME, "aiko's password").starts_with("+OK"));
    fail(&house, ATTACKER, 6);
    // Whatever comes from there now is not looked at, not even what is right.
    let reply = login(&house, ATTACKER, "aiko's password");
    assert!(reply.starts_with("-ERR [SYS/TEMP]"), "{reply}");
    assert!(login(&house, HOME, "aiko's password").starts_with("+OK"), "others are");

    let (status, shown, errors) = lastpost(&config, &["auth", "blocks"]);
    assert_eq!(status, 0, "{errors}");
    assert!(shown.contains("203.0.113.9/32") && shown.contains("failures"), "{shown}");
    let blocks = json(&config, &["auth", "blocks"]);
    assert_eq!(
        (&blocks[0]["network"], &blocks[0]["strikes"]),
        (&"203.0.113.9/32".into(), &1.into())
    );
    assert_eq!(blocks[0]["until"], "2026-11-24T09:10:00Z");

    let (_, shown, _) = lastpost(&config, &["auth", "unblock", "203.0.113.0/24"]);
    assert_eq!(shown, "203.0.113.9/32 is not blocked any more\n");
    assert!(login(&house, ATTACKER, "aiko's password").starts_with("+OK"));
    let (_, shown, _) = lastpost(&config, &["auth", "unblock", "203.0.113.9"]);
    assert!(shown.contains("it was not blocked"), "{shown}");
}

#[test]
fn an_attacked_account_is_shown_and_metrics_tell() {
    let house = House::start(Plan { proxied: true, submission: ATTACK, ..Plan::default() });
    let config = command_file(&house);
    for n in 0..12 {
        fail(&house, IpAddr::V4(Ipv4Addr::new(198, 51, n, 1)), 1);
        let report = json(&config, &["auth", "status"]);
        if report["attacked"].as_array().is_some_and(|attacked| !attacked.is_empty()) {
            break;
        }
    }
    let report = json(&config, &["auth", "status"]);
    assert_eq!(report["attacked"][0]["account"], AIKO);
    assert_eq!(report["events"][0]["event"], "attacked");
    let (_, shown, _) = lastpost(&config, &["auth", "status"]);
    assert!(shown.contains("Accounts attacked from many networks:") && shown.contains(AIKO));
    let metrics = house.control().get("/metrics").unwrap();
    for line in [
        "lastpost_auth_outcomes_total{outcome=\"wrong\"} ",
        "lastpost_auth_attacked_total 1\n",
        "lastpost_auth_blocked_networks 0\n",
        "lastpost_auth_hash_memory_peak ",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let (_, shown, _) = lastpost(&config, &["auth", "unblock", "--account", AIKO]);
    assert_eq!(shown, format!("what was counted for {AIKO} is forgotten\n"));
    assert_eq!(json(&config, &["auth", "status"])["attacked"], serde_json::json!([]));
    let (_, shown, _) = lastpost(&config, &["auth", "unblock", "--account", AIKO]);
    assert_eq!(shown, format!("nothing was counted for {AIKO}\n"));
    for wrong in [
        &["auth", "unblock"][..],
        &["auth", "unblock", "example.net"],
        &["auth", "unblock", "192.0.2.1", "--account", AIKO],
    ] {
        assert_eq!(lastpost(&config, wrong).0, 2, "{wrong:?}");
    }
    let (status, _, errors) = lastpost(&config, &["auth", "unblock", "--account", "a/b"]);
    assert!(status == 1 && errors.contains("a/b"), "{errors}");
}

/// Two processes: what the POP3 daemon sees the submission daemon knows, and either may be away.
#[test]
fn the_daemons_of_a_host_tell_each_other() {
    let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 2);
    let ports = site.installation().ports();
    let config = site.installation().config_file().to_owned();
    let submissiond =
        site.start(Path::new(PROGRAM), "lastpost-submissiond", &[ports.submission, ports.control]);
    let pop3d = site.start(Path::new(PROGRAM), "lastpost-pop3d", &[ports.pop3]);
    let heard = || {
        let report = json(&config, &["auth", "status"]);
        let figures = report["figures"].as_array().unwrap().clone();
        let heard = figures.iter().find(|figure| figure[0] == "heard").unwrap();
        heard[1].as_u64().unwrap()
    };
    let account = &site.installation().accounts()[0];
    let fail = |client: u8, password: &str| {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, client));
        let mut talk = Talk::connect_from(site.at(ports.pop3), from);
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {}", account.login), "+OK");
        talk.expect(&format!("PASS {password}"), "-ERR [AUTH]");
    };
    fail(7, "guess");
    eventually(PATIENCE, "the submission daemon hears", || heard() >= 1);
    // Killed, it leaves its socket behind; a new one takes its place.
    submissiond.kill_9();
    fail(8, "another");
    let submissiond =
        site.start(Path::new(PROGRAM), "lastpost-submissiond", &[ports.submission, ports.control]);
    let mut client = 9;
    eventually(PATIENCE, "it hears again", || {
        fail(client, &format!("guess {client}"));
        client += 1;
        heard() >= 1
    });
    let directory = config.parent().unwrap();
    let data = std::fs::read_to_string(&config).unwrap();
    let data = data.lines().find_map(|line| line.strip_prefix("data_directory = ")).unwrap();
    let data = directory.join(data.trim_matches('"'));
    let mode = |path: &str| std::fs::metadata(data.join(path)).unwrap().mode() & 0o777;
    assert_eq!(mode("run"), 0o700);
    for file in ["run/auth-pop3d.sock", "run/auth-submissiond.sock", "auth-share.key"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    drop((pop3d, submissiond));
}
