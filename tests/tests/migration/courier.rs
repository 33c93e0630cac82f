//! From Courier: by what it recorded, and by the real program where it is installed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lastpost_tests::{House, Plan};

use crate::kit::{LOGIN, json, letter, listing, message};

fn house() -> House {
    let pop3 = "[pop3.maildrop]\nuidl_format = \"courier\"\n";
    House::start(Plan { pop3, ..Plan::default() })
}

/// As courierpop3d 1.0.16 wrote it for these two files, with the ids that it showed.
#[test]
fn its_record_is_taken_over_and_goes_on() {
    let house = house();
    let maildir = house.maildir(LOGIN);
    message(&maildir, "cur/1732400000.M2.mx,S=24:2,S", "From: a\nSubject: y\n\nhi\n\n");
    message(&maildir, "cur/1732400001.M1.mx:2,", "From: a\nSubject: x\n\nhi\n");
    let list = "/3 3 1795544999\n1732400000.M2.mx,S=24:2,S 29 1:1795544999:0\n\
                1732400001.M1.mx:2, 27 2:1795544999:0\n1732399999.gone 27 7:1795544000:0\nbroken\n";
    fs::write(maildir.join("courierpop3dsizelist"), list).unwrap();
    let told = json(&house, &["import-uidl", "--from", "courier", LOGIN], 1);
    assert_eq!((&told["adopted"], &told["problems"]), (&2.into(), &1.into()), "{told}");
    let line = &told["maildrops"][0];
    assert_eq!(line["gone"], 1);
    let remark = line["remarks"][0].as_str().unwrap();
    assert!(remark.contains("courierpop3dsizelist:5: "), "{remark}");
    assert_eq!(listing(&house, "UIDL"), ["1 UID1-1795544999", "2 UID2-1795544999"]);
    assert_eq!(listing(&house, "LIST"), ["1 29", "2 27"]);
    house.deliver(LOGIN, b"From: <x@y.example>\n\nnew\n");
    assert_eq!(listing(&house, "UIDL")[2], "3 UID3-1795544999");
}

/// courierpop3d as installed, or unpacked from Debian's packages below LASTPOST_COURIER_ROOT: it
/// cannot be installed beside Dovecot.
fn program() -> Option<(PathBuf, String)> {
    let root = std::env::var_os("LASTPOST_COURIER_ROOT").map(PathBuf::from);
    let root = root.unwrap_or_else(|| "/".into());
    let program = root.join("usr/lib/courier/courier/courierpop3d");
    let libraries = ["usr/lib", "usr/lib/courier-authlib", "usr/lib/x86_64-linux-gnu"]
        .map(|library| root.join(library).display().to_string())
        .join(":");
    program.exists().then_some((program, libraries))
}

/// A session of courierpop3d on the Maildir, as its login program would start it.
fn session(program: &(PathBuf, String), maildir: &Path, commands: &str) -> String {
    let mut child = Command::new(&program.0)
        .arg(maildir)
        .current_dir(maildir)
        .env("LD_LIBRARY_PATH", &program.1)
        .env("AUTHADDR", LOGIN)
        .env("AUTHENTICATED", LOGIN)
        .env("REMOTEIP", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn the_real_program_and_this_one_say_the_same() {
    let Some(program) = program() else {
        eprintln!("skipped: courierpop3d is not installed");
        return;
    };
    let house = house();
    let maildir = house.maildir(LOGIN);
    for (at, name) in
        ["new/1732400030.M1.mx", "cur/1732400020.M2.mx:2,S", "new/1732400025.M3.mx,S=1"]
            .iter()
            .enumerate()
    {
        message(&maildir, name, &letter(at + 1));
        session(&program, &maildir, "QUIT\r\n");
    }
    let said = session(&program, &maildir, "UIDL\r\nLIST\r\nQUIT\r\n");
    let lines: Vec<&str> =
        said.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(lines.len(), 6, "{said}");
    let told = json(&house, &["import-uidl", "--from", "courier", LOGIN], 0);
    assert_eq!(told["adopted"], 3, "{told}");
    assert_eq!(listing(&house, "UIDL"), lines[..3]);
    assert_eq!(listing(&house, "LIST"), lines[3..]);
}
