//! retire: whole file
//! Which logins make a grant, which renew one, and which make none.

use base64::Engine as _;
use lastpost_tests::{House, Talk};

use crate::kit::{
    AIKO, BERT, ELSEWHERE, HOME, NO_GRANT, NOT_OWNED, accepted, house, pass, refused,
};

fn plain(house: &House, login: &str) -> String {
    let password = house.customer(login).password;
    base64::engine::general_purpose::STANDARD.encode(format!("\0{login}\0{password}"))
}

#[test]
fn every_way_to_log_in_by_pop3_makes_one_before_ok() {
    let house = house("");
    let grant = [(HOME, AIKO.to_owned())];
    let user_pass = house.logged_in(AIKO, HOME);
    assert_eq!(house.grants(), grant);
    user_pass.abort();
    house.revoke_address(HOME);

    let mut initial = house.client("pop3", HOME);
    initial.expect(&format!("AUTH PLAIN {}", plain(&house, AIKO)), "+OK");
    assert_eq!(house.grants(), grant);
    initial.expect("QUIT", "+OK");
    house.revoke_address(HOME);

    let mut login = house.client("pop3", HOME);
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    login.expect("AUTH LOGIN", "+");
    login.expect(&base64(AIKO), "+");
    login.expect(&base64(house.customer(AIKO).password), "+OK");
    assert_eq!(house.grants(), grant);
    login.expect("QUIT", "+OK");
    house.revoke_address(HOME);

    let mut pop3s = Talk::connect_tls(house.address("pop3s"), HOME);
    pop3s.expect_reply("+OK");
    pop3s.expect(&format!("USER {AIKO}"), "+OK");
    pop3s.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    assert_eq!(house.grants(), grant);
    accepted(&house.send(AIKO, HOME));
}

#[test]
fn a_failed_or_unfinished_login_makes_none() {
    let house = house("");
    let mut talk = house.client("pop3", HOME);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    refused(&house.send(AIKO, HOME), "530 5.7.0", NO_GRANT);
    talk.expect("PASS wrong", "-ERR [AUTH]");
    let mut talk = house.client("pop3", HOME);
    talk.expect("AUTH PLAIN", "+");
    talk.expect("*", "-ERR");
    assert_eq!(house.grants(), []);
    refused(&house.send(AIKO, HOME), "530 5.7.0", NO_GRANT);
}

#[test]
fn a_login_that_does_not_get_its_maildrop_makes_none() {
    let house = house("");
    let refused_login = |from, begins: &str| {
        let mut talk = house.client("pop3", from);
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {}", house.customer(AIKO).password), begins);
    };
    let mut first = house.logged_in(AIKO, HOME);
    refused_login(ELSEWHERE, "-ERR [IN-USE]");
    assert_eq!(house.grants(), [(HOME, AIKO.to_owned())]);
    refused(&house.send(AIKO, ELSEWHERE), "530 5.7.0", NO_GRANT);
    // Nor does it renew the one that there is.
    pass(&house, 19 * 60);
    refused_login(HOME, "-ERR [IN-USE]");
    pass(&house, 60);
    refused(&house.send(AIKO, HOME), "530 5.7.0", NO_GRANT);
    first.expect("QUIT", "+OK");

    std::fs::remove_dir_all(house.maildir(AIKO)).unwrap();
    std::fs::write(house.maildir(AIKO), "not a directory").unwrap();
    refused_login(HOME, "-ERR [SYS/TEMP]");
    assert_eq!(house.grants(), []);
}

#[test]
fn smtp_auth_makes_none() {
    let house = house("");
    let mut talk = house.greeted(HOME, "aiko");
    assert!(talk.auth_plain(AIKO, house.customer(AIKO).password).starts_with("235"));
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    talk.expect("QUIT", "221");
    assert_eq!(house.grants(), []);
    refused(&house.send(AIKO, HOME), "530 5.7.0", NO_GRANT);
}

#[test]
fn fetching_again_begins_the_window_anew() {
    let house = house("");
    let mut smtp = house.greeted(HOME, "aiko");
    let mail = format!("MAIL FROM:<{AIKO}>");
    house.fetch(AIKO, HOME);
    for _ in 0..4 {
        pass(&house, 19 * 60 + 59);
        smtp.expect(&mail, "250");
        smtp.expect("RSET", "250");
        house.fetch(AIKO, HOME);
    }
    assert_eq!(house.grants().len(), 1);
    // The neighbour's login renews his, not hers.
    pass(&house, 10 * 60);
    house.fetch(BERT, HOME);
    pass(&house, 10 * 60);
    refused(&smtp.ask(&mail), "550 5.7.1", NOT_OWNED);
    smtp.expect(&format!("MAIL FROM:<{BERT}>"), "250");
}

#[test]
fn a_login_succeeds_even_if_there_is_no_room_for_its_grant() {
    let house = house("entries_max = 1\naddresses_per_account = 2");
    for (login, from) in [(AIKO, HOME), (BERT, ELSEWHERE), (BERT, HOME)] {
        house.fetch(login, from);
        pass(&house, 1);
        assert_eq!(house.grants(), [(from, login.to_owned())], "the youngest stays");
    }
}

#[test]
fn an_account_has_grants_at_its_latest_addresses_alone() {
    let house = house("addresses_per_account = 2");
    let third = [127, 0, 0, 4].into();
    house.fetch(BERT, HOME);
    for from in [HOME, ELSEWHERE, third] {
        house.fetch(AIKO, from);
        pass(&house, 1);
    }
    refused(&house.send(AIKO, HOME), "550 5.7.1", NOT_OWNED);
    accepted(&house.send(AIKO, ELSEWHERE));
    accepted(&house.send(AIKO, third));
    accepted(&house.send(BERT, HOME));
}

#[test]
fn a_session_that_stays_open_does_not_prolong_it() {
    let house = house("");
    let mut pop3 = house.logged_in(AIKO, HOME);
    pass(&house, 20 * 60);
    pop3.expect("NOOP", "+OK");
    refused(&house.send(AIKO, HOME), "530 5.7.0", NO_GRANT);
}

#[test]
fn a_client_that_connected_before_it_fetched_sends_all_the_same() {
    let house = house("");
    // Programs that connect to both at the press of one button, or send first.
    let mut smtp = house.greeted(HOME, "aiko");
    refused(&smtp.ask(&format!("MAIL FROM:<{AIKO}>")), "530 5.7.0", NO_GRANT);
    let _pop3 = house.logged_in(AIKO, HOME);
    smtp.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
}

#[test]
fn a_client_that_knows_helo_alone_sends_by_its_grant() {
    let house = house("");
    house.fetch(AIKO, HOME);
    let mut talk = house.client("legacy", HOME);
    talk.expect("HELO old-machine", "250");
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&talk.message(AIKO));
    let content = String::from_utf8(house.wait_for_mail(1)[0].content.clone()).unwrap();
    assert!(content.contains("from old-machine"), "{content}");
}
