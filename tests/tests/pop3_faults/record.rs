//! Ids made of counters, which are in no file name: their record comes to harm, cannot be written
//! or read, or the daemon dies over it. An id that was shown once stays; none is given twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use lastpost_tests::Talk;

use crate::fault::{Fault, OPENS, Plan, READS, SYNCS, WRITES, possible};
use crate::kit::{STATE, Shop, View, message, put, retrieve, wire};

const RECORD: &str = "lastpost-uidls";
const AS_DOVECOT: &str = "[pop3.maildrop]\nuidl_format = \"dovecot\"\n";
const COUNT: usize = 12;

fn filled() -> (Shop, PathBuf, View) {
    let shop = Shop::open(AS_DOVECOT);
    let maildir = shop.maildir(0);
    for number in 1..=COUNT {
        put(&maildir, number, &message(number, 5), number % 2 == 0);
    }
    let view = shop.view(0);
    assert_eq!(view.uidls.len(), COUNT);
    let by_counter =
        |uidl: &String| uidl.len() == 16 && uidl.bytes().all(|o| o.is_ascii_hexdigit());
    assert!(view.uidls.iter().all(by_counter), "{view:?}");
    (shop, maildir, view)
}

/// Shown are all messages known before, as before, and behind them perhaps new ones.
fn assert_known(now: &View, before: &View, what: &str) {
    let known = before.uidls.len();
    assert!(now.uidls.len() >= known, "{what}: {now:?}");
    assert_eq!(now.uidls[..known], before.uidls, "{what}");
    assert_eq!(now.sizes[..known], before.sizes, "{what}");
}

/// Either of the two files alone is enough for every id.
#[test]
fn one_of_state_and_record_may_come_to_harm() {
    let (shop, maildir, view) = filled();
    for (file, other) in [(STATE, RECORD), (RECORD, STATE)] {
        let good = fs::read(maildir.join(file)).unwrap();
        assert!(maildir.join(other).exists());
        let mut damaged: Vec<(String, Vec<u8>)> = Vec::new();
        for length in (0..good.len()).step_by(7) {
            damaged.push((format!("{length} octets"), good[..length].to_vec()));
        }
        for at in (0..good.len()).step_by(11) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at / 11 % 8);
            damaged.push((format!("octet {at}"), bad));
        }
        damaged.push(("noise".to_owned(), vec![0xA5; 3000]));
        for (what, bad) in damaged {
            fs::write(maildir.join(file), &bad).unwrap();
            assert_eq!(shop.view(0), view, "{file}: {what}");
        }
        fs::remove_file(maildir.join(file)).unwrap();
        assert_eq!(shop.view(0), view, "{file}: removed");
        assert_eq!(shop.view(0), view, "{file}: made again");
    }
}

/// After harm to the record new messages get ids that nobody had.
#[test]
fn no_id_is_given_twice() {
    let (shop, maildir, mut view) = filled();
    let mut seen: Vec<String> = view.uidls.clone();
    for round in 0..10 {
        // The last one goes, the counter must not; the record loses its end.
        let mut talk = shop.logged_in(0);
        talk.expect(&format!("DELE {}", view.uidls.len()), "+OK");
        talk.expect("QUIT", "+OK");
        let record = fs::read(maildir.join(RECORD)).unwrap();
        fs::write(maildir.join(RECORD), &record[..record.len() - 1 - round * 3]).unwrap();
        let number = 100 + round;
        put(&maildir, number, &message(number, 2), false);
        let known = view.without(view.uidls.len() - 1);
        view = shop.view(0);
        assert_known(&view, &known, &format!("round {round}"));
        let new = view.uidls.last().unwrap().clone();
        assert!(!seen.contains(&new), "round {round}: {new} was given before");
        seen.push(new);
    }
}

