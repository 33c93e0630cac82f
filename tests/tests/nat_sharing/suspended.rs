//! retire: whole file
//! A suspended account (`[limits]`) has no grant that helps it.

use std::time::Duration;

use lastpost_tests::{House, Plan, eventually};

use crate::kit::{AIKO, BERT, HOME, accepted, bridge, pass};

const LIMITS: &str = "[limits]\n[limits.account]\n\
                      messages_per_hour = { most = 2, action = \"suspend\" }\n";

/// The messages in a Maildir that came since.
fn notices(house: &House, login: &str) -> usize {
    std::fs::read_dir(house.maildir(login).join("new")).map_or(0, Iterator::count)
}

#[test]
fn who_fetches_and_is_suspended_may_not_send_and_his_neighbour_may() {
    let plan = Plan { submission: LIMITS, ..Plan::default() };
    let house = House::start(plan.with_bridge(&bridge("")));
    house.fetch(AIKO, HOME);
    house.fetch(BERT, HOME);
    accepted(&house.send(AIKO, HOME));
    accepted(&house.send(AIKO, HOME));
    let reply = house.send(AIKO, HOME);
    assert!(reply.starts_with("525 5.7.13"), "{reply}");
    accepted(&house.send(BERT, HOME));
    // Another fetch is another grant, and no way round.
    pass(&house, 25 * 60);
    house.fetch(AIKO, HOME);
    let reply = house.send(AIKO, HOME);
    assert!(reply.starts_with("525 5.7.13"), "{reply}");
    eventually(Duration::from_secs(30), "her notice", || notices(&house, AIKO) == 1);
    assert_eq!(notices(&house, BERT), 0);

    let order = format!("{{\"account\":\"{AIKO}\"}}");
    house.control().post("/limits/resume", &order).unwrap();
    accepted(&house.send(AIKO, HOME));
    assert_eq!(house.wait_for_mail(4).len(), 4);
}
