//! Other people's verifiers find the signatures good, and those of changed messages bad.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use address::Domain;
use dkim::{DkimConfig, DkimKey, KeyType, Signer, generate};
use jiff::Timestamp;

/// Reads records from the first argument, and from the standard input messages, each behind a
/// line with its length; prints a line for each with one word for each signature.
const VERIFIER: &str = r"
import sys, json, dkim
records = {k.encode(): v.encode() for k, v in json.loads(sys.argv[1]).items()}
lookup = lambda name, timeout=5: records.get(name.rstrip(b'.') if isinstance(name, bytes) else name.rstrip('.').encode())
def verdict(message, index):
    try:
        return 'good' if dkim.DKIM(message).verify(idx=index, dnsfunc=lookup) else 'bad'
    except dkim.ValidationError:
        return 'bad'
while line := sys.stdin.buffer.readline():
    message = sys.stdin.buffer.read(int(line))
    count = message.lower().count(b'dkim-signature:')
    print(' '.join(verdict(message, index) for index in range(count)))
";

fn python_has_dkim() -> bool {
    let import = Command::new("/usr/bin/python3").args(["-c", "import dkim, nacl"]).output();
    import.is_ok_and(|output| output.status.success())
}

/// What the other verifier says of each message.
fn verify(signer: &Signer, messages: &[Vec<u8>]) -> Vec<String> {
    let records: Vec<String> =
        signer.records().iter().map(|r| format!("\"{}\": \"{}\"", r.name, r.text)).collect();
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", VERIFIER, &format!("{{{}}}", records.join(", "))])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for message in messages {
        writeln!(input, "{}", message.len()).unwrap();
        input.write_all(message).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn signer(directory: &Path) -> Signer {
    let mut config = DkimConfig { identity: true, ..DkimConfig::default() };
    for (selector, kind) in [("rsa", KeyType::Rsa2048), ("ed", KeyType::Ed25519)] {
        let file = directory.join(format!("{selector}.pem"));
        let domain = "example.net".to_owned();
        generate(&Domain::parse(&domain).unwrap(), selector, kind, &file).unwrap();
        config.key.push(DkimKey { domain, selector: selector.into(), file, subdomains: true });
    }
    Signer::load(&config).unwrap()
}

fn sign(signer: &Signer, author: &str, header: &str, body: &[u8]) -> Vec<u8> {
    let mut signing = signer.begin(&Domain::parse(author).unwrap()).unwrap();
    for piece in body.chunks(7) {
        signing.body(piece);
    }
    // Verifiers refuse what was signed in the future.
    let at = Timestamp::from_second(1_704_067_200).unwrap();
    let mut message = signing.finish(header.as_bytes(), at).unwrap();
    message.extend_from_slice(header.as_bytes());
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    message
}

const HEADER: &str = "Received: from a by b\r\n\tid c; Fri, 1 Jan 2027 00:00:00 +0000\r\n\
    From: =?utf-8?Q?Anna_M=C3=BCller?=\r\n\t<anna@example.net>\r\n\
    To: ben@example.org,\r\n  carol@example.org\r\n\
    Subject:  two  blanks\tand a tab \r\n\
    Date: Fri, 1 Jan 2027 00:00:00 +0000\r\n\
    Message-ID: <1@example.net>\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX-Other: not signed\r\n";

#[test]
fn python_verifies_what_was_signed() {
    if !python_has_dkim() {
        eprintln!("skipped: install python3-dkim and python3-nacl to check against them");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let signer = signer(directory.path());
    let mut good = Vec::new();
    for body in [
        &b""[..],
        b"\r\n\r\n",
        b"Hello\r\n",
        b"no end",
        b" leading  and trailing \t \r\n\r\n \r\n\r\n",
        b"\r\n\r\nfirst lines are empty\r\n.\r\n..\r\n",
        "Gr\u{fc}\u{df}e\r\n".as_bytes(),
        &b"x".repeat(5000),
    ] {
        good.push(sign(&signer, "example.net", HEADER, body));
    }
    good.push(sign(&signer, "news.example.net", HEADER, b"i= is below d=\r\n"));

    let message = String::from_utf8(sign(&signer, "example.net", HEADER, b"Hello\r\n")).unwrap();
    let changed = |from: &str, to: &str| {
        assert_eq!(message.matches(from).count(), 1, "{from}");
        message.replacen(from, to, 1).into_bytes()
    };
    // What a host on the way may do.
    good.push(changed("two  blanks", "two\r\n\tblanks"));
    good.push(changed("X-Other: not", "X-Other: indeed not"));
    good.push(changed("Hello\r\n", "Hello  \r\n\r\n"));
    for (number, verdict) in verify(&signer, &good).iter().enumerate() {
        assert_eq!(verdict, "good good", "{}", String::from_utf8_lossy(&good[number]));
    }
    // What a forger would.
    let bad = [
        changed("Hello", "Hallo"),
        changed("To: ben", "Cc: x@example.org\r\nTo: ben"),
        changed("Date: Fri", "Reply-To: x@example.org\r\nDate: Fri"),
        changed("From: =?", "From: x@example.org\r\nFrom: =?"),
        changed("<1@example.net>", "<2@example.net>"),
    ];
    assert_eq!(verify(&signer, &bad), vec!["bad bad"; bad.len()]);
}
