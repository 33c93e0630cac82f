//! What lies beside the messages may be anything: it is read as if an enemy had written it.

use std::path::PathBuf;

use lastpost_tests::House;

use crate::kit::{AIKO, HERE, house, listing, names, put};

const STATE: &str = "lastpost-state";
/// Everything that a Maildir may hold of ours or of other servers.
const FILES: [&str; 7] = [
    STATE,
    "lastpost-uidls",
    "maildirsize",
    "dovecot-uidlist",
    "courierpop3dsizelist",
    "lastpost.lock",
    "lastpost-retrieved",
];

fn furnished() -> House {
    let house = house();
    for number in 1..=20 {
        put(&house, AIKO, &format!("{number:02}.m"), format!("message {number}\n").as_bytes());
    }
    house
}

fn file(house: &House, name: &str) -> PathBuf {
    house.maildir(AIKO).join(name)
}

/// What a session shows; or the refusal, which must then be honest about it.
fn shown(house: &House) -> Result<(Vec<String>, Vec<String>), String> {
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    let reply = talk.ask(&format!("PASS {}", house.customer(AIKO).password));
    if !reply.starts_with("+OK") {
        assert!(reply.starts_with("-ERR [SYS/"), "{reply}");
        return Err(reply);
    }
    let seen = (listing(&mut talk, "LIST"), listing(&mut talk, "UIDL"));
    talk.expect("RETR 7", "+OK");
    assert_eq!(talk.multiline(), b"message 7\r\n");
    talk.expect("QUIT", "+OK");
    Ok(seen)
}

/// The same noise on every run (xorshift).
fn noise(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..octets).map(|_| next()).collect()
}

/// CVE-2019-7524 (Dovecot): a header in an index file overran a buffer and gave root away.
#[test]
fn a_state_file_with_anything_in_it_does_no_harm() {
    let house = furnished();
    let truth = shown(&house).unwrap();
    let good = std::fs::read(file(&house, STATE)).unwrap();
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\0".to_vec(),
        vec![0; 4096],
        vec![0xff; 4096],
        noise(1, 100_000),
        [&good[..], b"x"].concat(),
        good.repeat(2),
        b"%s%s%s%n\n".repeat(100),
    ];
    // Cut short at every length, and each octet of the beginning changed.
    bad.extend((0..good.len()).step_by(good.len() / 40 + 1).map(|end| good[..end].to_vec()));
    for at in (0..good.len().min(160)).chain([good.len() / 2, good.len() - 1]) {
        for octet in [0_u8, 0xff, good[at] ^ 1, good[at] ^ 0x80] {
            let mut changed = good.clone();
            changed[at] = octet;
            bad.push(changed);
        }
    }
    for content in bad {
        std::fs::write(file(&house, STATE), &content).unwrap();
        // Found by reading what is there: the same as ever, or a refusal, never something else.
        let seen = shown(&house).unwrap_or_else(|reply| {
            panic!(
                "{} octets, {}: {reply}",
                content.len(),
                content[..24.min(content.len())].escape_ascii()
            )
        });
        assert_eq!(seen, truth);
    }
}

/// A state file of another maildrop, or of yesterday, is found out: no message shows under the
/// name of another.
#[test]
fn a_state_file_from_elsewhere_is_found_out() {
    let house = furnished();
    shown(&house).unwrap();
    let old = std::fs::read(file(&house, STATE)).unwrap();
    put(&house, AIKO, "21.m", b"new since then\n");
    std::fs::remove_file(house.maildir(AIKO).join("new/03.m")).unwrap();
    std::fs::write(file(&house, STATE), &old).unwrap();
    let mut talk = house.logged_in(AIKO, HERE);
    let seen = listing(&mut talk, "UIDL");
    assert_eq!(seen.len(), 20);
    assert!(seen[19].ends_with(" 21.m") && !seen.iter().any(|line| line.ends_with(" 03.m")));
    for line in &seen {
        let (number, id) = line.split_once(' ').unwrap();
        talk.expect(&format!("RETR {number}"), "+OK");
        let stored = std::fs::read(house.maildir(AIKO).join("new").join(id)).unwrap();
        assert_eq!(talk.multiline(), crate::kit::wire(&stored), "{line}");
    }
    talk.expect("QUIT", "+OK");
    let other = house.maildir(crate::kit::BERT);
    for number in 1..=20 {
        std::fs::write(other.join("new").join(format!("{number:02}.m")), b"of bert\n").unwrap();
    }
    std::fs::write(other.join(STATE), &old).unwrap();
    // What is announced by another's sizes is put right by what is sent.
    let mut talk = house.logged_in(crate::kit::BERT, HERE);
    for number in 1..=20 {
        talk.expect(&format!("RETR {number}"), "+OK");
        assert_eq!(talk.multiline(), b"of bert\r\n");
    }
    talk.expect("QUIT", "+OK");
    house.logged_in(crate::kit::BERT, HERE).expect("STAT", "+OK 20 180");
}

