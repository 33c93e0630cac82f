//! swaks: a client with every variant of TLS, AUTH, XCLIENT and PROXY.

use std::process::Command;

use lastpost_tests::{House, Plan};

use crate::kit::{AIKO, BERT, FRIEND, arrived, field, has, house, house_with, port, run, said};

fn is_there() -> bool {
    // It speaks TLS by a module that is a package of its own.
    has("swaks", &["--version"]) && has("perl", &["-MNet::SSLeay", "-e", "1"])
}

fn swaks(house: &House, listener: &str, more: &[&str]) -> Command {
    let mut swaks = Command::new("swaks");
    swaks.args(["--server", "127.0.0.1", "--helo", "customer.example", "--port"]);
    swaks.arg(port(house, listener)).args(["--from", AIKO, "--to", BERT]).args(more);
    swaks
}

fn user(house: &House) -> [&str; 4] {
    ["--auth-user", AIKO, "--auth-password", house.customer(AIKO).password]
}

#[test]
fn every_way_to_log_in() {
    if !is_there() {
        return;
    }
    let house = house();
    let mut count = 0;
    for mechanism in ["PLAIN", "LOGIN"] {
        for (listener, tls, keyword) in [
            ("submission", "--tls", "ESMTPSA"),
            ("submissions", "--tls-on-connect", "ESMTPSA"),
            // From loopback, a password may come in clear.
            ("submission", "--pipeline", "ESMTPA"),
        ] {
            let mut swaks = swaks(&house, listener, &[tls, "--auth", mechanism]);
            run(swaks.args(user(&house)).args(["--header", &format!("X-Way: {keyword}")]));
            count += 1;
        }
    }
    for message in arrived(&house, count) {
        let keyword = field(&message, "X-Way")[0].split(' ').next_back().unwrap().to_owned();
        let received = field(&message, "Received").concat();
        assert!(received.contains(&format!(" with {keyword} id ")), "{received}");
    }
}

#[test]
fn a_proxy_names_its_client() {
    if !is_there() {
        return;
    }
    let house = house_with("[submission.protocol]\nxclient_networks = [\"127.0.0.0/8\"]\n");
    let named = ["--xclient-addr", "192.0.2.7", "--xclient-helo", "pc.example"];
    // The proxy's own address is nobody's, and the client's is in no network for clear passwords.
    let refused = swaks(&house, "submission", &named).args(user(&house)).output().unwrap();
    assert!(!refused.status.success(), "{}", said(&refused));
    run(swaks(&house, "submissions", &named).arg("--tls-on-connect").args(user(&house)));
    let received = field(&arrived(&house, 1)[0], "Received").concat();
    assert!(received.starts_with("Received: from pc.example ([192.0.2.7])"), "{received}");
}

#[test]
fn a_proxy_in_front_names_its_client_by_its_own_protocol() {
    if !is_there() {
        return;
    }
    let house = House::start(Plan { proxied: true, ..Plan::default() });
    for version in ["1", "2"] {
        let proxy = [
            "--proxy-version",
            version,
            "--proxy-family",
            if version == "1" { "TCP4" } else { "AF_INET" },
            "--proxy-source",
            "192.0.2.9",
            "--proxy-source-port",
            "4711",
            "--proxy-dest",
            "192.0.2.1",
            "--proxy-dest-port",
            "25",
        ];
        let sent =
            swaks(&house, "legacy", &proxy).arg("--tls").args(user(&house)).output().unwrap();
        assert!(sent.status.success(), "version {version}: {}", said(&sent));
    }
    for message in arrived(&house, 2) {
        let received = field(&message, "Received").concat();
        assert!(received.contains("([192.0.2.9])"), "{received}");
    }
}

#[test]
fn nobody_sends_without_a_password_or_as_somebody_else() {
    if !is_there() {
        return;
    }
    let house = house();
    let nobody = swaks(&house, "submission", &["--tls"]).output().unwrap();
    assert!(said(&nobody).contains("530 5.7.0"), "{}", said(&nobody));
    let mut forger = swaks(&house, "submission", &["--tls", "--auth", "PLAIN"]);
    let forger = forger.args(user(&house)).args(["--from", BERT]).output().unwrap();
    assert!(said(&forger).contains("550 5.7.1"), "{}", said(&forger));
    let header = ["--h-From", BERT, "--to", FRIEND];
    let mut forger = swaks(&house, "submission", &["--tls", "--auth", "PLAIN"]);
    let forger = forger.args(user(&house)).args(header).output().unwrap();
    assert!(said(&forger).contains("550 5.7.1"), "{}", said(&forger));
    assert!(house.received().is_empty());
}
