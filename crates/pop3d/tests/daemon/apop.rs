//! APOP: a stamp in the greeting, and its digest instead of a password.

use md5::{Digest, Md5};

use crate::kit::{Client, Daemon, NAME, Setup};

fn setup() -> Setup {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.protocol.apop = true;
    setup.config.errors_max = 20;
    setup
}

/// A client, and the stamp that it was greeted with.
fn greeted(daemon: &Daemon) -> (Client, String) {
    let mut client = daemon.connect();
    let greeting = client.expect("+OK ");
    let from = greeting.find('<').unwrap_or_else(|| panic!("no stamp in {greeting:?}"));
    let to = greeting.find('>').unwrap();
    let stamp = greeting[from..=to].to_owned();
    assert!(greeting.len() <= 510 && stamp.ends_with(&format!("@{NAME}>")), "{greeting}");
    (client, stamp)
}

fn digest(stamp: &str, secret: &str) -> String {
    let digest = Md5::digest(format!("{stamp}{secret}"));
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn a_digest_of_the_stamp_logs_in() {
    let daemon = setup().start();
    let (mut client, stamp) = greeted(&daemon);
    client.ask(&format!("APOP aiko {}", digest(&stamp, "secret")), "+OK 1 messages");
    client.ask("STAT", "+OK 1 3");
    client.ask(&format!("APOP aiko {}", digest(&stamp, "secret")), "-ERR");
    client.ask("QUIT", "+OK");
    assert_eq!(daemon.pop3d.statistics().logins, 1);
}

#[test]
fn whatever_is_wrong_reads_the_same() {
    let mut setup = setup();
    let cost = auth::Argon2Params::new(32, 1, 1).unwrap();
    let maildir = setup.path().join("hashed");
    setup.account_stored("hashed", auth::hash_new(b"secret", &cost).unwrap(), maildir);
    let daemon = setup.start();
    let (_, other) = greeted(&daemon);
    let (mut client, stamp) = greeted(&daemon);
    let good = digest(&stamp, "secret");
    let mut replies = Vec::new();
    for attempt in [
        format!("APOP aiko {}", digest(&stamp, "wrong")),
        format!("APOP nobody {good}"),
        format!("APOP ../aiko {good}"),
        // Stored as a hash: nothing can be digested there.
        format!("APOP hashed {good}"),
        // Another session's stamp: a replay.
        format!("APOP aiko {}", digest(&other, "secret")),
        format!("APOP aiko {}", &good[..31]),
        format!("APOP aiko {good}0"),
        "APOP aiko zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
    ] {
        replies.push(client.ask(&attempt, "-ERR [AUTH] "));
    }
    replies.dedup();
    assert_eq!(replies.len(), 1, "{replies:?}");
    client.ask(&format!("APOP aiko {good}"), "+OK");
}

#[test]
fn every_greeting_has_another_stamp() {
    let daemon = setup().start();
    let stamps: std::collections::HashSet<_> = (0..50).map(|_| greeted(&daemon).1).collect();
    assert_eq!(stamps.len(), 50);
}

#[test]
fn it_is_off_unless_it_is_asked_for() {
    let mut setup = setup();
    setup.config.protocol.apop = false;
    let daemon = setup.start();
    let mut client = daemon.connect();
    let greeting = client.expect("+OK ");
    assert!(!greeting.contains('<'), "{greeting}");
    client.ask(&format!("APOP aiko {}", digest("", "secret")), "-ERR");
    client.log_in("aiko", "secret");
}

#[test]
fn the_stamp_holds_across_stls() {
    let daemon = setup().start();
    let (mut client, stamp) = greeted(&daemon);
    client.ask("STLS", "+OK");
    let mut client = daemon.secure(client, &[]).unwrap();
    client.ask(&format!("APOP aiko {}", digest(&stamp, "secret")), "+OK");
}

#[test]
fn it_is_held_to_the_same_limits_as_a_password() {
    let mut setup = setup();
    setup.config.maildrop.login_delay = std::time::Duration::from_secs(3600);
    let daemon = setup.start();
    for expected in ["+OK", "-ERR [LOGIN-DELAY] "] {
        let (mut client, stamp) = greeted(&daemon);
        client.ask(&format!("APOP aiko {}", digest(&stamp, "secret")), expected);
        client.ask("QUIT", "+OK");
    }
}
