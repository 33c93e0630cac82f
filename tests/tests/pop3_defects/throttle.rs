//! Who guesses learns nothing from the work that is done, or not done.

use lastpost_tests::{House, Plan};

use crate::kit::{AIKO, HERE, PATIENCE, counter, house_with, plain, set_users, user};

fn quiet_house() -> House {
    house_with("sessions_per_ip_max = 2000\nerrors_max = 255\n")
}

/// popa3d hashes for names that do not exist, others answer at once and thereby tell who exists.
/// The work is counted, not timed: one hash for each password that was not tried before.
#[test]
fn an_unknown_name_costs_the_same_work() {
    let house = quiet_house();
    let table = user(&house, AIKO, "secret", "")
        + &user(&house, "locked@open.example", "secret", "").replace(":{", ":!{");
    set_users(&house, &table);
    let mut talk = house.client("pop3", HERE);
    let mut guess = |name: &str, password: &str| {
        let before = counter(&house, "auth.hashes");
        talk.expect(&format!("AUTH PLAIN {}", plain(name, password)), "-ERR [AUTH]");
        counter(&house, "auth.hashes") - before
    };
    for round in 0..5 {
        let password = format!("guess {round}");
        let known = guess(AIKO, &password);
        let unknown = guess("nobody@open.example", &password);
        let elsewhere = guess("nobody@elsewhere.example", &password);
        let locked = guess("locked@open.example", &password);
        let locked_right = if round == 0 { guess("locked@open.example", "secret") } else { 1 };
        assert_eq!([known, unknown, elsewhere, locked, locked_right], [1; 5], "round {round}");
        // Nor does the second time tell: the repetition of each costs the same again.
        let again = [AIKO, "nobody@open.example", "locked@open.example"];
        let again = again.map(|name| guess(name, &password));
        assert!(again.iter().all(|work| *work == again[0]), "{again:?}");
    }
}

/// The words do not tell either, by USER and PASS or by AUTH.
#[test]
fn an_unknown_name_gets_the_same_words() {
    let house = quiet_house();
    let mut said = Vec::new();
    for name in [AIKO, "nobody@open.example", "nobody@elsewhere.example", "x", "a b", "%u"] {
        let mut talk = house.client("pop3", HERE);
        let replies = [
            talk.ask(&format!("USER {name}")),
            talk.ask("PASS wrong"),
            talk.ask(&format!("AUTH PLAIN {}", plain(name, "wrong"))),
            talk.ask("AUTH LOGIN"),
            talk.ask(&crate::kit::base64(name)),
            talk.ask(&crate::kit::base64("wrong")),
        ];
        said.push(replies);
    }
    assert!(said.iter().all(|replies| replies == &said[0]), "{said:#?}");
}

/// Dovecot: three errors, and the connection is closed; whoever guesses pays for a new one, and
/// the guesses behind the last are not looked at.
#[test]
fn guesses_in_one_packet_are_no_more_than_allowed() {
    let house = house_with("sessions_per_ip_max = 2000\nerrors_max = 3\n");
    let mut talk = house.client("pop3", HERE);
    let guesses: String = (0..100)
        .map(|n| format!("AUTH PLAIN {}\r\n", plain(AIKO, &format!("guess {n}"))))
        .collect();
    let before = counter(&house, "auth.attempts");
    let _ = talk.try_send_raw(guesses.as_bytes());
    let said = talk.rest().unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.matches("-ERR").count() <= 4, "{said}");
    assert!(counter(&house, "auth.attempts") - before <= 3);
}

/// A wrong password makes the guesser wait, and him alone. The clock of waiting is the machine's:
/// here it only has to be seen that somebody waits while another is served.
#[test]
fn a_guesser_waits_alone() {
    let house = House::start(Plan { pop3: "sessions_per_ip_max = 2000\n", ..Plan::default() });
    let text = std::fs::read_to_string(house.path("lastpost.toml")).unwrap();
    let slow = text
        .replace("failure_delay = \"0s\"", "failure_delay = \"2s\"")
        .replace("failure_delay_max = \"0s\"", "failure_delay_max = \"15s\"");
    std::fs::write(house.path("lastpost.toml"), slow).unwrap();
    let mut house = house;
    house.restart();
    let elsewhere = std::net::IpAddr::from([127, 0, 0, 77]);
    let mut guesser = house.client("pop3", elsewhere);
    guesser.send(&format!("AUTH PLAIN {}", plain(AIKO, "wrong")));
    lastpost_tests::eventually(PATIENCE, "the guess", || counter(&house, "auth.attempts") > 0);
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        house.fetch(AIKO, HERE);
    }
    guesser.expect_reply("-ERR [AUTH]");
    assert!(begun.elapsed() >= std::time::Duration::from_millis(1000), "nobody waited");
}
