//! OpenSSL's own client: which TLS is spoken, and to whom.

use std::process::{Command, Stdio};

use lastpost_tests::House;

use crate::kit::{certificate, has, house, port, said};

/// Shakes hands and says QUIT; what was shown, and whether the server greeted under TLS.
fn shake(house: &House, listener: &str, more: &[&str]) -> (bool, String) {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-verify_return_error", "-connect"]);
    openssl.arg(format!("localhost:{}", port(house, listener)));
    openssl.arg("-CAfile").arg(certificate(house)).args(more);
    if listener == "submission" {
        openssl.args(["-starttls", "smtp"]);
    }
    let mut child = openssl
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write;
    // It may have hung up already.
    let _ = child.stdin.take().unwrap().write_all(b"EHLO x\r\nQUIT\r\n");
    let output = child.wait_with_output().unwrap();
    let text = said(&output);
    (text.contains("221 2.0.0"), text)
}

#[test]
fn versions_and_protocols() {
    if !has("openssl", &["version"]) {
        return;
    }
    let house = house();
    for listener in ["submission", "submissions"] {
        for (more, granted) in [
            (&["-tls1_3"][..], true),
            (&["-tls1_2"], true),
            (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], false),
            (&["-alpn", "smtp"], true),
            (&["-alpn", "http/1.1"], false),
            (&["-alpn", "imap"], false),
        ] {
            let (shaken, text) = shake(&house, listener, more);
            assert_eq!(shaken, granted, "{listener} {more:?}: {text}");
        }
    }
}
