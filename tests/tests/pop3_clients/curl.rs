//! curl: messages, listings and commands of the customer's choice.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, Way, assert_same_messages, attempt, crlf, house, installed, left, letters, run, said,
};

fn curl(house: &House, way: Way, path: &str) -> Command {
    let mut curl = Command::new("curl");
    let password = house.customer(AIKO).password;
    curl.args(["-sS", "--user", &format!("{AIKO}:{password}")]);
    curl.arg("--cacert").arg(house.path("certificate.pem"));
    if way == Way::Stls {
        curl.arg("--ssl-reqd");
    }
    let scheme = if way == Way::Tls { "pop3s" } else { "pop3" };
    curl.arg(format!("{scheme}://localhost:{}/{path}", way.port(house)));
    curl
}

#[test]
fn fetches_every_octet_in_clear_by_stls_and_under_tls() {
    if !installed("curl") {
        return;
    }
    let house = house();
    for way in Way::ALL {
        let numbers = 1..=letters().len();
        let fetched = numbers.map(|number| run(&mut curl(&house, way, &number.to_string())).stdout);
        let expected = letters().iter().map(|letter| crlf(letter)).collect();
        assert_same_messages(fetched.collect(), expected);
    }
    assert_eq!(left(&house), letters().len(), "nothing was deleted");
}

#[test]
fn logs_in_by_each_mechanism() {
    if !installed("curl") {
        return;
    }
    let house = house();
    let count = letters().len();
    for options in ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=*"] {
        for initial_response in [false, true] {
            let mut curl = curl(&house, Way::Stls, "");
            curl.args(["--login-options", options]);
            if initial_response {
                curl.arg("--sasl-ir");
            }
            let listed = run(&mut curl).stdout;
            assert_eq!(listed.split(|&octet| octet == b'\n').count(), count + 1, "{options}");
        }
    }
}

#[test]
fn asks_with_commands_of_its_own() {
    if !installed("curl") {
        return;
    }
    let house = house();
    let count = letters().len();
    for way in Way::ALL {
        let text = |path: &str, request: &str, more: &[&str]| {
            let output = run(curl(&house, way, path).args(["--request", request]).args(more));
            String::from_utf8(output.stdout).unwrap()
        };
        let ids = text("", "UIDL", &[]);
        assert_eq!(ids.lines().count(), count, "{ids}");
        let top = text("", "TOP 1 0", &[]);
        assert!(top.starts_with("Return-Path: ") && top.ends_with("\r\n\r\n"), "{top}");
        assert!(!top.contains("Hello"));
        assert_eq!(text("", "LIST", &[]).lines().count(), count);
        assert_eq!(text("", "STAT", &["--head"]), "");
        assert_eq!(text("", "NOOP", &["--head"]), "");
    }
}

#[test]
fn deletes_one_message() {
    if !installed("curl") {
        return;
    }
    let house = house();
    run(curl(&house, Way::Tls, "2").args(["--request", "DELE", "--head"]));
    assert_eq!(left(&house), letters().len() - 1);
}

/// The status tells what went wrong: 67 is a refused login, and no message is fetched.
#[test]
fn is_refused_with_a_wrong_password() {
    if !installed("curl") {
        return;
    }
    let house = house();
    for way in Way::ALL {
        let output = attempt(curl(&house, way, "1").args(["--user", &format!("{AIKO}:wrong")]));
        assert_eq!(output.status.code(), Some(67), "{}", said(&output));
        assert!(output.stdout.is_empty());
    }
    // Without trust in the certificate nothing is sent at all.
    let mut distrustful = Command::new("curl");
    distrustful.args(["-sS", "--user", &format!("{AIKO}:x")]);
    distrustful.arg(format!("pop3s://localhost:{}/1", Way::Tls.port(&house)));
    assert_eq!(attempt(&mut distrustful).status.code(), Some(60));
}
