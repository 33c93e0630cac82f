//! swaks: PLAIN, LOGIN and CRAM-MD5 in Perl.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{PASSWORD, PLAIN, WRONG, account_of, has, house, port, tried};

fn swaks(house: &House, mechanism: &str, login: &str, password: &str) -> (bool, String) {
    let mut swaks = Command::new("swaks");
    swaks.args(["--server", "127.0.0.1", "--helo", "client.example", "--tls"]);
    swaks.args(["--port", &port(house, "submission"), "--auth", mechanism]);
    swaks.args(["--auth-user", login, "--auth-password", password]);
    swaks.args(["--from", login, "--to", PLAIN, "--quit-after", "AUTH", "--timeout", "60s"]);
    tried(&mut swaks)
}

#[test]
fn each_mechanism_that_it_knows() {
    if !has("swaks", &["--version"]) || !has("perl", &["-MNet::SSLeay", "-e", "1"]) {
        return;
    }
    let house = house();
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        for login in [account_of(mechanism), PLAIN] {
            let (done, said) = swaks(&house, mechanism, login, PASSWORD);
            assert!(done && said.contains("235 2.7.0"), "{said}");
        }
        let (done, said) = swaks(&house, mechanism, account_of(mechanism), WRONG);
        assert!(!done && said.contains("535 5.7.8"), "{said}");
    }
}
