//! What stolen passwords are used for.

use limits::Verdict;

use crate::kit::{HOUR, House, from, is_deferred, mailbox, sender};

#[tokio::test]
async fn of_ten_thousand_messages_two_hundred_go_out() {
    for (action, stays) in [("defer", 0), ("hold", 9_800), ("suspend", 0)] {
        let house = House::new(&format!(
            "account.action = \"{action}\"\naccount.messages_per_day = 0\n\
             account.recipients_per_hour = 0\naccount.recipients_per_day = 0\n\
             account.first_time_recipients_per_day = 0\n\
             account.octets_per_day = 0\naddress.messages_per_hour = 0\n\
             address.recipients_per_hour = 0"
        ));
        let thief = sender("anna@a.example");
        let (mut gone, mut held) = (0, 0);
        for number in 0..10_000_u32 {
            let verdict = house.send(&thief, &[mailbox(&format!("u{number}@b.example"))]).await;
            match verdict {
                Verdict::Pass => gone += 1,
                Verdict::Hold { reason } => {
                    assert_eq!(reason, "messages-per-hour");
                    held += 1;
                }
                Verdict::Defer { .. } | Verdict::Suspend { .. } => {}
            }
        }
        assert_eq!((gone, held), (200, stays), "{action}");
        let suspended = house.limits.suspended(&thief.account);
        assert_eq!(suspended.is_some(), action == "suspend");
    }
}

#[tokio::test]
async fn strangers_are_counted_and_friends_are_not() {
    let house = House::new("account.first_time_recipients_per_day = 20\naccount.action = \"hold\"");
    let anna = sender("anna@a.example");
    let friends: Vec<_> = (0..15).map(|n| mailbox(&format!("friend{n}@b.example"))).collect();
    assert_eq!(house.send(&anna, &friends).await, Verdict::Pass);
    house.clock.advance(48 * HOUR);
    for _ in 0..5 {
        assert_eq!(house.send(&anna, &friends).await, Verdict::Pass, "they are known by now");
    }
    let strangers: Vec<_> = (0..21).map(|n| mailbox(&format!("list{n}@c.example"))).collect();
    let verdict = house.send(&anna, &strangers).await;
    assert_eq!(verdict, Verdict::Hold { reason: "first-time-recipients-per-day" });
    let one = [mailbox("one.more@c.example")];
    assert!(matches!(house.send(&anna, &one).await, Verdict::Hold { .. }));
    assert_eq!(house.send(&anna, &friends).await, Verdict::Pass, "friends are still written to");
}

#[tokio::test]
async fn a_botnet_uses_one_account_from_thirty_networks() {
    let house = House::new("account.networks_per_hour = { most = 10, action = \"suspend\" }");
    let clients: Vec<&'static str> =
        (0..30).map(|net| &*Box::leak(format!("198.51.{net}.7").into_boxed_str())).collect();
    let mut gone = 0;
    for client in &clients {
        let verdict = house.sent(&from("anna@a.example", client), 1).await;
        gone += verdict;
    }
    assert_eq!(gone, 10);
    let suspension = house.limits.suspended(&sender("anna@a.example").account).unwrap();
    assert_eq!(suspension.limit.as_deref(), Some("networks-per-hour"));
    assert_eq!(suspension.reason, "more than 10 networks an hour");
    // A telephone that wanders within its carrier's network is no botnet.
    for client in
        ["203.0.113.1", "203.0.113.77", "203.0.113.200", "2001:db8:1:1::1", "2001:db8:1:2::9"]
    {
        assert_eq!(house.sent(&from("bert@a.example", client), 10).await, 10);
    }
    assert_eq!(house.count(&sender("bert@a.example"), "networks_per_hour"), 2);
}

#[tokio::test]
async fn addresses_that_do_not_exist_are_a_sign() {
    let house = House::new("account.failed_recipients_per_hour = { most = 3, action = \"defer\" }");
    let thief = sender("anna@a.example");
    assert_eq!(house.sent(&thief, 1).await, 1);
    for _ in 0..2 {
        house.limits.recipient_failed(&thief.who(), house.now());
        house.limits.delivery_failed(&thief.account, house.now());
    }
    let verdict = house.mail(&thief).await;
    let Verdict::Defer { text, reason } = verdict else { panic!("{verdict:?}") };
    assert_eq!(reason, "failed-recipients-per-hour");
    assert!(text.contains("3 recipients an hour that do not exist"), "{text}");
    house.clock.advance(2 * HOUR);
    assert_eq!(house.mail(&thief).await, Verdict::Pass);
}

