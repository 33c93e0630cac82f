//! Filters that change messages which are signed: the signature is of what goes out, and of the
//! author who stands there then.

use address::Domain;
use base64::Engine as _;
use dkim::{DkimConfig, DkimKey, KeyType, Signer};
use lastpost_tests::{House, Plan};
use sha2::{Digest as _, Sha256};

use crate::kit::{AIKO, FRIEND, aiko, parts, plan, send};
use crate::milter::{Milter, Packet, answer};

/// Domains with a key; the third belongs to another customer.
const SIGNED: [&str; 3] = ["open.example", "closed.example", "bank.example"];

/// Keys of those domains, and what makes the same signatures.
struct Keys {
    _directory: tempfile::TempDir,
    signer: Signer,
    texts: Vec<(&'static str, String)>,
}

impl Keys {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (mut texts, mut keys) = (Vec::new(), Vec::new());
        for (number, domain) in SIGNED.into_iter().enumerate() {
            let name = ["one.pem", "two.pem", "three.pem"][number];
            let file = directory.path().join(name);
            // Ed25519 signs the same text always in the same way.
            dkim::generate(&Domain::parse(domain).unwrap(), "s1", KeyType::Ed25519, &file).unwrap();
            texts.push((name, std::fs::read_to_string(&file).unwrap()));
            let (domain, selector) = (domain.to_owned(), "s1".to_owned());
            keys.push(DkimKey { domain, selector, file, subdomains: true });
        }
        let signer = Signer::load(&DkimConfig { key: keys, ..DkimConfig::default() }).unwrap();
        Self { _directory: directory, signer, texts }
    }

    fn house(&self, milter: &Milter) -> House {
        let mut tables = milter.tables("");
        for (domain, (name, _)) in SIGNED.into_iter().zip(&self.texts) {
            tables += &format!(
                "[[dkim.key]]\ndomain = \"{domain}\"\nselector = \"s1\"\nfile = \"{name}\"\n"
            );
        }
        House::start(Plan { files: self.texts.clone(), ..plan(tables) })
    }

    /// The text must be signed for `domain`, and the signature hold.
    fn assert_signed(&self, content: &[u8], domain: &str) {
        let (header, body) = parts(content);
        let begins = header.find("\r\nReceived:").unwrap() + 2;
        let (field, rest) = header.split_at(begins);
        assert!(field.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"), "{field}");
        assert_eq!(tag(field, "d"), domain, "{field}");
        assert_eq!(tag(field, "bh"), body_hash(&body), "{field}");
        let at = tag(field, "t").parse().unwrap();
        let mut again = self.signer.begin(&Domain::parse(domain).unwrap()).unwrap();
        again.body(&body);
        let at = jiff::Timestamp::from_second(at).unwrap();
        let expected = again.finish(rest.as_bytes(), at).unwrap();
        assert_eq!(field, String::from_utf8(expected).unwrap());
    }
}

/// The value of a tag, without the blanks that folding put into it.
fn tag(field: &str, name: &str) -> String {
    let (_, list) = field.split_once(':').unwrap();
    let mut tags = list.split(';').filter_map(|tag| tag.split_once('='));
    let (_, value) = tags.find(|(tag, _)| tag.trim() == name).unwrap();
    value.split_ascii_whitespace().collect()
}

/// RFC 6376 section 3.4.4, for bodies without blanks at the ends of lines or doubled ones.
fn body_hash(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap();
    assert!(!text.contains("  ") && !text.contains(" \r\n"), "{text:?}");
    let text = text.trim_end_matches("\r\n").to_owned() + "\r\n";
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// Sends one message through a milter that says `answers`; what arrives.
fn through(keys: &Keys, answers: Vec<Packet>) -> Vec<u8> {
    let milter = Milter::at_the_end(answers);
    let house = keys.house(&milter);
    let reply = send(&mut aiko(&house, "checked"), AIKO, FRIEND);
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    house.wait_for_mail(1).remove(0).content
}

fn author(text: &str) -> Packet {
    answer(b'm', &[b"\0\0\0\x01From\0", text.as_bytes(), b"\0"].concat())
}

#[test]
fn a_changed_message_is_signed_as_it_goes_out() {
    let keys = Keys::new();
    let content = through(
        &keys,
        vec![
            answer(b'm', b"\0\0\0\x01Subject\0[checked] hello\0"),
            answer(b'b', b"Another text.\nScanned by m\r\n"),
            answer(b'b', b".\r\n\r\n\r\n"),
            answer(b'c', b""),
        ],
    );
    let (header, body) = parts(&content);
    assert!(header.contains("\r\nSubject: [checked] hello\r\n"), "{header}");
    assert_eq!(String::from_utf8(body).unwrap(), "Another text.\r\nScanned by m\r\n.\r\n\r\n\r\n");
    keys.assert_signed(&content, "open.example");

    let content = through(&keys, vec![answer(b'c', b"")]);
    assert_eq!(parts(&content).1, b"text\r\n");
    keys.assert_signed(&content, "open.example");
}

#[test]
fn the_key_is_that_of_the_author_whom_a_filter_wrote() {
    let keys = Keys::new();
    let other = || author("Aiko <aiko@closed.example>");
    let content = through(&keys, vec![other(), answer(b'c', b"")]);
    assert!(parts(&content).0.contains("\r\nFrom: Aiko <aiko@closed.example>\r\n"));
    assert_eq!(parts(&content).1, b"text\r\n");
    keys.assert_signed(&content, "closed.example");

    let content = through(&keys, vec![answer(b'b', b"New\r\n"), other(), answer(b'c', b"")]);
    assert_eq!(parts(&content).1, b"New\r\n");
    keys.assert_signed(&content, "closed.example");
}

#[test]
fn a_body_on_disk_is_read_again_for_another_author() {
    let keys = Keys::new();
    let milter = Milter::at_the_end(vec![author("<aiko@closed.example>"), answer(b'c', b"")]);
    let house = keys.house(&milter);
    let mut talk = aiko(&house, "checked");
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    talk.expect("DATA", "354");
    let body = ("0123456789abcde".repeat(5) + "\r\n").repeat(8000);
    talk.send_raw(format!("From: <{AIKO}>\r\n\r\n{body}.\r\n").as_bytes());
    talk.expect_reply("250 2.0.0");
    let content = house.wait_for_mail(1).remove(0).content;
    assert!(parts(&content).1 == body.as_bytes());
    keys.assert_signed(&content, "closed.example");
}

#[test]
fn nobody_signs_for_an_author_who_is_not_the_accounts() {
    let keys = Keys::new();
    for from in ["ceo@bank.example", "Aiko <aiko@open.example>, ceo@bank.example", "what"] {
        let content = through(&keys, vec![author(from), answer(b'c', b"")]);
        let (header, _) = parts(&content);
        assert!(header.contains(&format!("\r\nFrom: {from}\r\n")), "{header}");
        assert!(!header.contains("DKIM-Signature"), "{header}");
    }
}
