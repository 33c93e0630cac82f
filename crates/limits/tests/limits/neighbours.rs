//! Many accounts behind one address, and those who are let be.

use limits::Verdict;

use crate::kit::{House, Sender, from, is_deferred, mailbox, sender};

#[tokio::test]
async fn an_address_has_a_limit_and_a_webmail_host_has_none() {
    let section = "address.messages_per_hour = 30\nexempt_networks = [\"198.51.100.0/24\"]";
    let house = House::new(section);
    let mut gone = 0;
    for number in 0..50 {
        gone += house.sent(&from(&format!("u{number}@a.example"), "192.0.2.9"), 1).await;
    }
    assert_eq!(gone, 30, "an office behind one address");
    assert_eq!(house.sent(&from("u1@a.example", "192.0.2.10"), 1).await, 1, "its neighbour");
    for number in 0..500 {
        let customer = from(&format!("u{number}@a.example"), "198.51.100.7");
        assert_eq!(house.sent(&customer, 1).await, 1, "webmail");
    }
    assert_eq!(house.count(&from("u7@a.example", ""), "networks_per_hour"), 1);
    // The account's own limit holds there too.
    assert!(house.sent(&from("bulk@a.example", "198.51.100.7"), 1000).await == 200);
}

#[tokio::test]
async fn an_ipv6_customer_cannot_hop_within_his_network() {
    let house = House::new("address.messages_per_hour = 3");
    let clients = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::", "2001:db8:0:1::4"];
    let mut gone = 0;
    for (number, client) in clients.into_iter().enumerate() {
        gone += house.sent(&from(&format!("u{number}@a.example"), client), 1).await;
    }
    assert_eq!(gone, 3);
    assert_eq!(house.sent(&from("v@a.example", "2001:db8:0:2::1"), 1).await, 1);
}

#[tokio::test]
async fn an_intermediary_that_names_nobody_is_no_address() {
    let house = House::new("address.messages_per_hour = 3\naccount.networks_per_hour = 1");
    for number in 0..20 {
        assert_eq!(house.sent(&from(&format!("u{number}@a.example"), ""), 5).await, 5);
    }
    assert_eq!(house.limits.statistics().addresses, 0);
}

#[tokio::test]
async fn exempt_accounts_are_counted_and_never_held_up() {
    let house =
        House::new("exempt_accounts = [\"news@a.example\"]\naddress.messages_per_hour = 10");
    let news = sender("news@a.example");
    assert_eq!(house.sent(&news, 3000).await, 3000);
    assert_eq!(house.count(&news, "messages_per_hour"), 3000);
    assert!(house.limits.figures(&news.account, None, house.now()).exempt);
    assert_eq!(house.sent(&sender("anna@a.example"), 5).await, 5, "it used up nothing of others");
    house.limits.suspend(&news.account, "by hand", house.now()).await.unwrap();
    assert!(
        matches!(house.mail(&news).await, Verdict::Suspend { .. }),
        "an admin may all the same"
    );
}

#[tokio::test]
async fn profiles_hold_for_accounts_and_listeners() {
    let house = House::new(
        "listeners = { legacy = \"small\" }\n\
         [profile.small]\nmessages_per_hour = 2\n[profile.large]\nmessages_per_hour = 400\n\
         recipients_per_hour = 0\nmessages_per_day = 0\n",
    );
    let with = |account, listener, profile| Sender { listener, profile, ..sender(account) };
    assert_eq!(house.sent(&with("a@a.example", "submission", None), 1000).await, 200);
    assert_eq!(house.sent(&with("b@a.example", "legacy", None), 1000).await, 2);
    assert_eq!(house.sent(&with("b@a.example", "submission", None), 1000).await, 198);
    assert_eq!(house.sent(&with("c@a.example", "legacy", Some("large")), 1000).await, 400);
    let gone = with("d@a.example", "submission", Some("gone"));
    assert_eq!(house.sent(&gone, 1000).await, 200, "a profile that was removed");
}

#[tokio::test]
async fn the_busiest_are_shown_first() {
    let house = House::new("");
    for (account, count) in [("a@a.example", 3), ("b@a.example", 150), ("c@a.example", 40)] {
        house.sent(&sender(account), count).await;
    }
    let top = house.limits.top(2, &|_| None, house.now());
    let names: Vec<_> = top.iter().map(|figures| figures.account.as_str()).collect();
    assert_eq!(names, ["b@a.example", "c@a.example"]);
    assert!(house.limits.forget(&sender("b@a.example").account).await);
    let verdict = house.send(&sender("b@a.example"), &[mailbox("x@b.example")]).await;
    assert!(!is_deferred(&verdict));
    assert_eq!(house.count(&sender("b@a.example"), "messages_per_hour"), 1);
}
