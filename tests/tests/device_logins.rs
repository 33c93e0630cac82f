//! Logins without the customer's own password: app passwords, made and revoked by command while
//! the daemons run, and tokens of an issuer.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use auth::Clock as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lastpost_tests::{House, Plan, Talk};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
const AIKO: &str = "aiko@open.example";

/// What `lastpost` says, or its complaint.
fn lastpost(house: &House, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(PROGRAM)
        .env("LASTPOST_PROGRAM", "lastpost")
        .args(arguments)
        .arg("--config")
        .arg(house.path("lastpost.toml"))
        .output()
        .unwrap();
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap().trim_end().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

fn app_password(house: &House, arguments: &[&str]) -> Result<String, String> {
    lastpost(house, &[&["account", "app-password"], arguments].concat())
}

/// The reply to a login by POP3.
fn pop3(house: &House, login: &str, password: &str) -> String {
    let mut talk = house.client("pop3", CUSTOMER);
    talk.expect(&format!("USER {login}"), "+OK");
    let reply = talk.ask(&format!("PASS {password}"));
    talk.send("QUIT");
    reply
}

/// The reply to a login for submission.
fn submission(house: &House, login: &str, password: &str) -> String {
    let mut talk = house.client("submission", CUSTOMER);
    talk.expect("EHLO customer.example", "250");
    talk.expect("STARTTLS", "220");
    talk.start_tls();
    talk.expect("EHLO customer.example", "250");
    talk.auth_plain(login, password)
}

#[test]
fn app_passwords_are_made_used_and_revoked_while_the_daemons_run() {
    let mut house = House::start(Plan::default());
    let phone = app_password(&house, &["add", AIKO, "--name", "phone"]).unwrap();
    let printer =
        app_password(&house, &["add", AIKO, "--name", "printer", "--only", "submission"]).unwrap();
    assert!(pop3(&house, AIKO, &phone).starts_with("+OK"));
    assert!(pop3(&house, AIKO, &phone.replace('-', " ")).starts_with("+OK"), "as people type it");
    assert!(submission(&house, AIKO, &phone).starts_with("235"));
    assert!(submission(&house, AIKO, &printer).starts_with("235"));
    let refused = pop3(&house, AIKO, &printer);
    assert!(refused.starts_with("-ERR"), "{refused}");
    assert_eq!(refused, pop3(&house, AIKO, "wrong"), "the same words");
    assert!(pop3(&house, "bert@open.example", &phone).starts_with("-ERR"), "it is another's");
    assert!(pop3(&house, AIKO, "aiko's password").starts_with("+OK"), "her own still works");

    // A restart writes what was used, by which service, and from where.
    house.restart();
    let listed = app_password(&house, &["list", AIKO, "--json"]).unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["name"], &listed[1]["only"]), (&"phone".into(), &"submission".into()));
    assert_eq!(listed[0]["used"], "2026-11-24T09:00:00Z");
    assert_eq!(listed[1]["used_from"], "127.0.0.7");
    assert_eq!(listed[1]["used_by"], "submission");

    app_password(&house, &["revoke", AIKO, "phone"]).unwrap();
    assert!(pop3(&house, AIKO, &phone).starts_with("-ERR"));
    assert!(submission(&house, AIKO, &printer).starts_with("235"));
    let missing = app_password(&house, &["revoke", AIKO, "phone"]).unwrap_err();
    assert!(missing.contains("no such app password"), "{missing}");
    let taken = app_password(&house, &["add", AIKO, "--name", "printer"]).unwrap_err();
    assert!(taken.contains("already"), "{taken}");
    let nobody = app_password(&house, &["add", "nobody@open.example", "--name", "x"]).unwrap_err();
    assert!(nobody.contains("no account"), "{nobody}");
}

#[test]
fn app_passwords_end_with_their_account() {
    let house = House::start(Plan::default());
    let add = |login: &str| app_password(&house, &["add", login, "--name", "phone"]).unwrap();
    let (aiko, bert) = (add(AIKO), add("bert@open.example"));
    assert!(pop3(&house, AIKO, &aiko).starts_with("+OK"));
    lastpost(&house, &["account", "disable", AIKO]).unwrap();
    // The table is reread within seconds, or now.
    house.control().post("/reload", "").unwrap();
    assert!(pop3(&house, AIKO, &aiko).starts_with("-ERR"));
    assert_eq!(app_password(&house, &["prune"]).unwrap(), "0 removed", "it is disabled, not gone");
    let users = std::fs::read_to_string(house.path("users")).unwrap();
    let left: String =
        users.lines().filter(|line| !line.contains(AIKO)).map(|line| format!("{line}\n")).collect();
    std::fs::write(house.path("users"), left).unwrap();
    house.control().post("/reload", "").unwrap();
    assert!(pop3(&house, AIKO, &aiko).starts_with("-ERR"));
    assert_eq!(app_password(&house, &["prune"]).unwrap(), "1 removed");
    assert!(pop3(&house, "bert@open.example", &bert).starts_with("+OK"));
}

/// An issuer that signs with Ed25519.
struct Issuer(KeyPair);

impl Issuer {
    fn new() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    fn keys(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.der_bytes());
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"1","x":"{x}"}}]}}"#)
    }

    fn token(&self, login: &str, ends: i64) -> String {
        let claims = format!(
            r#"{{"iss":"https://id.example","aud":"mail","email":"{login}","exp":{ends}}}"#
        );
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"1"}"#);
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// POP3 under TLS, with the mechanisms offered.
fn secure(house: &House) -> (Talk, String) {
    let mut talk = house.client("pop3", CUSTOMER);
    talk.expect("STLS", "+OK");
    talk.start_tls();
    talk.expect("CAPA", "+OK");
    let capabilities = String::from_utf8(talk.multiline()).unwrap();
    (talk, capabilities)
}

/// The reply to a token, after the client has taken note of a failure (RFC 7628 section 3.2.3).
fn with_token(house: &House, login: &str, token: &str) -> String {
    let (mut talk, capabilities) = secure(house);
    assert!(capabilities.contains("OAUTHBEARER"), "{capabilities}");
    let message = format!("n,a={login},\u{1}auth=Bearer {token}\u{1}\u{1}");
    // As a line of its own: it may be longer than the command could be.
    talk.expect("AUTH OAUTHBEARER", "+");
    let reply = talk.ask(&STANDARD.encode(message));
    if reply.starts_with("+ ") { talk.ask(&STANDARD.encode("\u{1}")) } else { reply }
}

#[test]
fn tokens_open_the_accounts_that_they_name() {
    let issuer = Issuer::new();
    let plan = Plan {
        submission: "[oauth]\nissuer = \"https://id.example\"\naudience = [\"mail\"]\n\
                     [oauth.keys]\nfile = \"jwks.json\"\n",
        files: vec![("jwks.json", issuer.keys())],
        ..Plan::default()
    };
    let house = House::start(plan);
    let now = house.clock().now().wall.as_second();
    let good = issuer.token(AIKO, now + 600);
    assert!(with_token(&house, AIKO, &good).starts_with("+OK"));
    for (login, token) in [
        (AIKO, issuer.token(AIKO, now - 600)),
        (AIKO, Issuer::new().token(AIKO, now + 600)),
        (AIKO, issuer.token("nobody@open.example", now + 600)),
        ("bert@open.example", good.clone()),
        (AIKO, "x".to_owned()),
    ] {
        let reply = with_token(&house, login, &token);
        assert!(reply.starts_with("-ERR"), "{login}: {reply}");
    }
}
