//! From servers whose ids are names, and from lists that were exported.

use std::fs;

use lastpost_tests::{House, Plan};

use crate::kit::{LOGIN, expect, json, letter, listing, message};

fn house_with_letters() -> House {
    let house = House::start(Plan::default());
    let maildir = house.maildir(LOGIN);
    message(&maildir, "cur/1732400001.a.mx:2,S", &letter(1));
    message(&maildir, "new/1732400002.b.mx", &letter(2));
    message(&maildir, "new/1732400003.c.mx", &letter(3));
    for (at, name) in
        ["new/1732400003.c.mx", "cur/1732400001.a.mx:2,S", "new/1732400002.b.mx"].iter().enumerate()
    {
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + at as u64);
        fs::File::options().write(true).open(maildir.join(name)).unwrap().set_modified(at).unwrap();
    }
    house
}

#[test]
fn qmail_has_the_names_in_the_order_of_the_files() {
    let house = house_with_letters();
    let told = json(&house, &["import-uidl", "--from", "qmail", LOGIN], 0);
    assert_eq!((&told["adopted"], &told["already_right"]), (&0.into(), &3.into()));
    let expected = ["1 1732400003.c.mx", "2 1732400001.a.mx", "3 1732400002.b.mx"];
    assert_eq!(listing(&house, "UIDL"), expected);
}

#[test]
fn tpop3d_has_their_md5() {
    let house = house_with_letters();
    let path = house.maildir(LOGIN);
    let path = path.to_str().unwrap();
    expect(&house, &["import-uidl", "--from", "tpop3d", "--path", path], 0);
    let ids = listing(&house, "UIDL");
    // printf 1732400003.c.mx | md5sum, and so on.
    let expected = [
        "69768e61775519f5f97a9d78698e34fd",
        "56c652168b9007d530921b83fcc59022",
        "34e1eff8c40a7f9cc3d628c17c5beb7f",
    ];
    assert!(ids.iter().zip(expected).all(|(line, id)| line.ends_with(id)), "{ids:?}");
}

#[test]
fn a_map_and_what_is_wrong_with_it() {
    let house = house_with_letters();
    let file = house.path(&format!("map-{LOGIN}"));
    let map = "1732400002.b.mx:2,S\tsecond\n1732400001.a.mx\tfirst one\n1732400003.c.mx\tsecond\n";
    fs::write(&file, map).unwrap();
    let pattern = house.path("map-%u");
    let pattern = pattern.to_str().unwrap();
    let arguments = ["import-uidl", "--from", "map", "--file", pattern, LOGIN];
    let (out, err) = expect(&house, &arguments, 1);
    assert!(out.contains("1732400001.a.mx: id first one is not given: not 1 to 70"), "{out}");
    assert!(out.contains("1732400003.c.mx: id second is not given: this id was given"), "{out}");
    assert!(err.contains("not everything could be taken over in 1 of 1 maildrops"), "{err}");
    let expected = ["1 second", "2 1732400001.a.mx", "3 1732400003.c.mx"];
    assert_eq!(listing(&house, "UIDL"), expected);
    // Customers have seen these ids: they are changed only on demand.
    fs::write(&file, "1732400001.a.mx\tfirst\n").unwrap();
    let (out, _) = expect(&house, &arguments, 1);
    assert!(out.contains("clients may have seen this message under another id"), "{out}");
    expect(&house, &[&arguments[..], &["--replace"]].concat(), 0);
    assert_eq!(listing(&house, "UIDL")[0], "1 first");
}

#[test]
fn cyrus_by_a_listing() {
    let house = house_with_letters();
    let file = house.path("uids");
    fs::write(&file, "9 1732400001.a.mx\n4 1732400003.c.mx\n7\t1732400002.b.mx\n").unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["import-uidl", "--from", "cyrus", "--file", file, LOGIN];
    let (out, _) = expect(&house, &arguments, 1);
    assert!(out.contains("give it with --uidvalidity"), "{out}");
    expect(&house, &[&arguments[..], &["--uidvalidity", "77"]].concat(), 0);
    assert_eq!(listing(&house, "UIDL"), ["1 77.4", "2 77.7", "3 77.9"]);
}

#[test]
fn mistakes_of_the_command_line_are_named() {
    let house = house_with_letters();
    for (arguments, expected) in [
        (&["--from", "map", LOGIN][..], "name it with --file"),
        (&["--from", "qmail", "--file", "x", LOGIN], "ids of this server are the file names"),
        (&["--from", "courier", "--uidl-format", "%f", LOGIN], "have one format only"),
        (&["--from", "dovecot", "--uidl-format", "%z", LOGIN], "\"%z\" is no variable"),
        (&["--from", "dovecot", "--uidl-format", "%m", LOGIN], "ids made of the headers"),
        (&["--from", "cyrus", "--uidl-format", "%u", "--file", "x", LOGIN], "expected uidonly"),
        (&["--from", "dovecot", "--file", "/x", "--all"], "only with %u, %n or %d"),
        (&["--from", "dovecot", "--uidvalidity", "5", LOGIN], "has its own"),
        (&["--from", "dovecot"], "required"),
        (&["--from", "dovecot", "--all", "--path", "/x"], "cannot be used with"),
    ] {
        let (_, err) = expect(&house, &[&["import-uidl"], arguments].concat(), 2);
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    let (_, err) = expect(&house, &["import-uidl", "--from", "dovecot", "nobody@open.example"], 1);
    assert!(err.contains("there is no account nobody@open.example"), "{err}");
    let (out, _) = expect(&house, &["import-uidl", "--from", "dovecot", LOGIN], 1);
    assert!(out.contains("dovecot-uidlist: there is no such file"), "{out}");
}
