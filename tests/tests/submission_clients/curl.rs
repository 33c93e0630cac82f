//! curl: SMTPUTF8, a mechanism of its choice, and `AUTH=`.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{AIKO, BERT, arrived, certificate, field, has, house, port, run, said};

fn curl(house: &House, listener: &str, more: &[&str], text: &str) -> Command {
    let letter = house.path("letter.eml");
    std::fs::write(&letter, text.replace('\n', "\r\n")).unwrap();
    let scheme = if listener == "submissions" { "smtps" } else { "smtp" };
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-v", "--ssl-reqd", "--mail-from", AIKO, "--upload-file"]).arg(&letter);
    curl.arg("--user").arg(format!("{AIKO}:{}", house.customer(AIKO).password));
    curl.arg("--cacert").arg(certificate(house)).args(more);
    curl.arg(format!("{scheme}://localhost:{}", port(house, listener)));
    curl
}

const TEXT: &str = "From: <aiko@open.example>\nSubject: x\n\nHello\n";

#[test]
fn it_chooses_a_mechanism_and_names_the_submitter() {
    if !has("curl", &["--version"]) {
        return;
    }
    let house = house();
    for (count, mechanism) in ["PLAIN", "LOGIN"].into_iter().enumerate() {
        let login = format!("AUTH={mechanism}");
        let more = ["--mail-rcpt", BERT, "--login-options", &login, "--mail-auth", AIKO];
        run(&mut curl(&house, "submission", &more, TEXT));
        arrived(&house, count + 1);
    }
}

#[test]
fn addresses_in_utf_8() {
    // Older ones cannot.
    if !has("curl", &["--version"])
        || !said(&run(Command::new("curl").arg("--version"))).contains("IDN")
    {
        return;
    }
    let house = house();
    let text = "From: <aiko@open.example>\nSubject: Grüße\n\nHello\n";
    // curl says SMTPUTF8 of itself where an address needs it; one of ours does not exist.
    let more = ["--mail-rcpt", "jörg@open.example"];
    let sent = curl(&house, "submissions", &more, text).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(
        said(&sent).contains("SMTPUTF8") && said(&sent).contains("550 5.1.1"),
        "{}",
        said(&sent)
    );
    // The header alone is sent as octets.
    run(&mut curl(&house, "submissions", &["--mail-rcpt", BERT], text));
    let message = &arrived(&house, 1)[0];
    assert_eq!(field(message, "Subject"), ["Subject: Grüße"]);
    assert!(field(message, "Received").concat().contains(" with ESMTPSA id "), "{message}");
}