/// Each of the files as a directory, a link to nowhere, a link to a file outside, noise: the
/// messages are shown as they are or the login is put off, and nothing outside is touched.
#[test]
fn files_that_are_no_files_do_no_harm() {
    let house = furnished();
    let truth = shown(&house).unwrap();
    let outside = house.path("outside");
    std::fs::write(&outside, b"untouched").unwrap();
    for name in FILES {
        let file = file(&house, name);
        for way in 0..5 {
            let _ = std::fs::remove_file(&file);
            match way {
                0 => {
                    std::fs::create_dir(&file).unwrap();
                    std::fs::write(file.join("inside"), b"x").unwrap();
                }
                1 => std::os::unix::fs::symlink("/nowhere/at/all", &file).unwrap(),
                2 => std::os::unix::fs::symlink(&outside, &file).unwrap(),
                3 => std::os::unix::fs::symlink(&file, &file).unwrap(),
                _ => std::fs::write(&file, noise(way, 50_000)).unwrap(),
            }
            if let Ok(seen) = shown(&house) {
                assert_eq!(seen, truth, "{name}, way {way}");
            }
            assert_eq!(std::fs::read(&outside).unwrap(), b"untouched", "{name}, way {way}");
            if file.is_dir() && !file.is_symlink() {
                std::fs::remove_dir_all(&file).unwrap();
            } else {
                let _ = std::fs::remove_file(&file);
            }
            assert_eq!(shown(&house).as_ref(), Ok(&truth), "{name}, way {way}, afterwards");
        }
    }
    assert_eq!(names(&house, AIKO).len(), 20);
}

/// Dovecot cannot work where its control files cannot be written; here the messages are shown
/// and can be deleted, for the state can be had again.
#[test]
fn a_state_that_cannot_be_written_costs_time_alone() {
    let house = furnished();
    let state = file(&house, STATE);
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("inside"), b"x").unwrap();
    let truth = shown(&house).expect("mail is there");
    assert_eq!(truth.0.len(), 20);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    talk.send("QUIT");
    // Whatever is said of the memory, the message is gone and no other.
    talk.reply();
    assert!(talk.is_closed());
    assert_eq!(names(&house, AIKO).len(), 19);
}

/// Files that are neither message nor ours: subfolders, hidden files, pipes. Nobody waits for a
/// pipe, nobody sends a directory.
#[test]
fn what_is_no_message_is_none() {
    let house = furnished();
    let truth = shown(&house).unwrap();
    let new = house.maildir(AIKO).join("new");
    std::fs::write(new.join(".hidden"), b"x").unwrap();
    std::fs::write(house.maildir(AIKO).join("tmp/unfinished"), b"x").unwrap();
    std::fs::create_dir(house.maildir(AIKO).join(".Sent")).unwrap();
    assert_eq!(shown(&house).unwrap(), truth);
    let made = std::process::Command::new("mkfifo").arg(new.join("00.pipe")).status().unwrap();
    assert!(made.success());
    std::fs::create_dir(new.join("00.directory")).unwrap();
    let mut talk = house.logged_in(AIKO, HERE);
    let ids = listing(&mut talk, "UIDL");
    for line in &ids {
        let (number, id) = line.split_once(' ').unwrap();
        let reply = talk.ask(&format!("RETR {number}"));
        if reply.starts_with("+OK") {
            let sent = talk.multiline();
            assert!(!id.starts_with("00.") && sent.starts_with(b"message "), "{id}");
        } else {
            assert!(id.starts_with("00."), "{id}: {reply}");
        }
    }
    talk.expect("QUIT", "+OK");
}
