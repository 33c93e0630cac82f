//! Looking into maildrops, and putting right what is remembered of them.

use std::fs;

use lastpost_tests::{House, Plan};

use crate::kit::{LOGIN, expect, json, letter, listing, message};

#[test]
fn all_messages_are_listed() {
    let house = House::start(Plan::default());
    let maildir = house.maildir(LOGIN);
    message(&maildir, "new/1732400001.a.mx", "a\n");
    message(&maildir, "cur/1732400002.b.mx:2,S", "bb\n");
    let (out, _) = expect(&house, &["show", LOGIN, "--messages"], 0);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["NUMBER", "OCTETS", "UIDL", "FILE"]);
    assert_eq!(lines[2], ["1", "3", "1732400001.a.mx", "new/1732400001.a.mx"]);
    assert_eq!(lines[3], ["2", "4", "1732400002.b.mx", "cur/1732400002.b.mx:2,S"]);
    let told = json(&house, &["show", LOGIN, "--messages"], 0);
    assert_eq!(told["list"][1]["uidl"], "1732400002.b.mx");
    let told = json(&house, &["show", LOGIN], 0);
    assert_eq!((&told["messages"], told.get("list")), (&2.into(), None));
}

#[test]
fn wrong_sizes_are_counted_anew_and_ids_stay() {
    let house = House::start(Plan::default());
    let maildir = house.maildir(LOGIN);
    message(&maildir, "new/1732400001.a.mx", &letter(1));
    message(&maildir, "new/1732400002.b.mx,W=5", &letter(2));
    let ids = ["map", "--file"];
    let file = house.path("map");
    fs::write(&file, "1732400002.b.mx,W=5\tsecond\n1732400001.a.mx\tfirst\n").unwrap();
    let file = file.to_str().unwrap();
    expect(&house, &["import-uidl", "--from", ids[0], ids[1], file, LOGIN], 0);
    assert_eq!(listing(&house, "LIST")[0], "1 5", "a name that lies is believed at first");
    let told = json(&house, &["repair", LOGIN], 0);
    assert_eq!(
        (&told[0]["messages"], &told[0]["sizes_corrected"]),
        (&2.into(), &1.into()),
        "{told}"
    );
    let octets = letter(2).replace('\n', "\r\n").len();
    assert_eq!(listing(&house, "LIST")[0], format!("1 {octets}"));
    assert_eq!(listing(&house, "UIDL"), ["1 second", "2 first"]);
}

#[test]
fn a_damaged_state_is_made_anew() {
    let house = House::start(Plan::default());
    house.deliver(LOGIN, letter(1).as_bytes());
    let ids = listing(&house, "UIDL");
    let told = json(&house, &["repair", LOGIN], 0);
    assert_eq!(told[0]["sizes_corrected"], 0);
    let state = house.maildir(LOGIN).join("lastpost-state");
    fs::write(&state, b"rubbish").unwrap();
    let (out, _) = expect(&house, &["repair", "--all"], 0);
    assert!(out.contains("the state was damaged"), "{out}");
    assert_eq!(out.lines().count(), 4, "a header and three accounts: {out}");
    assert_ne!(fs::read(&state).unwrap(), b"rubbish");
    assert_eq!(listing(&house, "UIDL"), ids);
}
