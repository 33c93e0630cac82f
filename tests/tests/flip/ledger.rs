//! retire: whole file
//! The ledger: who used a grant, who SMTP AUTH, when, from where, with which HELO, in which
//! phase, allowed or refused; over a restart.

use lastpost_tests::House;
use serde_json::{Value, json};

use crate::command::{self, run};
use crate::kit::{AIKO, BERT, CLARA, ELSEWHERE, HOME, accepted, house, pass};

const SCHEDULE: &str = r#"[schedule]
zone = "UTC"
[[schedule.cohort]]
name = "closed"
domains = ["closed.example"]
closed = 2026-09-01
[[schedule.cohort]]
name = "first"
addresses = ["aiko@*"]
notice = 2026-11-01
closed = 2026-11-25
[[schedule.cohort]]
name = "rest"
rest = true
"#;

fn who(house: &House, more: &[&str]) -> Vec<Value> {
    house.flush_ledger();
    let arguments = [&["phaseout", "who"], more].concat();
    let report = command::json(&house.path("lastpost.toml"), &arguments);
    assert_eq!(report["truncated"], false);
    report["accounts"].as_array().unwrap().clone()
}

fn of<'a>(accounts: &'a [Value], login: &str) -> &'a Value {
    let found = accounts.iter().find(|usage| usage["account"] == login);
    found.unwrap_or_else(|| panic!("{login} is not in {accounts:#?}"))
}

/// Sends by SMTP AUTH from elsewhere.
fn send_authenticated(house: &House, login: &str) {
    let mut talk = house.greeted(ELSEWHERE, "phone");
    assert!(talk.auth_plain(login, house.customer(login).password).starts_with("235"));
    talk.expect(&format!("MAIL FROM:<{login}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&talk.message(login));
}

#[test]
fn it_tells_who_relies_on_what_and_survives_a_restart() {
    let mut house = house("2026-11-24T23:00:00Z", SCHEDULE);
    house.fetch(AIKO, HOME);
    accepted(&house.send_named(AIKO, HOME, "aiko-desktop"));
    pass(&house, 60);
    let mut copier = house.client("legacy", HOME);
    copier.expect("HELO copier", "250");
    copier.expect("MAIL FROM:<sales@open.example>", "250");
    copier.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&copier.message("sales@open.example"));
    send_authenticated(&house, BERT);
    assert!(house.mail_from_named(CLARA, ELSEWHERE, "old").starts_with("530"));
    // Strangers are in the log alone: anybody can be one, at any rate.
    assert!(house.mail_from("stranger@elsewhere.example", ELSEWHERE).starts_with("530"));

    let before = who(&house, &[]);
    assert_eq!(before.len(), 3, "{before:#?}");
    let aiko = of(&before, AIKO);
    assert_eq!(aiko["cohort"], "first");
    assert_eq!(aiko["phase"], "notice");
    assert_eq!(aiko["reliance"], "legacy-only");
    assert_eq!(aiko["legacy"]["allowed"], 2);
    assert_eq!(aiko["legacy"]["first_allowed"], "2026-11-24T23:00:00Z");
    assert_eq!(aiko["legacy"]["last_allowed"], "2026-11-24T23:01:00Z");
    assert_eq!(aiko["helo"], json!(["copier", "aiko-desktop"]));
    assert_eq!(aiko["clients"], json!(["127.0.0.2"]));
    assert_eq!(aiko["cannot_authenticate"], true, "the copier knows HELO alone");
    let bert = of(&before, BERT);
    assert_eq!((&bert["reliance"], &bert["modern"]["allowed"]), (&json!("modern-only"), &json!(1)));
    assert_eq!(bert["helo"], json!(["phone"]));
    let clara = of(&before, CLARA);
    assert_eq!((&clara["reliance"], &clara["phase"]), (&json!("refused-only"), &json!("closed")));
    assert_eq!(clara["reasons"], json!(["closed"]));

    house.restart();
    assert_eq!(who(&house, &[]), before);
    // Grants are not in it: who sends must fetch again.
    assert_eq!(house.grants(), []);
    assert!(house.mail_from(AIKO, HOME).starts_with("530-5.7.0 No authentication, and no mail"));

    // The day ends, and with it aiko's cohort. She moves.
    pass(&house, 60 * 60);
    house.fetch(AIKO, HOME);
    assert!(house.mail_from_named(AIKO, HOME, "aiko-desktop").starts_with("530"));
    pass(&house, 60);
    send_authenticated(&house, AIKO);
    let after = who(&house, &[]);
    let aiko = of(&after, AIKO);
    assert_eq!((&aiko["reliance"], &aiko["phase"]), (&json!("moved"), &json!("closed")));
    assert_eq!((&aiko["legacy"]["allowed"], &aiko["legacy"]["refused"]), (&json!(2), &json!(2)));
    assert_eq!(aiko["legacy"]["last_refused"], "2026-11-25T00:01:00Z");
    assert_eq!(aiko["modern"]["last_allowed"], "2026-11-25T00:02:00Z");
    assert_eq!(aiko["reasons"], json!(["closed", "no-grant"]));
    assert_eq!(aiko["clients"], json!(["127.0.0.3", "127.0.0.2"]));
}

#[test]
fn it_counts_messages_and_not_attempts() {
    let house = house("2026-11-24T09:00:00Z", SCHEDULE);
    house.fetch(AIKO, HOME);
    let mut talk = house.greeted(HOME, "aiko");
    for login in [AIKO, BERT] {
        let mut other = house.greeted(HOME, "desktop");
        if login == BERT {
            assert!(other.auth_plain(BERT, house.customer(BERT).password).starts_with("235"));
        }
        // Given up, and refused for its header.
        other.expect(&format!("MAIL FROM:<{login}>"), "250");
        other.expect("RSET", "250");
        other.expect(&format!("MAIL FROM:<{login}>"), "250");
        other.expect("RCPT TO:<friend@elsewhere.example>", "250");
        assert!(other.message("someone@elsewhere.example").starts_with("550 5.7.1"));
    }
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    assert!(who(&house, &[]).is_empty());
    // A phase is that of MAIL, however long the message takes.
    pass(&house, 24 * 60 * 60);
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&talk.message(AIKO));
    let accounts = who(&house, &[]);
    assert_eq!(accounts.len(), 1);
    assert_eq!(
        (&accounts[0]["phase"], &accounts[0]["legacy"]["allowed"]),
        (&json!("notice"), &json!(1))
    );
}

