//! Where mail goes: one message with recipients here and there, a hop that is away, and one that
//! says nothing.

use lastpost_tests::eventually;

use crate::hop::{Hop, Manner};
use crate::kit::{AIKO, BERT, PATIENCE, aiko, emptied, house, new_mail, nobody, queue, send};

/// Tables of hops at `addresses`, and a route through them in this order.
fn in_turn(domain: &str, addresses: &[String]) -> String {
    let name = |n: usize| format!("h{n}");
    let hops: String = addresses
        .iter()
        .enumerate()
        .map(|(n, at)| format!("[[relay.hop]]\nname = \"{}\"\naddress = \"{at}\"\n", name(n)))
        .collect();
    let names: Vec<_> = (0..addresses.len()).map(name).collect();
    format!("{hops}[[relay.route]]\ndomains = [\"{domain}\"]\nhops = {names:?}\n")
}

#[test]
fn the_second_hop_gets_what_the_first_does_not_take_within_one_attempt() {
    let busy = Hop::start(Manner { greeting: "421 4.3.2 not now", ..Manner::default() });
    let working = Hop::start(Manner::default());
    let addresses = [nobody(), busy.address, working.address].map(|at| at.to_string());
    let house = house(in_turn("two.example", &addresses));
    let mut talk = aiko(&house, "submission");
    assert!(send(&mut talk, AIKO, &["x@two.example"]).starts_with("250"));
    // The clock stands still: a second attempt would never come.
    let taken = working.wait_for_mail(1, PATIENCE);
    assert_eq!(taken[0].recipients, ["<x@two.example>"]);
    assert_eq!(busy.connections(), 1);
    emptied(&house);
    // The first ones are left alone for a while.
    assert!(send(&mut talk, AIKO, &["y@two.example"]).starts_with("250"));
    working.wait_for_mail(2, PATIENCE);
    assert_eq!(busy.connections(), 1);
    assert!(house.received().is_empty(), "the next hop has no part in it");
}

#[test]
fn each_domain_has_its_own_hop() {
    let (one, two) = (Hop::start(Manner::default()), Hop::start(Manner::default()));
    let tables =
        one.tables("one", &["one.example"], "") + &two.tables("two", &["*.two.example"], "");
    let house = house(tables);
    let mut talk = aiko(&house, "submission");
    for to in ["a@one.example", "b@www.two.example", "c@two.example", "d@sub.one.example"] {
        assert!(send(&mut talk, AIKO, &[to]).starts_with("250"));
    }
    house.wait_for_mail(2);
    emptied(&house);
    let recipients =
        |hop: &Hop| hop.taken().into_iter().flat_map(|t| t.recipients).collect::<Vec<_>>();
    assert_eq!(recipients(&one), ["<a@one.example>"]);
    assert_eq!(recipients(&two), ["<b@www.two.example>"]);
    let mut others: Vec<_> = house.received().into_iter().flat_map(|r| r.recipients).collect();
    others.sort();
    assert_eq!(others, ["<c@two.example>", "<d@sub.one.example>"]);
}

#[test]
fn one_message_goes_four_ways_and_the_one_that_hangs_keeps_nobody_waiting() {
    let lists = Hop::start(Manner { lmtp: true, ..Manner::default() });
    let silent = Hop::start(Manner { hangs: true, ..Manner::default() });
    let tables = lists.tables("lists", &["lists.example"], "")
        + &silent.tables("silent", &["slow.example"], "");
    let house = house(tables);
    let to =
        ["s@slow.example", "ann@elsewhere.example", "l@lists.example", BERT, "m@lists.example"];
    assert!(send(&mut aiko(&house, "submission"), AIKO, &to).starts_with("250"));

    let next_hop = house.wait_for_mail(1);
    assert_eq!(next_hop[0].recipients, ["<ann@elsewhere.example>"]);
    let taken = lists.wait_for_mail(1, PATIENCE);
    assert_eq!(taken[0].recipients, ["<l@lists.example>", "<m@lists.example>"]);
    eventually(PATIENCE, "mail in the Maildir", || !new_mail(&house, BERT).is_empty());
    assert!(new_mail(&house, BERT)[0].contains("Delivered-To: bert@open.example"));
    // What the others took is on disk, while one still waits.
    eventually(PATIENCE, "four outcomes on disk", || {
        let waiting = queue(&house, "");
        let recipients = waiting[0]["recipients"].as_array().unwrap().iter();
        recipients.filter(|recipient| recipient["state"] == "done").count() == 4
    });
    assert_eq!(silent.connections(), 1);
    assert!(silent.taken().is_empty());

    silent.let_go();
    assert_eq!(silent.wait_for_mail(1, PATIENCE)[0].recipients, ["<s@slow.example>"]);
    emptied(&house);
    let copies = (house.received().len(), lists.taken().len(), silent.taken().len());
    assert_eq!((copies, new_mail(&house, BERT).len()), ((1, 1, 1), 1), "nobody gets it twice");
    // All have the same text, but for what the last delivery writes.
    assert_eq!(house.received()[0].content, lists.taken()[0].content);
    assert_eq!(house.received()[0].content, silent.taken()[0].content);
}