#[tokio::test]
async fn octets_and_recipients_have_limits_of_their_own() {
    let house = House::new(
        "account.octets_per_day = \"10MiB\"\naccount.recipients_per_hour = 5\n\
         account.recipients_per_day = 0",
    );
    let (anna, bert) = (sender("anna@a.example"), sender("bert@a.example"));
    let one = [mailbox("x@b.example")];
    let ruling = house.rule(&anna, &one, 9 << 20).await;
    ruling.charge.unwrap().keep();
    assert!(is_deferred(&house.rule(&anna, &one, 2 << 20).await.verdict));
    assert_eq!(house.rule(&anna, &one, 1 << 20).await.verdict, Verdict::Pass);
    let many: Vec<_> = (0..6).map(|n| mailbox(&format!("u{n}@b.example"))).collect();
    let verdict = house.send(&bert, &many).await;
    let Verdict::Defer { text, .. } = verdict else { panic!("{verdict:?}") };
    assert!(text.contains("this message alone has more, divide it"), "{text}");
    assert_eq!(house.send(&bert, &many[..5]).await, Verdict::Pass);
}

#[tokio::test]
async fn the_trial_mode_lets_all_pass_and_counts() {
    let house = House::new(
        "account.action = \"log\"\naccount.messages_per_hour = 5\naddress.action = \"log\"\n\
         address.messages_per_hour = 5",
    );
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 100).await, 100);
    assert_eq!(house.count(&anna, "messages_per_hour"), 100);
    assert_eq!(house.limits.statistics().logged, 95);
    assert!(house.limits.notices().unwrap().try_recv().is_err(), "nobody is written to");
}

#[tokio::test]
async fn a_suspended_account_is_told_so_at_every_step() {
    let house = House::new("");
    let anna = sender("anna@a.example");
    assert!(
        house.limits.suspend(&anna.account, "letter of the police", house.now()).await.unwrap()
    );
    assert!(!house.limits.suspend(&anna.account, "again", house.now()).await.unwrap());
    let Verdict::Suspend { text, reason } = house.mail(&anna).await else { panic!() };
    assert_eq!(reason, "suspended");
    assert!(text.contains("since 2026-11-24 12:00 UTC") && !text.contains("police"), "{text}");
    let ruling = house.rule(&anna, &[mailbox("x@b.example")], 1).await;
    assert!(matches!(ruling.verdict, Verdict::Suspend { .. }) && ruling.charge.is_none());
    assert_eq!(house.limits.suspended_accounts()[0].reason, "letter of the police");
    assert!(house.limits.resume(&anna.account, house.now()).await.unwrap());
    assert!(!house.limits.resume(&anna.account, house.now()).await.unwrap());
    assert_eq!(house.mail(&anna).await, Verdict::Pass);
}

#[tokio::test]
async fn who_is_resumed_is_not_suspended_by_his_next_message() {
    let house = House::new("account.messages_per_hour = { most = 3, action = \"suspend\" }");
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 10).await, 3);
    assert!(house.limits.suspended(&anna.account).is_some());
    house.limits.resume(&anna.account, house.now()).await.unwrap();
    assert_eq!(house.sent(&anna, 10).await, 3);
}

#[tokio::test]
async fn hostile_names_are_names() {
    let house = House::new("account.messages_per_hour = 1");
    let long = "x".repeat(320);
    for name in ["a'b\"c@a.example", "{}%s@a.example", "ü漢字@a.example", "*", long.as_str()] {
        let odd = sender(name);
        assert_eq!(house.sent(&odd, 5).await, 1, "{name}");
        house.limits.suspend(&odd.account, "\u{1b}[31m\r\n{\"x\":1}", house.now()).await.unwrap();
    }
    house.limits.save().unwrap();
    let again = house.restarted();
    for account in again.limits.suspended_accounts() {
        assert!(!account.reason.contains(char::is_control));
    }
    assert_eq!(again.limits.suspended_accounts().len(), 5);
    assert_eq!(again.count(&sender("*"), "messages_per_hour"), 1);
}
