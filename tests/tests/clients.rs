//! Real mail programs: what they fetch and send is, octet for octet, what lies here.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Output};

use lastpost_tests::{House, Plan};

const LOGIN: &str = "aiko@open.example";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// LF line ends, as Maildirs have them; dots, 8-bit, long lines, no newline at the end.
fn letters() -> Vec<Vec<u8>> {
    vec![
        b"From: <x@y.example>\nSubject: plain\n\nHello\n".to_vec(),
        b".From: a header that begins with a dot\nSubject: dots\n\n.\n..\n...x\n.\n".to_vec(),
        "From: <x@y.example>\nSubject: 日本\n\nこんにちは\n最後の行".as_bytes().to_vec(),
        [b"From: <x@y.example>\nSubject: long\n\n".as_slice(), &[b'x'; 90_000], b"\nend\n"]
            .concat(),
    ]
}

/// The wire form of stored octets: CRLF at the end of every line.
fn crlf(stored: &[u8]) -> Vec<u8> {
    let text = stored.strip_suffix(b"\n").unwrap_or(stored);
    let mut wire = Vec::new();
    for line in text.split(|&octet| octet == b'\n') {
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

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

fn house_with_letters() -> House {
    let house = House::start(Plan::default());
    for letter in letters() {
        house.deliver(LOGIN, &letter);
    }
    house
}

/// The messages as a set: a program may list them in its own order.
fn sorted(mut messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    messages.sort();
    messages
}

#[test]
fn curl_fetches_every_octet() {
    if !installed("curl") {
        return;
    }
    let house = house_with_letters();
    let password = house.customer(LOGIN).password;
    for (scheme, listener, secure) in
        [("pop3", "pop3", false), ("pop3", "pop3", true), ("pop3s", "pop3s", true)]
    {
        let port = house.address(listener).port();
        let fetched = (1..=letters().len()).map(|number| {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--user", &format!("{LOGIN}:{password}")]);
            curl.arg("--cacert").arg(house.path("certificate.pem"));
            if secure {
                curl.arg("--ssl-reqd");
            }
            curl.arg(format!("{scheme}://localhost:{port}/{number}"));
            run(&mut curl).stdout
        });
        let stored = letters().iter().map(|letter| crlf(letter)).collect();
        assert_eq!(sorted(fetched.collect()), sorted(stored), "{scheme} {secure}");
    }
}

#[test]
fn mpop_fetches_every_octet_and_deletes() {
    if !installed("mpop") {
        return;
    }
    let house = house_with_letters();
    let target = house.path("fetched");
    maildrop::create(&target).unwrap();
    let rc = house.path("mpoprc");
    let config = format!(
        "defaults\ntls on\ntls_starttls on\ntls_trust_file {cert}\naccount a\nhost localhost\n\
         port {port}\nuser {LOGIN}\npassword \"{password}\"\nreceived_header off\nkeep off\n\
         uidls_file {uidls}\ndelivery maildir {target}\n",
        cert = house.path("certificate.pem").display(),
        port = house.address("pop3").port(),
        password = house.customer(LOGIN).password,
        uidls = house.path("uidls").display(),
        target = target.display(),
    );
    write_private(&rc, &config);
    run(Command::new("mpop").arg("-C").arg(&rc).arg("-q").arg("a"));
    let fetched = std::fs::read_dir(target.join("new"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    // It stores LF line ends, and a last line without one gets it.
    let stored = letters().iter().map(|letter| crlf(letter)).collect::<Vec<_>>();
    let stored = stored.iter().map(|wire| lf(wire)).collect();
    assert_eq!(sorted(fetched), sorted(stored));
    let mut talk = house.logged_in(LOGIN, HERE);
    talk.expect("STAT", "+OK 0 0");
}

fn lf(wire: &[u8]) -> Vec<u8> {
    wire.iter().copied().filter(|&octet| octet != b'\r').collect()
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
