//! Names that would like to be paths, patterns or queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lastpost_tests::House;

use crate::kit::{AIKO, BERT, HERE, base64, house_with, names, put, set_users};

/// All below the mail's root with the time of the last change.
fn tree(root: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let about = std::fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                open.push(path.clone());
            }
            found.insert(path, about.modified().unwrap());
        }
    }
    found
}

fn house() -> House {
    house_with("sessions_per_ip_max = 2000\nerrors_max = 255\n")
}

/// Tries `name` with the right password of `AIKO`, by each way to log in. It must be refused as
/// any wrong one is.
fn assert_refused(house: &House, name: &[u8]) {
    let password = house.customer(AIKO).password.as_bytes();
    let mut talk = house.client("pop3", HERE);
    let response = base64([b"\0", name, b"\0", password].concat());
    let reply = talk.ask(&format!("AUTH PLAIN {response}"));
    assert!(reply.starts_with("-ERR"), "{}: {reply}", name.escape_ascii());
    if !name.contains(&b'\n') {
        talk.send_raw(&[b"USER ", name, b"\r\nPASS ", password, b"\r\n"].concat());
        let replies = [talk.reply(), talk.reply()];
        assert!(replies[1].starts_with("-ERR"), "{}: {replies:?}", name.escape_ascii());
    }
    talk.expect("STAT", "-ERR");
}

/// A class of its own in many servers: `..`, slashes, NUL and leading dots in a name led out of
/// the mail's directory, or into another's.
#[test]
fn no_name_reaches_the_file_system() {
    let house = house();
    put(&house, BERT, "1.m", b"private\n");
    house.fetch(AIKO, HERE);
    let before = tree(&house.path("mail"));
    let names: [&[u8]; 16] = [
        b"..",
        b".",
        b"../bert@open.example",
        b"aiko@open.example/../bert@open.example",
        b"aiko@open.example/Maildir",
        b"/etc/passwd",
        b"//",
        b".hidden@open.example",
        b"a/../aiko@open.example",
        b"aiko@open.example\0",
        b"aiko@open.example\0/../../bert@open.example",
        b"aiko@../open.example",
        b"..\\bert@open.example",
        b"~aiko@open.example",
        b"aiko@open.example\nbert@open.example",
        b"aiko@open.example\r\n",
    ];
    for name in names {
        assert_refused(&house, name);
    }
    assert_eq!(tree(&house.path("mail")), before);
}

/// CVE-2017-2669 (Dovecot): `%` in a name was expanded, for as long as it took, and into other
/// users' fields.
#[test]
fn nothing_in_a_name_is_expanded() {
    let house = house();
    house.fetch(AIKO, HERE);
    let before = tree(&house.path("mail"));
    for name in [
        "%u",
        "%{user}",
        "%{env:HOME}",
        "%h",
        "%1000000000u",
        "%{pkcs7;rounds=4294967295:user}",
        "%%u@open.example",
        "$HOME",
        "${login}",
        "{login}",
        "{}@open.example",
        "aiko%40open.example",
        "%61iko@open.example",
        "&aiko@open.example",
    ] {
        assert_refused(&house, name.as_bytes());
    }
    assert_eq!(tree(&house.path("mail")), before);
}

/// CVE-2026-24031 and CVE-2026-27860 (Dovecot): names that ended a query and began another. Our
/// table has lines and colons to break out of.
#[test]
fn no_name_breaks_out_of_a_lookup() {
    let house = house();
    for name in [
        "aiko@open.example:",
        ":{PLAIN}x",
        "aiko@open.example:x::::/tmp::",
        "' OR '1'='1",
        "aiko@open.example'--",
        "*",
        "aiko*",
        "*)(uid=*",
        "aiko@open.example)(|(uid=*",
        "#aiko@open.example",
        "!aiko@open.example",
    ] {
        assert_refused(&house, name.as_bytes());
    }
}

/// Patterns in the place of mail (`{user}` and the like) are filled by accounts that exist alone,
/// and by their names as the table has them: case and default domain give no second maildrop.
#[test]
fn a_name_in_another_case_is_the_same_account_or_none() {
    let house = house();
    put(&house, AIKO, "1.m", b"Subject: x\n\nhers\n");
    let before = tree(&house.path("mail")).len();
    let password = house.customer(AIKO).password;
    for name in ["AIKO@OPEN.EXAMPLE", "Aiko@open.example", "aiko@Open.Example"] {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("USER {name}"), "+OK");
        let reply = talk.ask(&format!("PASS {password}"));
        if reply.starts_with("+OK") {
            talk.expect("STAT", "+OK 1 ");
            talk.expect("QUIT", "+OK");
        } else {
            assert!(reply.starts_with("-ERR [AUTH]"), "{reply}");
        }
    }
    // No more than the first login makes: lock and state of the one maildrop.
    assert!(tree(&house.path("mail")).len() <= before + 2);
}

/// A table of accounts that names a place outside or above is refused when it is read, by line;
/// the one in force stays.
#[test]
fn a_table_that_leads_out_is_refused() {
    let house = house();
    put(&house, AIKO, "1.m", b"x\n");
    let good = std::fs::read_to_string(house.path("users")).unwrap();
    for bad in [
        "evil:{PLAIN}x::::../outside::\n",
        "evil:{PLAIN}x::::/var/mail/../../etc::\n",
        "../evil:{PLAIN}x::::/var/mail/evil::\n",
        "ev/il:{PLAIN}x::::/var/mail/evil::\n",
        "evil\0:{PLAIN}x::::/var/mail/evil::\n",
    ] {
        std::fs::write(house.path("users"), format!("{good}{bad}")).unwrap();
        let refused = house.service().controls().reload();
        assert!(refused.is_err(), "{bad:?} was taken");
        house.fetch(AIKO, HERE);
    }
    set_users(&house, &good);
    assert_eq!(names(&house, AIKO), ["1.m"]);
}
