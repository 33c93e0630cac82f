//! The programs that speak APOP, where it is switched on.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, Way, assert_same_messages, attempt, crlf, files, folder, has_module, house_with,
    installed, left, letters, lf, run, said, write_private,
};

const SECRET: &str = "tanstaaf secret";

fn house() -> House {
    let house = house_with("sessions_per_ip_max = 2000\n[pop3.protocol]\napop = true\n");
    let home = house.path("mail").join(AIKO);
    let line = format!("{AIKO}:{{PLAIN}}{SECRET}::::{}::\n", home.display());
    std::fs::write(house.path("users"), line).unwrap();
    house.service().controls().reload().unwrap();
    house
}

#[test]
fn python_logs_in_by_a_digest() {
    if !has_module("python3", &["-c", "import poplib"]) {
        return;
    }
    let house = house();
    let script = "
import poplib, sys
port, user, secret, out = sys.argv[1:]
pop = poplib.POP3('localhost', int(port), timeout=60)
try:
    pop.apop(user, 'wrong')
    raise SystemExit('no refusal')
except poplib.error_proto as e:
    assert b'[AUTH]' in e.args[0], e
pop = poplib.POP3('localhost', int(port), timeout=60)
pop.apop(user, secret)
for number in range(1, pop.stat()[0] + 1):
    text = b''.join(line + b'\\r\\n' for line in pop.retr(number)[1])
    open(f'{out}/{number}', 'wb').write(text)
pop.quit()
";
    let port = Way::Clear.port(&house).to_string();
    let mut python = Command::new("python3");
    python.args(["-c", script, &port, AIKO, SECRET]).arg(folder(&house, "fetched"));
    run(&mut python);
    let expected = letters().iter().map(|letter| crlf(letter)).collect();
    assert_same_messages(files(&house.path("fetched")), expected);
}

#[test]
fn perl_logs_in_by_a_digest() {
    if !has_module("perl", &["-MNet::POP3", "-MDigest::MD5", "-e", "1"]) {
        return;
    }
    let house = house();
    let script = "use Net::POP3; my ($port, $user, $secret) = @ARGV; \
                  my $pop = Net::POP3->new('localhost', Port => $port, Timeout => 60) or die; \
                  my $n = $pop->apop($user, $secret); die $pop->message unless defined $n; \
                  print $n + 0; $pop->quit or die;";
    let port = Way::Clear.port(&house).to_string();
    let output = run(Command::new("perl").args(["-e", script, &port, AIKO, SECRET]));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), letters().len().to_string());
}

#[test]
fn curl_logs_in_by_a_digest() {
    if !installed("curl") {
        return;
    }
    let house = house();
    for (secret, status) in [(SECRET, 0), ("wrong", 67)] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--login-options", "AUTH=+APOP", "--user", &format!("{AIKO}:{secret}")]);
        curl.arg(format!("pop3://localhost:{}/1", Way::Clear.port(&house)));
        let output = attempt(&mut curl);
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
    }
}

#[test]
fn fetchmail_logs_in_by_a_digest() {
    if !installed("fetchmail") {
        return;
    }
    let house = house();
    let home = folder(&house, "fetchmail");
    let target = folder(&house, "fetched");
    let take = house.path("take");
    let line = format!("#!/bin/sh\nexec cat > '{}'/$$-$(date +%s%N).eml\n", target.display());
    std::fs::write(&take, line).unwrap();
    let config = format!(
        "set invisible\nset no bouncemail\npoll localhost proto apop port {} no dns timeout 60\n \
         user \"{AIKO}\" password \"{SECRET}\" mda \"/bin/sh {}\" no rewrite fetchall no keep \
         sslproto ''\n",
        Way::Clear.port(&house),
        take.display()
    );
    write_private(&home.join("fetchmailrc"), &config);
    let mut fetchmail = Command::new("fetchmail");
    fetchmail.env("HOME", &home).env("FETCHMAILHOME", &home);
    fetchmail.args(["--nodetach", "--nosyslog", "-v", "-f"]).arg(home.join("fetchmailrc"));
    fetchmail.arg("--pidfile").arg(home.join("pid"));
    let output = run(&mut fetchmail);
    assert!(said(&output).contains("APOP"), "{}", said(&output));
    let expected = letters().iter().map(|letter| lf(letter)).collect();
    assert_same_messages(files(&target), expected);
    assert_eq!(left(&house), 0);
}

/// mpop takes APOP under TLS alone, and checks that the stamp is a message-id.
#[test]
fn mpop_logs_in_by_a_digest() {
    if !installed("mpop") {
        return;
    }
    let house = house();
    let target = folder(&house, "fetched");
    maildrop::create(&target).unwrap();
    let config = format!(
        "account a\nhost localhost\nport {}\nuser {AIKO}\npassword \"{SECRET}\"\nauth apop\n\
         tls on\ntls_starttls off\ntls_trust_file {}\nreceived_header off\nkeep off\n\
         uidls_file {}\ndelivery maildir {}\n",
        Way::Tls.port(&house),
        house.path("certificate.pem").display(),
        house.path("uidls").display(),
        target.display()
    );
    write_private(&house.path("mpoprc"), &config);
    run(Command::new("mpop").arg("-C").arg(house.path("mpoprc")).args(["-q", "a"]));
    let expected = letters().iter().map(|letter| lf(letter)).collect();
    assert_same_messages(files(&target.join("new")), expected);
}
