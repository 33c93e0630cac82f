//! A house in which every mechanism is offered, and accounts for each.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use auth::{Argon2Params, HashRecipe, Scheme, StoredHash};
use lastpost_tests::{House, Plan};

/// With what is special in names, messages of SCRAM, and shells.
pub(crate) const PASSWORD: &str = "pen,cil=1 'x";
pub(crate) const WRONG: &str = "pen,cil=1 'y";

/// What `doveadm pw -s CRAM-MD5` makes of [`PASSWORD`].
const CRAM_MD5: &str = "{CRAM-MD5}d3dae8d76a521f9e993dc473a892b0bc488b2b79aa7abf42cbc30191ed9013cc";

/// Mechanisms that need no token and no certificate.
pub(crate) const PASSWORDS: [&str; 5] =
    ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"];

const EVERY: [&str; 9] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "OAUTHBEARER",
    "XOAUTH2",
    "EXTERNAL",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
];

/// Whose password is stored so that only this mechanism, and PLAIN and LOGIN, can use it.
pub(crate) fn account_of(mechanism: &str) -> &'static str {
    match mechanism {
        "SCRAM-SHA-1" => "one@open.example",
        "SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS" => "two@open.example",
        "CRAM-MD5" => "cram@open.example",
        _ => "hashed@open.example",
    }
}

/// Whose password is stored as it is.
pub(crate) const PLAIN: &str = "plain@open.example";

/// A house that offers every mechanism.
pub(crate) fn house() -> House {
    house_with(&EVERY, "")
}

/// A house that offers these mechanisms, with further lines of configuration.
pub(crate) fn house_with(mechanisms: &[&str], more: &str) -> House {
    let mut house = House::start(Plan { customers: Vec::new(), ..Plan::default() });
    house.stop();
    let mut users = String::new();
    let recipe = |scheme| HashRecipe::new(scheme, Argon2Params::new(64, 1, 1).unwrap()).unwrap();
    let made = |scheme| recipe(scheme).make(PASSWORD.as_bytes()).unwrap();
    let rounds = |scheme| recipe(scheme).with_rounds(4096).unwrap();
    let keys = |scheme| rounds(scheme).make(PASSWORD.as_bytes()).unwrap();
    let accounts = [
        (account_of("PLAIN"), made(Scheme::Argon2id)),
        (account_of("SCRAM-SHA-1"), keys(Scheme::ScramSha1)),
        (account_of("SCRAM-SHA-256"), keys(Scheme::ScramSha256)),
        (account_of("CRAM-MD5"), StoredHash::parse(CRAM_MD5).unwrap()),
        (PLAIN, StoredHash::parse(&format!("{{PLAIN}}{PASSWORD}")).unwrap()),
    ];
    for (login, hash) in &accounts {
        let home = house.maildir(login).parent().unwrap().to_owned();
        maildrop::create(&house.maildir(login)).unwrap();
        let field = hash.to_field();
        let _ = writeln!(users, "{login}:{}::::{}::", field.as_str(), home.display());
    }
    std::fs::write(house.path("users"), users).unwrap();
    let file = house.path("lastpost.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let auth = "[auth]\nweak_schemes = [\"CRAM-MD5\"]\n";
    let sasl = format!("[auth.sasl]\nmechanisms = {mechanisms:?}\nscram_iterations = 4096\n");
    let text = text.replace("[auth]\n", auth) + &sasl + more;
    std::fs::write(&file, text).unwrap();
    house.restart();
    house
}

/// Whether a program is there. Where it must be (`LASTPOST_REQUIRE_CLIENTS`), its absence fails
/// the test; elsewhere the test says that it was skipped.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "{program} {arguments:?} does not run");
        eprintln!("skipped: {program} {arguments:?} does not run");
    }
    found
}

/// Runs a program; whether it succeeded, and what it said.
pub(crate) fn tried(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    (output.status.success(), format!("{command:?}\n{}", said(&output)))
}

pub(crate) fn said(output: &Output) -> String {
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

pub(crate) fn port(house: &House, listener: &str) -> String {
    house.address(listener).port().to_string()
}

pub(crate) fn certificate(house: &House) -> PathBuf {
    house.path("certificate.pem")
}
