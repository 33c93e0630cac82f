//! Real mail programs: what they send arrives octet for octet. Those that fetch are in
//! `pop3_clients`.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

use lastpost_tests::{House, Plan};

const LOGIN: &str = "aiko@open.example";

/// Whether a program is there. Where it must be (`LASTPOST_REQUIRE_CLIENTS`), its absence
/// fails the test; elsewhere the test says that it was skipped.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_none(),
            "{program} is not installed"
        );
        eprintln!("skipped: {program} is not installed");
    }
    found
}

fn has_perl_module(module: &str) -> bool {
    let found = Command::new("perl")
        .args([&format!("-M{module}"), "-e", "1"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_none(), "no {module} for perl");
        eprintln!("skipped: perl has no {module}");
    }
    found
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A message to be sent, with everything that a relay could get wrong.
const SENT_BODY: &str = ".dot\n..two\n.\nbare text with trailing space \n日本語\n\nend\n";

fn outgoing() -> String {
    format!(
        "From: <{LOGIN}>\nTo: <friend@elsewhere.example>\nSubject: sent\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{SENT_BODY}"
    )
}

fn assert_arrived(house: &House, count: usize) {
    let received = house.wait_for_mail(count);
    let last = received.last().unwrap();
    assert_eq!(last.sender, format!("<{LOGIN}>"));
    assert_eq!(last.recipients, ["<friend@elsewhere.example>"]);
    let text = String::from_utf8(last.content.clone()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    // swaks ends what it sends with an empty line of its own.
    let body =
        body.strip_suffix("\r\n\r\n").map_or(body.to_owned(), |body| body.to_owned() + "\r\n");
    assert_eq!(body, SENT_BODY.replace('\n', "\r\n"));
    for name in ["Received:", "Date:", "Message-ID:"] {
        let count = head
            .lines()
            .filter(|line| line.to_lowercase().starts_with(&name.to_lowercase()))
            .count();
        assert_eq!(count, 1, "{name} in\n{head}");
    }
}

#[test]
fn curl_sends_every_octet() {
    if !installed("curl") {
        return;
    }
    let house = House::start(Plan::default());
    let letter = house.path("letter.eml");
    std::fs::write(&letter, outgoing().replace('\n', "\r\n")).unwrap();
    for (count, (scheme, listener)) in
        [("smtp", "submission"), ("smtps", "submissions")].into_iter().enumerate()
    {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--ssl-reqd", "--mail-from", LOGIN]);
        curl.args(["--mail-rcpt", "friend@elsewhere.example", "--upload-file"]).arg(&letter);
        curl.arg("--user").arg(format!("{LOGIN}:{}", house.customer(LOGIN).password));
        curl.arg("--cacert").arg(house.path("certificate.pem"));
        curl.arg(format!("{scheme}://localhost:{}", house.address(listener).port()));
        run(&mut curl);
        assert_arrived(&house, count + 1);
    }
}

#[test]
fn msmtp_sends_every_octet() {
    if !installed("msmtp") {
        return;
    }
    let house = House::start(Plan::default());
    let rc = house.path("msmtprc");
    for (count, (listener, starttls, mechanism)) in
        [("submission", "on", "plain"), ("submissions", "off", "login")].into_iter().enumerate()
    {
        let config = format!(
            "account a\nhost localhost\nport {port}\nfrom {LOGIN}\nauth {mechanism}\nuser {LOGIN}\n\
             password \"{password}\"\ntls on\ntls_starttls {starttls}\ntls_trust_file {cert}\n",
            port = house.address(listener).port(),
            password = house.customer(LOGIN).password,
            cert = house.path("certificate.pem").display(),
        );
        write_private(&rc, &config);
        let letter = house.path("letter.eml");
        std::fs::write(&letter, outgoing()).unwrap();
        let mut msmtp = Command::new("msmtp");
        msmtp.arg("-C").arg(&rc).args(["-a", "a", "friend@elsewhere.example"]);
        msmtp.stdin(std::fs::File::open(&letter).unwrap());
        run(&mut msmtp);
        assert_arrived(&house, count + 1);
    }
}

#[test]
fn swaks_sends_with_each_mechanism_and_is_refused_without() {
    // It speaks TLS by a module that is a package of its own.
    if !installed("swaks") || !has_perl_module("Net::SSLeay") {
        return;
    }
    let house = House::start(Plan::default());
    let letter = house.path("letter.eml");
    std::fs::write(&letter, outgoing()).unwrap();
    let swaks = |listener: &str, more: &[&str]| {
        let mut swaks = Command::new("swaks");
        swaks.args(["--server", "127.0.0.1", "--helo", "customer.example", "--port"]);
        swaks.arg(house.address(listener).port().to_string());
        swaks.args(["--from", LOGIN, "--to", "friend@elsewhere.example", "--data"]);
        swaks.arg(format!("@{}", letter.display())).args(more);
        swaks
    };
    let password = house.customer(LOGIN).password;
    let user = ["--auth-user", LOGIN, "--auth-password", password];
    let mut count = 0;
    for mechanism in ["PLAIN", "LOGIN"] {
        for (listener, tls) in [("submission", "--tls"), ("submissions", "--tls-on-connect")] {
            run(swaks(listener, &[tls, "--auth", mechanism]).args(user));
            count += 1;
            assert_arrived(&house, count);
        }
    }
    let refused = swaks("submission", &["--tls"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stdout).contains("530 5.7.0"));
}
