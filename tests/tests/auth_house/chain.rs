//! Two sources, of which the first fails: nobody is told that he is wrong, nothing is lost, and
//! all goes on where it stopped once the source answers again.

use std::time::Duration;

use lastpost_tests::{House, Plan, eventually};
use serde_json::json;

use crate::hook::{Hook, Mood};
use crate::kit::{
    HOME, PATIENCE, edit, hash, home, house, new_mail, pop3, put_off, queue, sender, unwelcome,
    welcome, write_users,
};

pub(crate) const HOLLY: &str = "holly@open.example";
pub(crate) const PAT: &str = "pat@open.example";
pub(crate) const HOLLYS: &str = "holly's password";
pub(crate) const PATS: &str = "pat's password";

/// Holly is known to the hook, pat to the file behind it.
pub(crate) fn chained(plan: Plan, timeout: &str) -> (House, Hook) {
    let hook = Hook::start();
    let accounts = format!(
        "[accounts]\ndefault_domain = \"open.example\"\n{}[[accounts.source]]\nname = \"file\"\n\
         kind = \"passwd-file\"\n[accounts.source.passwd_file]\npath = \"users\"\n",
        hook.source(timeout)
    );
    let plan = Plan { customers: Vec::new(), ..plan };
    let house = house(plan, &accounts, "", |house| {
        // Mail from outside comes in at the legacy port.
        edit(house, |text| {
            let listener = "name = \"legacy\"\n";
            text.replace(listener, &format!("{listener}receives_local_mail = true\n"))
        });
        write_users(house, "users", &[(PAT, hash(PATS))]);
        maildrop::create(&house.maildir(HOLLY)).unwrap();
        hook.know(json!({
            "login": HOLLY, "password": hash(HOLLYS), "home": home(house, HOLLY),
            "addresses": [HOLLY, "team@open.example"],
        }));
    });
    (house, hook)
}

/// Until whoever was left alone for a while is asked again.
pub(crate) fn pause(house: &House) {
    house.clock().advance(Duration::from_secs(5));
}

/// Both log in again.
fn recovered(house: &House) {
    eventually(PATIENCE, "the hook to be asked again", || {
        pause(house);
        pop3(house, HOLLY, HOLLYS).starts_with("+OK")
    });
    welcome(house, HOLLY, HOLLYS);
    welcome(house, PAT, PATS);
}

/// Logins and addresses are put off, right and wrong alike, of whichever source.
fn nothing_can_be_said(house: &House) {
    for (login, password) in [
        (HOLLY, HOLLYS),
        (HOLLY, "wrong"),
        (PAT, PATS),
        (PAT, "wrong"),
        ("nobody@open.example", "wrong"),
    ] {
        put_off(house, login, password);
    }
}

#[test]
fn each_source_has_its_accounts_and_the_first_decides() {
    let (house, hook) = chained(Plan::default(), "10s");
    welcome(&house, HOLLY, HOLLYS);
    welcome(&house, PAT, PATS);
    unwelcome(&house, HOLLY, PATS);
    unwelcome(&house, PAT, HOLLYS);
    unwelcome(&house, "nobody@open.example", PATS);
    // The file has one of the name too, with another password: it is not asked.
    write_users(&house, "users", &[(PAT, hash(PATS)), (HOLLY, hash("the other"))]);
    house.control().post("/reload", "").unwrap();
    unwelcome(&house, HOLLY, "the other");
    welcome(&house, HOLLY, HOLLYS);
    assert!(hook.asked() > 5);
}

#[test]
fn while_the_first_source_is_broken_everybody_is_put_off() {
    let (house, hook) = chained(Plan::default(), "10s");
    welcome(&house, HOLLY, HOLLYS);
    welcome(&house, PAT, PATS);
    hook.set(Mood::Broken);
    nothing_can_be_said(&house);
    let asked = hook.asked();
    nothing_can_be_said(&house);
    assert_eq!(hook.asked(), asked, "it is left alone for a while");
    hook.set(Mood::Works);
    recovered(&house);
    unwelcome(&house, HOLLY, "wrong");
    unwelcome(&house, "nobody@open.example", PATS);
}

