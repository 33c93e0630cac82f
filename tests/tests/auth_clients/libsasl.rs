//! Cyrus SASL, which neomutt, Postfix and many others log in with, by its sample client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastpost_tests::House;

use crate::exchange::{Answer, Line, Program};
use crate::kit::{PASSWORD, PASSWORDS, PLAIN, WRONG, account_of, has, house};

fn is_there() -> bool {
    // It says how it is used, and fails.
    has("sh", &["-c", "command -v sasl-sample-client && command -v setsid && command -v stdbuf"])
}

/// What the program prints for the server, until its end.
fn message(program: &mut Program) -> Option<Vec<u8>> {
    loop {
        let line = program.line()?;
        match line.strip_prefix("C: ") {
            Some(message) => return STANDARD.decode(message).ok(),
            None if line == "Negotiation complete" => return Some(Vec::new()),
            None => {}
        }
    }
}

fn log_in(
    house: &House,
    is_pop3: bool,
    mechanism: &str,
    login: &str,
    password: &str,
) -> Result<(), String> {
    let mut line = Line::open(house, is_pop3);
    let service = if is_pop3 { "pop" } else { "smtp" };
    let mut program = Program::start(
        "sasl-sample-client",
        &["-m", mechanism, "-s", service, "-n", "localhost", "-a", login, "-u", login],
    );
    program.write(&format!("S: {}", STANDARD.encode(mechanism)));
    // It asks for the password when it needs it: for so manieth a message.
    let mut until_password = match mechanism {
        "LOGIN" => 2,
        "CRAM-MD5" => 1,
        _ => 0,
    };
    if until_password == 0 {
        program.write(password);
    }
    // The mechanism, and behind NUL what it says first.
    let begun = message(&mut program).expect("a first message");
    let mut parts = begun.splitn(2, |&octet| octet == 0);
    assert_eq!(parts.next(), Some(mechanism.as_bytes()));
    let initial = parts.next().map(|initial| STANDARD.encode(initial));
    let mut answer = line.begin(mechanism, initial.as_deref());
    loop {
        match answer {
            Answer::Challenge(challenge) => {
                program.write(&format!("S: {challenge}"));
                until_password -= 1;
                if until_password == 0 {
                    program.write(password);
                }
                let said = message(&mut program).unwrap_or_default();
                answer = line.say(&STANDARD.encode(said));
            }
            Answer::Granted => return Ok(()),
            Answer::Refused(why) => return Err(why),
        }
    }
}

#[test]
fn each_mechanism_over_each_protocol() {
    if !is_there() {
        return;
    }
    let house = house();
    for is_pop3 in [true, false] {
        for mechanism in PASSWORDS {
            for login in [account_of(mechanism), PLAIN] {
                let done = log_in(&house, is_pop3, mechanism, login, PASSWORD);
                assert_eq!(done, Ok(()), "{mechanism} {login}");
            }
            let refused = log_in(&house, is_pop3, mechanism, account_of(mechanism), WRONG);
            let unknown = log_in(&house, is_pop3, mechanism, "nobody@open.example", WRONG);
            let expected = if is_pop3 { "-ERR [AUTH]" } else { "535 5.7.8" };
            assert!(refused.as_ref().unwrap_err().starts_with(expected), "{refused:?}");
            assert_eq!(refused, unknown, "{mechanism}");
        }
    }
}
