//! curl: what libcurl's many users log in with.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    PASSWORD, PASSWORDS, PLAIN, WRONG, account_of, certificate, has, house, port, tried,
};

/// Logs in to `listener`, and does nothing else there.
pub(crate) fn curl(house: &House, listener: &str, mechanism: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-v", "--max-time", "60", "--ssl-reqd"]);
    curl.arg("--login-options").arg(format!("AUTH={mechanism}"));
    curl.arg("--cacert").arg(certificate(house));
    let scheme = match listener {
        "submission" => "smtp",
        "submissions" => "smtps",
        other => other,
    };
    if scheme.starts_with("smtp") {
        curl.args(["--request", "NOOP"]);
    }
    curl.arg(format!("{scheme}://localhost:{}", port(house, listener)));
    curl
}

/// Whether this curl knows the mechanism: those of SCRAM come with a library that many lack.
fn knows(mechanism: &str) -> bool {
    !mechanism.starts_with("SCRAM")
        || tried(Command::new("curl").arg("--version")).1.contains("gsasl")
}

#[test]
fn each_mechanism_that_it_knows() {
    if !has("curl", &["--version"]) {
        return;
    }
    let house = house();
    for mechanism in PASSWORDS.into_iter().filter(|mechanism| knows(mechanism)) {
        for listener in ["pop3", "pop3s", "submission", "submissions"] {
            let attempt = |login: &str, password: &str| {
                let mut curl = curl(&house, listener, mechanism);
                tried(curl.arg("--user").arg(format!("{login}:{password}")))
            };
            for login in [account_of(mechanism), PLAIN] {
                let (done, said) = attempt(login, PASSWORD);
                assert!(done, "{said}");
                assert!(said.contains(&format!("AUTH {mechanism}")), "{said}");
            }
            let (done, said) = attempt(account_of(mechanism), WRONG);
            assert!(!done, "{said}");
        }
    }
}
