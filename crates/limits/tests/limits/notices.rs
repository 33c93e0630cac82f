//! Who is told, and how often.

use limits::{Happening, Verdict};

use crate::kit::{HOUR, House, mailbox, sender};

#[tokio::test]
async fn one_notice_of_a_limit_a_day_and_an_account() {
    let house = House::new("admin = \"abuse@a.example\"\naccount.messages_per_hour = 3");
    let mut notices = house.limits.notices().unwrap();
    assert!(house.limits.notices().is_none(), "there is one receiver");
    for account in ["anna@a.example", "bert@a.example"] {
        assert_eq!(house.sent(&sender(account), 10).await, 3);
        for _ in 0..5 {
            assert!(matches!(house.mail(&sender(account)).await, Verdict::Defer { .. }));
        }
        let notice = notices.try_recv().unwrap();
        assert_eq!(notice.account.as_str(), account);
        assert_eq!((notice.happening, notice.most), (Happening::Deferred, 3));
        assert_eq!(
            notice.admin.as_ref().map(ToString::to_string).as_deref(),
            Some("abuse@a.example")
        );
        assert!(notices.try_recv().is_err(), "and no other");
    }
    house.limits.save().unwrap();
    let again = house.restarted();
    let mut later = again.limits.notices().unwrap();
    assert!(matches!(again.mail(&sender("anna@a.example")).await, Verdict::Defer { .. }));
    assert!(later.try_recv().is_err(), "not even after a restart");
    house.clock.advance(24 * HOUR);
    again.sent(&sender("anna@a.example"), 10).await;
    assert!(later.try_recv().is_ok(), "on the next day");
}

#[tokio::test]
async fn each_limit_has_a_notice_of_its_own() {
    let house = House::new(
        "account.messages_per_hour = { most = 2, action = \"hold\" }\n\
         account.messages_per_day = { most = 4, action = \"suspend\" }",
    );
    let mut notices = house.limits.notices().unwrap();
    let to = [mailbox("x@b.example")];
    for _ in 0..10 {
        house.send(&sender("anna@a.example"), &to).await;
    }
    let told: Vec<_> =
        std::iter::from_fn(|| notices.try_recv().ok()).map(|notice| notice.happening).collect();
    assert_eq!(told, [Happening::Held, Happening::Suspended]);
}

#[tokio::test]
async fn notices_that_nobody_takes_are_bounded() {
    let house = House::new("account.messages_per_hour = 1\naddress.messages_per_hour = 0");
    for number in 0..3000 {
        let customer = sender(&format!("u{number}@a.example"));
        assert_eq!(house.sent(&customer, 2).await, 1);
    }
    let mut notices = house.limits.notices().unwrap();
    let waiting = std::iter::from_fn(|| notices.try_recv().ok()).count();
    assert_eq!(waiting, 1024);
}
