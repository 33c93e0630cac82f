//! msmtp: knows DSN, and how to name itself.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{AIKO, BERT, arrived, certificate, field, has, house, port, run, said};

/// Sends `text` with further lines of configuration.
fn msmtp(house: &House, listener: &str, more: &str, text: &str) -> Command {
    use std::os::unix::fs::PermissionsExt;
    let (rc, letter) = (house.path("msmtprc"), house.path("letter.eml"));
    let starttls = if listener == "submissions" { "off" } else { "on" };
    let config = format!(
        "account a\nhost localhost\nport {}\nfrom {AIKO}\nauth plain\nuser {AIKO}\n\
         password \"{}\"\ntls on\ntls_starttls {starttls}\ntls_trust_file {}\n{more}\n",
        port(house, listener),
        house.customer(AIKO).password,
        certificate(house).display(),
    );
    std::fs::write(&rc, config).unwrap();
    std::fs::set_permissions(&rc, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&letter, text).unwrap();
    let mut msmtp = Command::new("msmtp");
    msmtp.arg("-C").arg(&rc).args(["-a", "a", BERT]);
    msmtp.stdin(std::fs::File::open(&letter).unwrap());
    msmtp
}

const TEXT: &str = "From: <aiko@open.example>\nTo: <bert@open.example>\nSubject: x\n\nHello\n";

#[test]
fn it_asks_for_reports_and_names_itself() {
    if !has("msmtp", &["--version"]) {
        return;
    }
    let house = house();
    let more = "dsn_notify failure,delay\ndsn_return headers\ndomain desk.example\n";
    run(&mut msmtp(&house, "submission", more, TEXT));
    run(&mut msmtp(&house, "submissions", "dsn_notify never\n", TEXT));
    let messages = arrived(&house, 2);
    let received = |message: &String| field(message, "Received").concat();
    assert!(messages.iter().any(|m| received(m).starts_with("Received: from desk.example (")));
}

#[test]
fn octets_that_are_no_lines_are_mended_or_refused() {
    if !has("msmtp", &["--version"]) {
        return;
    }
    let house = house();
    // A script that writes a carriage return alone: better told than sent on.
    let sent = msmtp(&house, "submission", "", &TEXT.replace("Hello", "50%\r100%")).output();
    let sent = sent.unwrap();
    assert!(!sent.status.success() && said(&sent).contains("5.5.2"), "{}", said(&sent));
    assert!(house.received().is_empty());
}
