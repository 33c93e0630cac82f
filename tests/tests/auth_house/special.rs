//! Logins that are not simply a customer's own: a password that must be changed, master users,
//! and app passwords.

use lastpost_tests::{House, Plan, Talk};

use crate::kit::{
    HOME, Line, SQLITE, Said, add, edit, hash, house, lastpost, pop3, sender, set_password, smtp,
    submission, unwelcome, welcome, write_users,
};

const ANN: &str = "ann@open.example";
const AIKO: &str = "aiko@open.example";
const MASTER: &str = "aiko@open.example*help";

#[test]
fn a_password_that_must_be_changed_opens_nothing_and_says_where_to_change_it() {
    let url = "https://www.isp.example/password";
    let plan = Plan { customers: Vec::new(), ..Plan::default() };
    let auth = format!("must_change_url = \"{url}\"\n");
    let house = house(plan, SQLITE, &auth, |house| {
        add(house, ANN, "letter from the bank", &["--must-change"]);
    });
    for _ in 0..2 {
        let (pop3, smtp) =
            (pop3(&house, ANN, "letter from the bank"), smtp(&house, ANN, "letter from the bank"));
        assert!(pop3.starts_with("-ERR [AUTH] ") && pop3.ends_with(url), "{pop3}");
        assert!(smtp.starts_with("535 5.7.8 ") && smtp.contains(url), "{smtp}");
    }
    // Who does not know it learns nothing.
    let (pop3_wrong, smtp_wrong) = (pop3(&house, ANN, "wrong"), smtp(&house, ANN, "wrong"));
    assert_eq!(pop3_wrong, pop3(&house, "nobody@open.example", "wrong"));
    assert_eq!(smtp_wrong, smtp(&house, "nobody@open.example", "wrong"));
    assert!(!pop3_wrong.contains(url) && !smtp_wrong.contains(url));
    // The refusal leaves the session as it was.
    let mut talk = submission(&house);
    assert!(talk.auth_plain(ANN, "letter from the bank").starts_with("535"));
    talk.expect(&format!("MAIL FROM:<{ANN}>"), "530");

    set_password(&house, ANN, "chosen by ann");
    welcome(&house, ANN, "chosen by ann");
    unwelcome(&house, ANN, "letter from the bank");
    // Staff may ask for it again.
    let again = ["account", "passwd", ANN, "--must-change", "--password-stdin"];
    lastpost(&house, &again, "second letter\n").unwrap();
    assert!(pop3(&house, ANN, "second letter").ends_with(url));
    unwelcome(&house, ANN, "chosen by ann");
}

/// The usual customers, and `help`, who may come from home.
pub(crate) fn with_masters(plan: Plan, more: &str) -> House {
    let accounts = "[accounts]\npasswd_file = \"users\"\n";
    house(plan, accounts, "", |house| {
        let tables =
            format!("[auth.master]\npasswd_file = \"masters\"\nnetworks = [\"{HOME}/32\"]\n{more}");
        edit(house, |text| text + &tables);
        write_users(house, "masters", &[("help", hash("help's password"))]);
    })
}

fn opened(house: &House, from: std::net::IpAddr, login: &str, password: &str) -> (Talk, String) {
    let mut talk = house.client("pop3", from);
    talk.expect(&format!("USER {login}"), "+OK");
    let reply = talk.ask(&format!("PASS {password}"));
    (talk, reply)
}

