//! NeoMutt: asks CAPA three times, needs UIDL and TOP, and asks for the ids anew when it
//! reconnects. It wants a terminal, which `script` gives it.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, Way, assert_same_messages, attempt, folder, house, installed, left, letters, lf, said,
    write_private,
};

/// Runs NeoMutt in a terminal of its own until the keys that are pressed make it leave.
fn neomutt(house: &House, way: Way, mailbox: bool, keys: &str) {
    let home = folder(house, "neomutt");
    let scheme = if way == Way::Tls { "pops" } else { "pop" };
    let url = format!("{scheme}://localhost:{}/", way.port(house));
    let config = format!(
        "set pop_host=\"{url}\"\nset pop_user=\"{AIKO}\"\nset pop_pass=\"{password}\"\n\
         set certificate_file=\"{cert}\"\nset ssl_ca_certificates_file=\"{cert}\"\n\
         set ssl_starttls={stls}\nset ssl_verify_host=yes\nset mbox_type=Maildir\n\
         set folder=\"{home}\"\nset spoolfile=\"{home}/inbox\"\nset mbox=\"{home}/read\"\n\
         set move=no\nset confirmappend=no\nset confirmcreate=no\nset quit=yes\n\
         set pop_checkinterval=0\nset pop_delete=no\nset pop_reconnect=yes\nset mail_check=0\n\
         set wait_key=no\nset header_cache=\"\"\nset sleep_time=0\nset delete=yes\n\
         push \"{keys}\"\n",
        password = house.customer(AIKO).password,
        cert = house.path("certificate.pem").display(),
        stls = if way == Way::Stls { "yes" } else { "no" },
        home = home.display(),
    );
    maildrop::create(&home.join("inbox")).unwrap();
    let rc = home.join("rc");
    write_private(&rc, &config);
    let file = if mailbox { url } else { format!("{}/inbox", home.display()) };
    let line = format!("neomutt -n -F '{}' -f '{file}'", rc.display());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]);
    script.env("HOME", &home).env("TERM", "xterm").env("LINES", "40").env("COLUMNS", "120");
    let output = attempt(&mut script);
    assert!(output.status.success(), "{keys}: {}", said(&output));
}

/// Whatever it keeps of its own: these lines are added by it.
fn without_its_lines(letter: &[u8]) -> Vec<u8> {
    let lines = letter.split_inclusive(|&octet| octet == b'\n');
    let (mut kept, mut in_header) = (Vec::new(), true);
    for line in lines {
        in_header &= line != b"\n";
        let own = [&b"Status: "[..], b"Content-Length: ", b"Lines: "];
        if !(in_header && own.iter().any(|name| line.starts_with(name))) {
            kept.extend_from_slice(line);
        }
    }
    kept
}

fn stored(house: &House, name: &str) -> Vec<Vec<u8>> {
    let folder = house.path("neomutt").join(name);
    let both = ["new", "cur"].map(|part| crate::kit::files(&folder.join(part)));
    both.concat().iter().map(|letter| without_its_lines(letter)).collect()
}

fn is_there() -> bool {
    installed("neomutt") && installed("script")
}

#[test]
fn fetches_every_octet_into_its_own_mailbox() {
    if !is_there() {
        return;
    }
    for way in Way::ALL {
        let house = house();
        neomutt(&house, way, false, "<fetch-mail><quit>");
        let expected = letters().iter().map(|letter| lf(letter)).collect();
        assert_same_messages(stored(&house, "inbox"), expected);
        assert_eq!(left(&house), letters().len(), "{way:?}: it was told to keep");
    }
}

#[test]
fn opens_the_maildrop_as_a_mailbox_and_deletes_from_it() {
    if !is_there() {
        return;
    }
    for way in Way::ALL {
        let house = house();
        neomutt(&house, way, true, "<first-entry><delete-message><sync-mailbox><quit>");
        assert_eq!(left(&house), letters().len() - 1, "{way:?}");
        neomutt(
            &house,
            way,
            true,
            "<tag-pattern>~A<enter><tag-prefix><copy-message>+kept<enter><quit>",
        );
        assert_eq!(stored(&house, "kept").len(), letters().len() - 1, "{way:?}");
        assert_eq!(left(&house), letters().len() - 1, "{way:?}");
    }
}
