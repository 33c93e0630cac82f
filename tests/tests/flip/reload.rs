//! retire: whole file
//! A file put in force, or not, while sessions are open.

use crate::kit::{AIKO, BERT, ELSEWHERE, HOME, accepted, file, house, refused};

const GOOD: &str = r#"[schedule]
zone = "UTC"
[[schedule.cohort]]
name = "first"
addresses = ["aiko@*"]
notice = 2026-11-01
closed = 2026-12-01
[[schedule.cohort]]
name = "rest"
rest = true
"#;

const MAIL: &str = "MAIL FROM:<aiko@open.example>";
const FLIPPED: &str = "Sending without authentication ended on 2026-11-20 (UTC).";

fn flipped() -> String {
    file(&GOOD.replace("closed = 2026-12-01", "closed = 2026-11-20"))
}

#[test]
fn a_good_file_flips_at_the_next_mail_and_flips_back() {
    let house = house("2026-11-24T09:00:00Z", GOOD);
    house.fetch(AIKO, HOME);
    house.fetch(BERT, HOME);
    let mut open = house.greeted(HOME, "aiko");
    for _ in 0..3 {
        open.expect(MAIL, "250");
        open.expect("RSET", "250");
        house.reload_bridge(&flipped()).unwrap();
        refused(&open.ask(MAIL), FLIPPED);
        refused(&house.mail_from(AIKO, HOME), FLIPPED);
        accepted(&house.mail_from(BERT, HOME));
        house.reload_bridge(&file(GOOD)).unwrap();
    }
    accepted(&house.send(AIKO, HOME));
}

#[test]
fn a_window_that_is_shortened_counts_for_grants_that_exist() {
    let house = house("2026-11-24T09:00:00Z", GOOD);
    house.fetch(AIKO, HOME);
    house.clock().advance(std::time::Duration::from_secs(5 * 60));
    house.reload_bridge(&format!("window = \"5m\"\n{}", file(GOOD))).unwrap();
    let reply = house.mail_from(AIKO, HOME);
    assert!(reply.contains("no mail was fetched from your address within 5 minutes"), "{reply}");
    house.reload_bridge(&file(GOOD)).unwrap();
    accepted(&house.mail_from(AIKO, HOME));
}

/// Line and column of `needle`, as editors count them.
fn place(text: &str, needle: &str) -> String {
    let at = text.find(needle).unwrap();
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    format!("pop-before-smtp.toml:{line}:{column}: ")
}

#[test]
fn a_bad_file_leaves_the_old_one_in_force_and_says_where_it_is_bad() {
    let house = house("2026-11-24T09:00:00Z", GOOD);
    house.fetch(AIKO, HOME);
    let mut open = house.greeted(HOME, "aiko");
    // What is written wrong, where the message must point, and what it must say.
    let cases = [
        ("zone = \"UTC\"", "zone = \"Asia/Tokio\"", "\"Asia/Tokio\"", "Asia/Tokyo"),
        ("closed = 2026-12-01", "closed = 2026-10-01", "2026-10-01", "does not come after"),
        ("closed = 2026-12-01", "closed = 2026-12-41", "2026-12-41", ""),
        ("addresses = [\"aiko@*\"]", "addresses = [\"nobody@*\"]", "\"first\"", "none of"),
        ("notice = ", "notise = ", "notise", "notice"),
        ("rest = true", "rest = tru", "tru\n", ""),
        ("excluded = []", "excluded = [\"10.0.0.0/33\"]", "\"10.0.0.0/33\"", "is no network"),
        ("excluded = []", "excluded = []\nwindow = \"0m\"", "\"0m\"", "\"1s\" to \"24h\""),
        ("enabled = true", "enabled = true\nenabled = true", "enabled = true\nex", "duplicate"),
    ];
    for (right, wrong, needle, words) in cases {
        let good = file(&GOOD.replace("closed = 2026-12-01", "closed = 2026-12-01\n"));
        let bad = good.replacen(right, wrong, 1);
        assert_ne!(bad, good, "{right}");
        let error = house.reload_bridge(&bad).unwrap_err();
        assert!(error.contains(&place(&bad, needle)), "{wrong}: {error}");
        assert!(error.contains(words), "{wrong}: {error}");
        // What was in force is in force, whole: schedule, grants and all.
        open.expect(MAIL, "250");
        open.expect("RSET", "250");
        assert_eq!(house.grants(), [(HOME, AIKO.to_owned())]);
    }
    // All mistakes at once, not one after the other.
    let bad = flipped().replace("zone = \"UTC\"", "zone = \"Nowhere\"");
    let bad = format!("ipv6_prefix = 12\n{bad}");
    let error = house.reload_bridge(&bad).unwrap_err();
    assert!(error.contains(&place(&bad, "12\n")) && error.contains(&place(&bad, "\"Nowhere\"")));
    open.expect(MAIL, "250");
}

#[test]
fn a_file_that_is_gone_changes_nothing_and_the_rest_is_read_again() {
    let house = house("2026-11-24T09:00:00Z", GOOD);
    house.fetch(AIKO, HOME);
    let path = house.path("pop-before-smtp.toml");
    std::fs::remove_file(&path).unwrap();
    // Bert loses his password meanwhile.
    let users = std::fs::read_to_string(house.path("users")).unwrap();
    let kept: String = users
        .lines()
        .filter(|line| !line.starts_with("bert"))
        .fold(String::new(), |text, line| text + line + "\n");
    std::fs::write(house.path("users"), kept).unwrap();
    let error = house.service().controls().reload().unwrap_err();
    assert!(error.contains(&path.display().to_string()), "{error}");
    accepted(&house.send(AIKO, HOME));
    let mut pop3 = house.client("pop3", ELSEWHERE);
    pop3.expect(&format!("USER {BERT}"), "+OK");
    pop3.expect(&format!("PASS {}", house.customer(BERT).password), "-ERR [AUTH]");
}

#[test]
fn an_account_that_is_disabled_loses_its_grant_with_the_reload() {
    let house = house("2026-11-24T09:00:00Z", GOOD);
    house.fetch(BERT, HOME);
    accepted(&house.send(BERT, HOME));
    let users = std::fs::read_to_string(house.path("users")).unwrap();
    let disabled =
        users.replace("addresses=bert@open.example", "addresses=bert@open.example disabled=yes");
    assert_ne!(users, disabled);
    std::fs::write(house.path("users"), disabled).unwrap();
    house.service().controls().reload().unwrap();
    assert!(!house.mail_from(BERT, HOME).starts_with("250"));
}