/// A new message whose id cannot be put on record is not shown with one that would change.
#[test]
fn a_record_that_cannot_be_written_shows_no_id_that_might_change() {
    if !possible() {
        return;
    }
    let (shop, maildir, mut view) = filled();
    let temporary = format!("{RECORD}.tmp");
    let paths = [maildir.join(RECORD), RECORD.into(), maildir.join(&temporary), temporary.into()];
    for (round, (calls, error)) in
        [(WRITES, "ENOSPC"), (WRITES, "EIO"), (SYNCS, "EIO"), (OPENS, "EROFS"), (WRITES, "EDQUOT")]
            .into_iter()
            .enumerate()
    {
        let what = format!("{calls} {error}");
        let number = 100 + round;
        put(&maildir, number, &message(number, 3), false);
        let fault = Fault::inject(&shop, &Plan::all(calls, error, paths.to_vec()));
        let (mut talk, reply) = shop.try_login(0, false);
        let mut shown = view.clone();
        if reply.starts_with("+OK") {
            shown = View::of(&mut talk);
            assert_known(&shown, &view, &what);
            assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 5)), "{what}");
        } else {
            assert!(reply.starts_with("-ERR [SYS/TEMP] "), "{what}: {reply}");
        }
        talk.expect("QUIT", "+OK");
        fault.lift_after_hits();
        let now = shop.view(0);
        assert_known(&now, &shown, &what);
        assert_eq!(now.uidls.len(), view.uidls.len() + 1, "{what}: it is shown now");
        view = now;
    }
}

/// Without the record and without a copy of it every id would be another.
#[test]
fn a_record_that_cannot_be_read_is_no_new_beginning() {
    if !possible() {
        return;
    }
    let (shop, maildir, view) = filled();
    for (calls, error) in [(OPENS, "EIO"), (OPENS, "EACCES"), (READS, "EIO"), (READS, "ESTALE")] {
        let what = format!("{calls} {error}");
        fs::remove_file(maildir.join(STATE)).unwrap();
        let paths = vec![maildir.join(RECORD), RECORD.into()];
        let fault = Fault::inject(&shop, &Plan::all(calls, error, paths));
        let (mut talk, reply) = shop.try_login(0, false);
        assert!(reply.starts_with("-ERR [SYS/TEMP] "), "{what}: {reply}");
        talk.expect("QUIT", "+OK");
        fault.lift_after_hits();
        assert_eq!(shop.view(0), view, "{what}");
    }
}

/// The daemon dies while it gives ids to hundreds of new messages: those that a client has read
/// stay, and no two messages ever have the same.
#[test]
fn a_kill_within_a_login_changes_no_id() {
    const NEW: usize = 300;
    let (mut shop, maildir, mut view) = filled();
    for round in 0..10 {
        for number in 0..NEW {
            let number = 1000 + round * NEW + number;
            put(&maildir, number, &message(number, 1), false);
        }
        let account = shop.site.installation().accounts()[0].clone();
        let address = shop.address(false);
        let client = thread::spawn(move || -> Option<View> {
            let mut talk = Talk::try_connect_from(address, [127, 0, 0, 1].into()).ok()?;
            talk.try_line().ok()??;
            for line in [format!("USER {}", account.login), format!("PASS {}", account.password)] {
                talk.try_send_raw(format!("{line}\r\n").as_bytes()).ok()?;
                talk.try_line().ok()??;
            }
            // Whoever came so far before the kill has seen something.
            talk.try_send_raw(b"UIDL\r\n").ok()?;
            let mut lines = Vec::new();
            loop {
                match talk.try_line().ok()?? {
                    line if line == "." => break,
                    line => lines.extend(line.split_once(' ').map(|(_, id)| id.to_owned())),
                }
            }
            lines.remove(0);
            Some(View { uidls: lines, sizes: Vec::new() })
        });
        // From before the password is verified to behind the answer.
        thread::sleep(Duration::from_millis(round as u64 * 6));
        shop.kill_9();
        let seen = client.join().unwrap();
        shop.start();
        let now = shop.view(0);
        assert_known(&now, &view, &format!("round {round}"));
        if let Some(seen) = seen {
            assert_eq!(now.uidls[..seen.uidls.len()], seen.uidls, "round {round}");
        }
        assert_eq!(now.uidls.len(), view.uidls.len() + NEW, "round {round}");
        assert!(!exists_half(&maildir), "round {round}: nothing half done is left");
        view = now;
    }
}

fn exists_half(maildir: &Path) -> bool {
    [STATE, RECORD].iter().any(|name| maildir.join(format!("{name}.tmp")).exists())
}