#[test]
fn while_the_first_source_hangs_everybody_is_put_off_in_time() {
    let (house, hook) = chained(Plan::default(), "1s");
    recovered(&house);
    hook.set(Mood::Hangs);
    nothing_can_be_said(&house);
    hook.set(Mood::Works);
    recovered(&house);
}

/// The session was there before, and stays.
#[test]
fn recipients_are_put_off_and_taken_later_in_the_same_session() {
    let (house, hook) = chained(Plan::default(), "10s");
    let mut pat = sender(&house, PAT, PATS);
    pat.expect(&format!("MAIL FROM:<{PAT}>"), "250");
    hook.set(Mood::Broken);
    for local in [HOLLY, "team@open.example", PAT, "nobody@open.example"] {
        pat.expect(&format!("RCPT TO:<{local}>"), "451 4.3.0");
    }
    hook.set(Mood::Works);
    pause(&house);
    pat.expect("RCPT TO:<friend@elsewhere.example>", "250");
    pat.expect("RCPT TO:<team@open.example>", "250");
    pat.expect("RCPT TO:<nobody@open.example>", "550 5.1.1");
    let reply = pat.message(PAT);
    assert!(reply.starts_with("250"), "{reply}");
    eventually(PATIENCE, "both copies", || {
        new_mail(&house, HOLLY).len() == 1 && house.received().len() == 1
    });
    // Mail from outside.
    let mut stranger = house.greeted(HOME, "mx.elsewhere.example");
    stranger.expect("MAIL FROM:<friend@elsewhere.example>", "250");
    hook.set(Mood::Broken);
    stranger.expect(&format!("RCPT TO:<{HOLLY}>"), "451 4.3.0");
    hook.set(Mood::Works);
    pause(&house);
    stranger.expect(&format!("RCPT TO:<{HOLLY}>"), "250");
    assert!(stranger.message("friend@elsewhere.example").starts_with("250"));
    eventually(PATIENCE, "the stranger's mail", || new_mail(&house, HOLLY).len() == 2);
}

#[test]
fn mail_that_was_taken_waits_for_the_source_and_is_delivered_once() {
    for (mood, timeout) in [(Mood::Broken, "10s"), (Mood::Hangs, "1s")] {
        let (mut house, hook) = chained(Plan::default(), timeout);
        let mut pat = sender(&house, PAT, PATS);
        for count in 0..3 {
            pat.expect(&format!("MAIL FROM:<{PAT}>"), "250");
            pat.expect(&format!("RCPT TO:<{HOLLY}>"), "250");
            pat.expect("RCPT TO:<friend@elsewhere.example>", "250");
            pat.expect("DATA", "354");
            hook.set(mood);
            let reply = pat.ask(&format!("From: {PAT}\r\nSubject: {count}\r\n\r\ntext\r\n."));
            assert!(reply.starts_with("250"), "{reply}");
            eventually(PATIENCE, "a delivery put off", || {
                queue(&house).len() == count + 1 && house.received().len() == count + 1
            });
            hook.set(Mood::Works);
            pause(&house);
        }
        // Not even a restart while nobody can say anything loses it.
        hook.set(mood);
        drop(pat);
        house.restart();
        assert_eq!(queue(&house).len(), 3, "{:?}", queue(&house));
        assert!(new_mail(&house, HOLLY).is_empty());
        hook.set(Mood::Works);
        eventually(PATIENCE, "the queue to be delivered", || {
            house.clock().advance(Duration::from_secs(600));
            queue(&house).is_empty()
        });
        let mail = new_mail(&house, HOLLY);
        assert_eq!(mail.len(), 3, "{mail:?}");
        for count in 0..3 {
            let subject = format!("Subject: {count}");
            assert_eq!(mail.iter().filter(|text| text.contains(&subject)).count(), 1);
        }
        assert_eq!(house.received().len(), 3, "and no copy came twice");
        assert!(new_mail(&house, PAT).is_empty(), "nothing came back");
    }
}