#[test]
fn a_closed_customer_behind_an_open_one_s_address_is_in_it() {
    let house = house("2026-11-24T09:00:00Z", SCHEDULE);
    house.fetch(BERT, HOME);
    house.fetch(CLARA, HOME);
    assert!(house.mail_from_named(CLARA, HOME, "clara").starts_with("530-5.7.0 Sending without"));
    let accounts = who(&house, &[]);
    assert_eq!(of(&accounts, CLARA)["reasons"], json!(["closed"]));
}

#[test]
fn it_is_asked_by_cohort_by_time_and_for_a_table() {
    let house = house("2026-11-24T09:00:00Z", SCHEDULE);
    house.fetch(AIKO, HOME);
    accepted(&house.send(AIKO, HOME));
    pass(&house, 5 * 60 * 60);
    send_authenticated(&house, BERT);
    let names = |accounts: Vec<Value>| -> Vec<String> {
        accounts.iter().map(|usage| usage["account"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(who(&house, &["--cohort", "first"])), [AIKO]);
    assert_eq!(names(who(&house, &["--cohort", "none"])), Vec::<String>::new());
    assert_eq!(names(who(&house, &["--since", "2026-11-24T12:00"])), [BERT]);
    let config = house.path("lastpost.toml");
    let table = run(&config, &["phaseout", "who"]);
    assert!(
        table.output.contains("legacy-only") && table.output.contains(BERT),
        "{}",
        table.output
    );
    let csv = run(&config, &["phaseout", "who", "--csv"]).output;
    assert!(csv.starts_with("account,") && csv.contains(AIKO), "{csv}");
    // What will be, and which line of the file says so.
    let show = ["phaseout", "show", "--account", AIKO, "--at", "2026-12-01"];
    let shown = run(&config, &show).output;
    assert!(shown.contains("cohort first, phase closed: refused"), "{shown}");
    assert!(shown.contains("pop-before-smtp.toml:"), "{shown}");
}
