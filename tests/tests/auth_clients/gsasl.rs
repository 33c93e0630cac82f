//! GNU SASL: over SMTP by itself, with and without channel binding, and over POP3 by hand.

use std::process::Command;

use lastpost_tests::House;

use crate::exchange::{Answer, Line, Program};
use crate::kit::{
    PASSWORD, PASSWORDS, PLAIN, WRONG, account_of, certificate, has, house, port, tried,
};

fn is_there() -> bool {
    has("gsasl", &["--version"]) && has("stdbuf", &["--version"])
}

/// Logs in over SMTP and STARTTLS; `more`: whether it knows of channel bindings.
fn gsasl(
    house: &House,
    mechanism: &str,
    login: &str,
    password: &str,
    more: &[&str],
) -> (bool, String) {
    let mut gsasl = Command::new("timeout");
    gsasl.args(["60", "gsasl", "--smtp", "--mechanism", mechanism]).args(more);
    gsasl.arg("--x509-ca-file").arg(certificate(house));
    gsasl.args(["--authentication-id", login, "--authorization-id", "", "--password", password]);
    gsasl.arg(format!("--connect=localhost:{}", port(house, "submission")));
    tried(&mut gsasl)
}

/// It binds to the channel where it can, unless it must not.
fn unbound(mechanism: &str) -> &'static [&'static str] {
    if mechanism.ends_with("-PLUS") { &[] } else { &["--no-cb"] }
}

#[test]
fn each_mechanism_over_smtp() {
    if !is_there() {
        return;
    }
    let house = house();
    for mechanism in PASSWORDS.into_iter().chain(["SCRAM-SHA-256-PLUS"]) {
        for login in [account_of(mechanism), PLAIN] {
            let (done, said) = gsasl(&house, mechanism, login, PASSWORD, unbound(mechanism));
            assert!(done, "{mechanism} {login}: {said}");
        }
        let (done, said) =
            gsasl(&house, mechanism, account_of(mechanism), WRONG, unbound(mechanism));
        assert!(!done, "{mechanism}: {said}");
        let (done, said) =
            gsasl(&house, mechanism, "nobody@open.example", PASSWORD, unbound(mechanism));
        assert!(!done, "{mechanism}: {said}");
    }
}

/// Logs in over POP3; the program does not know that.
fn by_hand(house: &House, mechanism: &str, login: &str, password: &str) -> Result<bool, String> {
    let mut line = Line::open(house, true);
    let mut program = Program::start(
        "gsasl",
        &[
            "--client",
            "--no-cb",
            "-m",
            mechanism,
            "-a",
            login,
            "-z",
            "",
            "-p",
            password,
            "--no-client-first",
            "-d",
        ],
    );
    assert_eq!(program.line().as_deref(), Some(mechanism));
    let mut answer = line.begin(mechanism, None);
    loop {
        match answer {
            Answer::Challenge(challenge) => {
                program.write(&challenge);
                answer = line.say(&program.line().unwrap_or_default());
            }
            Answer::Granted => {
                // There is no more.
                program.write("");
                return Ok(program.ends_content());
            }
            Answer::Refused(why) => return Err(why),
        }
    }
}

#[test]
fn each_mechanism_over_pop3() {
    if !is_there() {
        return;
    }
    let house = house();
    for mechanism in PASSWORDS {
        for login in [account_of(mechanism), PLAIN] {
            assert_eq!(
                by_hand(&house, mechanism, login, PASSWORD),
                Ok(true),
                "{mechanism} {login}"
            );
        }
        let refused = by_hand(&house, mechanism, account_of(mechanism), WRONG).unwrap_err();
        let unknown = by_hand(&house, mechanism, "nobody@open.example", WRONG).unwrap_err();
        assert!(refused.starts_with("-ERR [AUTH]"), "{mechanism}: {refused}");
        assert_eq!(refused, unknown, "{mechanism}");
    }
}
