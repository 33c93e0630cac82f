//! As many accounts as a test needs, each with a box of its own and the same mail in it.

use std::fmt::Write as _;
use std::fs;

use crate::kit::{Shop, message};

/// Everybody's password, stored in plain: these tests are not about hashes.
pub(crate) const PASSWORD: &str = "crowd's password";

pub(crate) fn login(number: usize) -> String {
    format!("crowd{number}@open.example")
}

/// A daemon, not yet running, with `count` accounts more, each with one message of `lines`
/// lines. `pop3`: further lines for `[pop3]`.
pub(crate) fn shop(count: usize, lines: usize, pop3: &str) -> Shop {
    let shop = Shop::closed(pop3);
    let directory = shop.site.installation().directory();
    let users = directory.join("users");
    let mut table = fs::read_to_string(&users).unwrap();
    let text = message(1, lines);
    // On disk only once.
    let original = directory.join("message");
    fs::write(&original, &text).unwrap();
    let name = format!("1700000000.M1P1.host,S={},W={}", text.len(), text.len() + lines + 3);
    for number in 0..count {
        let home = directory.join("mail/crowd").join(number.to_string());
        for place in ["new", "cur", "tmp"] {
            fs::create_dir_all(home.join("Maildir").join(place)).unwrap();
        }
        fs::hard_link(&original, home.join("Maildir/new").join(&name)).unwrap();
        let _ = writeln!(table, "{}:{{PLAIN}}{PASSWORD}::::{}::", login(number), home.display());
    }
    fs::write(users, table).unwrap();
    shop
}

/// The same, running.
pub(crate) fn open(count: usize, lines: usize, pop3: &str) -> Shop {
    let mut shop = shop(count, lines, pop3);
    shop.start();
    shop
}
