//! Limits from the client to the queue and the mailboxes: each action, the neighbours of one who
//! sends too much, and the way back.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lastpost_tests::{House, eventually};

use crate::kit::{
    AIKO, BERT, FRIEND, HOME, PATIENCE, aiko, customer, house, new_mail, queue, release, send,
};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 5, 5));
const ADMIN: &str = "clara@closed.example";

fn limited(action: &str) -> House {
    house(format!(
        "[limits]\nadmin = \"{ADMIN}\"\n[limits.account]\n\
         messages_per_hour = {{ most = 2, action = \"{action}\" }}\n"
    ))
}

/// Waits for the notices to the customer and to the admin.
fn notices(house: &House) -> (String, String) {
    eventually(PATIENCE, "two notices", || {
        !new_mail(house, AIKO).is_empty() && !new_mail(house, ADMIN).is_empty()
    });
    let only = |login| {
        let [notice] = new_mail(house, login).try_into().unwrap();
        notice
    };
    (only(AIKO), only(ADMIN))
}

#[test]
fn who_is_put_off_may_send_again_when_the_hour_has_passed() {
    let house = limited("defer");
    let mut talk = aiko(&house, "submission");
    for _ in 0..2 {
        assert!(send(&mut talk, AIKO, FRIEND).starts_with("250"));
    }
    for _ in 0..3 {
        assert!(send(&mut talk, AIKO, FRIEND).starts_with("450 4.7.1"));
    }
    // Neither another session nor another address of hers helps; others do not notice.
    let mut again = customer(&house, "legacy", AIKO, ELSEWHERE);
    assert!(send(&mut again, "sales@open.example", FRIEND).starts_with("450 4.7.1"));
    assert!(send(&mut customer(&house, "legacy", BERT, HOME), BERT, FRIEND).starts_with("250"));
    let (customers, admins) = notices(&house);
    assert!(customers.contains("Return-Path: <>") && admins.contains(AIKO), "{admins}");
    house.clock().advance(Duration::from_secs(2 * 60 * 60));
    assert!(send(&mut again, AIKO, FRIEND).starts_with("250"));
    assert_eq!(house.wait_for_mail(4).len(), 4);
    assert_eq!((new_mail(&house, AIKO).len(), new_mail(&house, ADMIN).len()), (1, 1), "one a day");
}

#[test]
fn what_is_held_leaves_when_somebody_has_looked_at_it() {
    let house = limited("hold");
    let mut talk = aiko(&house, "submission");
    for _ in 0..4 {
        assert!(send(&mut talk, AIKO, FRIEND).starts_with("250 2.0.0"));
    }
    house.wait_for_mail(2);
    notices(&house);
    let held = queue(&house, "?held=true");
    assert_eq!(held.len(), 2, "{held:?}");
    for message in &held {
        let review = message["review"].as_str().unwrap();
        assert_eq!(review, "limit messages-per-hour");
        assert_eq!(message["account"], AIKO);
        release(&house, message);
    }
    assert_eq!(house.wait_for_mail(4).len(), 4);
}

#[test]
fn who_is_suspended_is_told_at_auth_and_mail_until_he_is_resumed() {
    let house = limited("suspend");
    let mut open = aiko(&house, "submission");
    let mut talk = aiko(&house, "submission");
    for _ in 0..2 {
        assert!(send(&mut talk, AIKO, FRIEND).starts_with("250"));
    }
    assert!(send(&mut talk, AIKO, FRIEND).starts_with("525 5.7.13"));
    // A session that was open before hears it at MAIL, a new one at AUTH.
    assert!(send(&mut open, AIKO, FRIEND).starts_with("525 5.7.13"));
    let mut new = house.client("legacy", ELSEWHERE);
    new.expect("EHLO customer.example", "250");
    assert!(new.auth_plain(AIKO, "wrong").starts_with("535 5.7.8"));
    let password = house.customer(AIKO).password;
    assert!(new.auth_plain(AIKO, password).starts_with("525 5.7.13"));
    new.expect(&format!("MAIL FROM:<{AIKO}>"), "530 5.7.0");
    // Time alone heals nothing, and mail can still be read.
    house.clock().advance(Duration::from_secs(48 * 60 * 60));
    assert!(send(&mut aiko_again(&house), AIKO, FRIEND).starts_with("530"));
    house.fetch(AIKO, HOME);
    let (customers, admins) = notices(&house);
    assert!(customers.contains("To: <aiko@open.example>"), "{customers}");
    assert!(admins.contains("lastpost limits resume aiko@open.example"), "{admins}");

    let order = format!("{{\"account\":\"{AIKO}\"}}");
    house.control().post("/limits/resume", &order).unwrap();
    assert!(new.auth_plain(AIKO, password).starts_with("235"));
    assert!(send(&mut new, AIKO, FRIEND).starts_with("250"));
    assert_eq!(house.wait_for_mail(3).len(), 3);
}

/// A session whose AUTH was refused.
fn aiko_again(house: &House) -> lastpost_tests::Talk {
    let mut talk = house.client("submission", HOME);
    talk.expect("EHLO customer.example", "250");
    assert!(talk.auth_plain(AIKO, house.customer(AIKO).password).starts_with("525 5.7.13"));
    talk
}

#[test]
fn neighbours_share_the_limit_of_their_address_and_no_punishment() {
    let house = house(
        "[limits]\n[limits.account]\nmessages_per_hour = 0\n\
         [limits.address]\nmessages_per_hour = 3\n",
    );
    let mut noisy = aiko(&house, "submission");
    for _ in 0..3 {
        assert!(send(&mut noisy, AIKO, FRIEND).starts_with("250"));
    }
    assert!(send(&mut noisy, AIKO, FRIEND).starts_with("450 4.7.1"));
    let mut neighbour = customer(&house, "legacy", BERT, HOME);
    assert!(send(&mut neighbour, BERT, FRIEND).starts_with("450 4.7.1"));
    // Neither is to blame: both send from elsewhere, and from here an hour later.
    assert!(
        send(&mut customer(&house, "legacy", BERT, ELSEWHERE), BERT, FRIEND).starts_with("250")
    );
    assert!(
        send(&mut customer(&house, "legacy", AIKO, ELSEWHERE), AIKO, FRIEND).starts_with("250")
    );
    house.clock().advance(Duration::from_secs(2 * 60 * 60));
    assert!(send(&mut customer(&house, "legacy", BERT, HOME), BERT, FRIEND).starts_with("250"));
    assert_eq!(house.wait_for_mail(6).len(), 6);
    let suspended = house.control().get("/limits/suspended");
    assert!(suspended.unwrap().trim() == "[]", "nobody is suspended");
}