#[test]
fn a_master_user_reads_but_does_not_send_and_leaves_no_trace_of_a_visit() {
    let mut house = with_masters(Plan::default(), "");
    house.deliver(AIKO, b"Subject: to aiko\n\ntext\n");
    let (mut talk, reply) = opened(&house, HOME, MASTER, "help's password");
    assert!(reply.starts_with("+OK"), "{reply}");
    talk.expect("RETR 1", "+OK");
    assert!(talk.multiline().starts_with(b"Subject: to aiko"));
    talk.expect("QUIT", "+OK");
    let reply = smtp(&house, MASTER, "help's password");
    assert!(reply.starts_with("535 5.7.8"), "{reply}");

    let refused = pop3(&house, MASTER, "wrong");
    for (login, password) in [
        (MASTER, "aiko's password"),
        (AIKO, "help's password"),
        ("nobody@open.example*help", "help's password"),
        ("aiko@open.example*nobody", "help's password"),
        ("help", "help's password"),
        ("aiko@open.example*help*help", "help's password"),
    ] {
        assert_eq!(pop3(&house, login, password), refused, "{login}");
    }
    // The same by naming the customer as the identity to act as (RFC 4616).
    for listener in ["pop3", "submission"] {
        let mut line = Line::open(&house, listener);
        let said = line.begin("PLAIN", Some(b"aiko@open.example\0help\0help's password"));
        assert_eq!(said == Said::Granted, listener == "pop3", "{listener}: {said:?}");
        let customer = b"aiko@open.example\0bert@open.example\0bert's password";
        let said = Line::open(&house, listener).begin("PLAIN", Some(customer));
        assert!(matches!(said, Said::Refused(_)), "{listener}: {said:?}");
    }
    // From elsewhere it is an unknown name.
    let elsewhere = "127.0.0.8".parse().unwrap();
    let (_, reply) = opened(&house, elsewhere, MASTER, "help's password");
    assert_eq!(reply, refused);

    // Only visits of the customer's own are on record.
    assert!(pop3(&house, "bert@open.example", "bert's password").starts_with("+OK"));
    house.stop();
    let record = std::fs::read_dir(house.path("state")).unwrap().flatten();
    let record: String = record
        .filter(|entry| entry.file_name().to_string_lossy().contains("login"))
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    assert!(record.contains("bert@open.example") && !record.contains(AIKO), "{record}");
}

#[test]
fn a_master_user_sends_where_the_listener_says_so() {
    let mut house = with_masters(Plan::default(), "");
    edit(&house, |text| {
        let listener = "name = \"legacy\"\n";
        assert!(text.contains(listener));
        text.replace(listener, "name = \"legacy\"\nmasters_may_send = true\n")
    });
    house.restart();
    let mut talk = house.greeted(HOME, "desk.isp.example");
    let reply = talk.auth_plain(MASTER, "help's password");
    assert!(reply.starts_with("235"), "{reply}");
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    assert!(talk.message(AIKO).starts_with("250"));
    house.wait_for_mail(1);
    talk.expect("MAIL FROM:<bert@open.example>", "5");
    assert!(smtp(&house, MASTER, "help's password").starts_with("535"), "at no other listener");
}

#[test]
fn a_revoked_app_password_ends_no_session_and_begins_none() {
    let plan = Plan { customers: Vec::new(), ..Plan::default() };
    let house = house(plan, SQLITE, "", |house| add(house, ANN, "ann's password", &[]));
    let app =
        |words: &[&str]| lastpost(&house, &[&["account", "app-password"], words].concat(), "");
    let phone = app(&["add", ANN, "--name", "phone"]).unwrap();
    let scanner = app(&["add", ANN, "--name", "scanner", "--only", "submission"]).unwrap();
    let reader = app(&["add", ANN, "--name", "reader", "--only", "pop3"]).unwrap();
    welcome(&house, ANN, &phone);
    assert!(smtp(&house, ANN, &scanner).starts_with("235"));
    assert!(pop3(&house, ANN, &scanner).starts_with("-ERR [AUTH]"));
    assert!(pop3(&house, ANN, &reader).starts_with("+OK"));
    assert!(smtp(&house, ANN, &reader).starts_with("535"));

    let mut sending = sender(&house, ANN, &phone);
    let (mut fetching, reply) = opened(&house, HOME, ANN, &phone);
    assert!(reply.starts_with("+OK"), "{reply}");
    app(&["revoke", ANN, "phone"]).unwrap();
    fetching.expect("STAT", "+OK 0");
    fetching.expect("QUIT", "+OK");
    sending.expect(&format!("MAIL FROM:<{ANN}>"), "250");
    sending.expect("RCPT TO:<friend@elsewhere.example>", "250");
    assert!(sending.message(ANN).starts_with("250"));
    unwelcome(&house, ANN, &phone);
    assert!(smtp(&house, ANN, &scanner).starts_with("235"), "the others stay");

    // They go with the account, and come back with it.
    lastpost(&house, &["account", "disable", ANN], "").unwrap();
    assert!(smtp(&house, ANN, &scanner).starts_with("535"));
    lastpost(&house, &["account", "enable", ANN], "").unwrap();
    assert!(smtp(&house, ANN, &scanner).starts_with("235"));
    set_password(&house, ANN, "another");
    assert!(smtp(&house, ANN, &scanner).starts_with("235"), "a new password leaves it alone");
}
