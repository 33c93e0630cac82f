//! A state file that has come to harm between sessions: truncated, with flipped bits, of another
//! version, or replaced by something else. What clients see stays the same.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::kit::{STATE, Shop, View, message, put};

/// Names that give every kind of id: plain, hashed, of a twin; with sizes and without.
fn fill(maildir: &Path) {
    for number in 1..=12 {
        put(maildir, number, &message(number, number), number % 3 == 0);
    }
    let odd: [(&str, &[u8]); 6] = [
        ("cur", b"1700000003.M3P1.host,S=1,W=2:2,S"),
        ("cur", b"caf\xc3\xa9:2,FS"),
        ("new", b"with space"),
        ("cur", b"1700000099.a.name.that.is.longer.than.any.unique.id.of.a.message.may.be.in.RFC1939.host:2,"),
        ("new", b"ba7816bf8f01cfea414140de5dae2223"),
        ("cur", b"1700000500.twin:2,S"),
    ];
    for (place, name) in odd {
        fs::write(maildir.join(place).join(OsStr::from_bytes(name)), message(60, 6)).unwrap();
    }
    fs::write(maildir.join("new/1700000500.twin"), message(61, 7)).unwrap();
}

/// A shop with a box that has been seen once, its view and its good state.
fn prepared() -> (Shop, View, Vec<u8>) {
    let shop = Shop::open("");
    fill(&shop.maildir(0));
    let view = shop.view(0);
    assert!(view.uidls.len() >= 18, "{view:?}");
    assert_eq!(shop.view(0), view, "it is stable without any damage");
    let good = fs::read(shop.maildir(0).join(STATE)).unwrap();
    (shop, view, good)
}

fn assert_same(shop: &Shop, view: &View, what: &str) {
    assert_eq!(shop.view(0), *view, "{what}");
}

#[test]
fn truncated_at_any_length() {
    let (shop, view, good) = prepared();
    let file = shop.maildir(0).join(STATE);
    // Every length of the header, then samples, then the last octets.
    let lengths = (0..=128).chain((129..good.len()).step_by(37)).chain(good.len() - 8..good.len());
    for length in lengths.filter(|&length| length < good.len()) {
        fs::write(&file, &good[..length]).unwrap();
        assert_same(&shop, &view, &format!("{length} octets of {}", good.len()));
    }
    for more in [1, 100, 100_000] {
        fs::write(&file, [good.as_slice(), &vec![0; more]].concat()).unwrap();
        assert_same(&shop, &view, &format!("{more} octets more"));
    }
}

#[test]
fn any_bit_flipped() {
    let (shop, view, good) = prepared();
    let file = shop.maildir(0).join(STATE);
    let header = (0..100).map(|at| (at, at % 8));
    let rest = (100..good.len()).step_by(23).map(|at| (at, at / 23 % 8));
    for (at, bit) in header.chain(rest).filter(|&(at, _)| at < good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 1 << bit;
        fs::write(&file, bad).unwrap();
        assert_same(&shop, &view, &format!("octet {at}, bit {bit}"));
    }
}

#[test]
fn of_another_version_or_another_program() {
    let (shop, view, good) = prepared();
    let file = shop.maildir(0).join(STATE);
    for version in [0_u32, 2, 3, 255, u32::MAX] {
        let mut other = good.clone();
        other[8..12].copy_from_slice(&version.to_le_bytes());
        fs::write(&file, other).unwrap();
        assert_same(&shop, &view, &format!("version {version}"));
    }
    for (what, content) in [
        ("text", b"3 V1 N5 Gabc\n1 :x\n".repeat(100)),
        ("zeros", vec![0; 4096]),
        ("ones", vec![0xFF; 4096]),
        ("the head of the good one, then noise", [&good[..100], &[0xA5; 4000]].concat()),
        ("the good one twice", [good.as_slice(), &good].concat()),
    ] {
        fs::write(&file, content).unwrap();
        assert_same(&shop, &view, what);
    }
}

/// The file of an hour ago, as a restored backup has it: what was removed since does not come
/// back, what came since is not lost.
#[test]
fn of_an_earlier_time() {
    let (shop, _, good) = prepared();
    let maildir = shop.maildir(0);
    let mut talk = shop.logged_in(0);
    talk.expect("DELE 2", "+OK");
    talk.expect("QUIT", "+OK");
    put(&maildir, 900, &message(900, 9), false);
    let now = shop.view(0);
    for _ in 0..3 {
        fs::write(maildir.join(STATE), &good).unwrap();
        assert_same(&shop, &now, "an old state");
    }
}

/// Things that are no file, and things that are not ours to touch.
#[test]
fn replaced_by_something_else() {
    let (shop, view, _) = prepared();
    let file = shop.maildir(0).join(STATE);
    let other = shop.site.installation().directory().join("precious");
    fs::write(&other, "precious").unwrap();

    fs::remove_file(&file).unwrap();
    assert_same(&shop, &view, "nothing");

    fs::remove_file(&file).unwrap();
    symlink(&other, &file).unwrap();
    symlink(&other, shop.maildir(0).join("lastpost-state.tmp")).unwrap();
    assert_same(&shop, &view, "a link");
    assert_same(&shop, &view, "after a link");
    assert_eq!(fs::read(&other).unwrap(), b"precious");

    let _ = fs::remove_file(&file);
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert_same(&shop, &view, "a pipe");
    assert_same(&shop, &view, "after a pipe");

    let _ = fs::remove_file(&file);
    fs::create_dir(&file).unwrap();
    assert_same(&shop, &view, "a directory");
    assert_same(&shop, &view, "still a directory");
    fs::remove_dir(&file).unwrap();

    // A terabyte, of which nothing is on disk: not read into memory.
    let sparse = fs::File::create(&file).unwrap();
    sparse.set_len(1 << 40).unwrap();
    assert_same(&shop, &view, "a terabyte");
    assert_same(&shop, &view, "at last");
}
