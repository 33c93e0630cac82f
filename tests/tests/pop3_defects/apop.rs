//! APOP: a stamp that nobody can use twice, and an account that has it or has not.

use std::collections::BTreeSet;

use lastpost_tests::{House, Talk};
use md5::{Digest, Md5};

use crate::kit::{AIKO, BERT, HERE, counter, house_with, names, put, set_users, user};

const APOP: &str = "sessions_per_ip_max = 2000\n[pop3.protocol]\napop = true\n";

/// A house in which one account's password is stored itself, and the other's is hashed.
fn house() -> House {
    let house = house_with(APOP);
    let home = house.path("mail").join(AIKO);
    let plain = format!("{AIKO}:{{PLAIN}}tanstaaf::::{}::\n", home.display());
    set_users(&house, &(plain + &user(&house, BERT, "tanstaaf", "")));
    put(&house, AIKO, "1.m", b"one\n");
    put(&house, BERT, "1.m", b"of bert\n");
    house
}

/// Connects; the stamp of the greeting, with its brackets.
fn greeted(house: &House) -> (Talk, String) {
    let mut talk = Talk::connect(house.address("pop3"));
    let greeting = talk.expect_reply("+OK");
    let (start, end) = (greeting.find('<').unwrap(), greeting.find('>').unwrap());
    let stamp = greeting[start..=end].to_owned();
    (talk, stamp)
}

fn digest(stamp: &str, password: &str) -> String {
    let digest = Md5::new().chain_update(stamp).chain_update(password).finalize();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The example of RFC 1939 section 7, so that the test's own digest is the standard's.
#[test]
fn the_digest_is_that_of_the_standard() {
    let stamp = "<1896.697170952@dbc.mtview.ca.us>";
    assert_eq!(digest(stamp, "tanstaaf"), "c4c9334bac560ecc979e58001b3e22fb");
}

#[test]
fn a_stamp_and_a_password_let_in() {
    let house = house();
    for upper in [false, true] {
        let (mut talk, stamp) = greeted(&house);
        let digest = digest(&stamp, "tanstaaf");
        let digest = if upper { digest.to_uppercase() } else { digest };
        talk.expect(&format!("APOP {AIKO} {digest}"), "+OK");
        talk.expect("STAT", "+OK 1 5");
        talk.expect("APOP again again", "-ERR");
        talk.expect("QUIT", "+OK");
    }
}

/// RFC 1939: "each time the server issues a banner greeting it must be different"; CVE-2007-1558
/// and the clients that check it: a message-id, in printable ASCII, with one pair of brackets.
#[test]
fn every_stamp_is_new_and_a_message_id() {
    let house = house();
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let (_talk, stamp) = greeted(&house);
        assert!(stamp.bytes().all(|octet| (0x21..=0x7e).contains(&octet)), "{stamp}");
        assert_eq!(stamp.matches(['<', '>', '@']).count(), 3, "{stamp}");
        let (left, host) = stamp[1..stamp.len() - 1].split_once('@').unwrap();
        assert!(!left.is_empty() && host.contains('.'), "{stamp}");
        assert!(seen.insert(stamp), "a stamp came twice");
    }
}

/// A digest that was heard on the way is worth nothing in another session.
#[test]
fn a_digest_cannot_be_replayed() {
    let house = house();
    let (mut talk, stamp) = greeted(&house);
    let heard = format!("APOP {AIKO} {}", digest(&stamp, "tanstaaf"));
    talk.expect(&heard, "+OK");
    talk.expect("QUIT", "+OK");
    for _ in 0..20 {
        let (mut talk, _) = greeted(&house);
        talk.expect(&heard, "-ERR [AUTH]");
        talk.expect("STAT", "-ERR");
    }
}

/// RFC 1939: one who can use PASS in clear should not be one who uses APOP; here only a password
/// that is stored itself can be right, and the others are refused in the same words.
#[test]
fn accounts_that_cannot_are_refused_in_the_same_words() {
    let house = house();
    let mut said = Vec::new();
    for (name, password) in
        [(AIKO, "wrong"), (BERT, "tanstaaf"), (BERT, "wrong"), ("nobody", "x"), ("../x", "x")]
    {
        let (mut talk, stamp) = greeted(&house);
        let before = counter(&house, "auth.hashes");
        said.push(talk.expect(&format!("APOP {name} {}", digest(&stamp, password)), "-ERR [AUTH]"));
        assert_eq!(counter(&house, "auth.hashes"), before, "no password is hashed for a digest");
        talk.expect("STAT", "-ERR");
    }
    assert!(said.iter().all(|reply| *reply == said[0]), "{said:?}");
    // By the password both may.
    for name in [AIKO, BERT] {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("USER {name}"), "+OK");
        talk.expect("PASS tanstaaf", "+OK");
        talk.expect("QUIT", "+OK");
    }
}

#[test]
fn what_is_no_digest_is_one_error() {
    let house = house();
    let (_, stamp) = greeted(&house);
    let right = digest(&stamp, "tanstaaf");
    let lines = [
        "APOP".to_owned(),
        format!("APOP {AIKO}"),
        format!("APOP {AIKO} "),
        format!("APOP {AIKO} {}", &right[..31]),
        format!("APOP {AIKO} {right}0"),
        format!("APOP {AIKO} {}", "g".repeat(32)),
        format!("APOP {AIKO} {right} {right}"),
        format!("APOP {right}"),
        format!("APOP {} {right}", "x".repeat(1000)),
        format!("APOP {AIKO} {}", "\u{0}".repeat(32)),
    ];
    for line in lines {
        let (mut talk, _) = greeted(&house);
        talk.expect(&line, "-ERR");
        talk.expect("STAT", "-ERR");
        talk.expect("QUIT", "+OK");
    }
    assert_eq!(names(&house, AIKO), ["1.m"]);
}

/// The stamp is the connection's: after STLS a greeting has not come again.
#[test]
fn under_tls_the_stamp_of_the_greeting_holds_or_none() {
    let house = house();
    let (mut talk, stamp) = greeted(&house);
    talk.expect("STLS", "+OK");
    talk.start_tls();
    let reply = talk.ask(&format!("APOP {AIKO} {}", digest(&stamp, "tanstaaf")));
    assert!(reply.starts_with("+OK") || reply.starts_with("-ERR"), "{reply}");
    let mut talk = Talk::connect_tls(house.address("pop3s"), HERE);
    let greeting = talk.expect_reply("+OK");
    assert!(greeting.contains('<'), "{greeting}");
}

/// Off unless it is asked for: no stamp, and no guess is looked at.
#[test]
fn without_the_option_there_is_none() {
    let house = house_with("");
    let mut talk = Talk::connect(house.address("pop3"));
    let greeting = talk.expect_reply("+OK");
    assert!(!greeting.contains('<'), "{greeting}");
    let before = counter(&house, "auth.attempts");
    talk.expect(&format!("APOP {AIKO} {}", digest("<x@y>", "x")), "-ERR");
    assert_eq!(counter(&house, "auth.attempts"), before);
}
