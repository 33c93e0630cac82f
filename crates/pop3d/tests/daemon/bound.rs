//! Logins that TLS has a part in: SCRAM-SHA-256-PLUS, bound to the session, and EXTERNAL.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};

use crate::counting::Counting;
use crate::kit::{Client, Daemon, Setup, secure_bound, secure_with};

/// `aiko` and `aiko@example.net`, each with `secret`, and everything offered that TLS is for.
fn house(change: impl FnOnce(&mut Setup)) -> (Daemon, Arc<Counting>) {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.account("aiko@example.net", "secret");
    let mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "PLAIN"];
    setup.auth.sasl.mechanisms = mechanisms.map(ToOwned::to_owned).to_vec();
    setup.auth.sasl.scram_iterations = 4096;
    setup.config.errors_max = 20;
    let told = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&told)];
    change(&mut setup);
    (setup.start(), told)
}

fn encoded(octets: impl AsRef<[u8]>) -> String {
    let mut text = Vec::new();
    sasl::encode(octets.as_ref(), &mut text);
    String::from_utf8(text).unwrap()
}

/// The octets of a challenge.
fn challenge(line: &str) -> String {
    let text = line.strip_prefix("+ ").unwrap_or_else(|| panic!("{line:?} is no challenge"));
    let octets = sasl::decode_response(text.as_bytes()).unwrap();
    String::from_utf8(octets.expose().to_vec()).unwrap()
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// The client's side of RFC 5802: what the server says to its proof. `header`: the GS2 header;
/// `binding`: the data of the channel binding behind it.
fn scram(
    client: &mut Client,
    mechanism: &str,
    (login, password): (&str, &str),
    (header, binding): (&str, &[u8]),
) -> String {
    let bare = format!("n={login},r=abcdefghijklmnop");
    let first = encoded(format!("{header}{bare}"));
    let said = client.ask(&format!("AUTH {mechanism} {first}"), "");
    if !said.starts_with("+ ") {
        return said;
    }
    let server_first = challenge(&said);
    let field = |name: &str| {
        server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned()
    };
    let salt = sasl::decode_response(field("s=").as_bytes()).unwrap();
    let rounds: u32 = field("i=").parse().unwrap();
    let salted: [u8; 32] =
        pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.expose(), rounds);
    let client_key = hmac(&salted, b"Client Key");
    let bound = encoded([header.as_bytes(), binding].concat());
    let without_proof = format!("c={bound},r={}", field("r="));
    let message = format!("{bare},{server_first},{without_proof}");
    let signature = hmac(&Sha256::digest(client_key), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, mask)| key ^ mask).collect();
    let said = client.ask(&encoded(format!("{without_proof},p={}", encoded(proof))), "");
    if !said.starts_with("+ ") {
        return said;
    }
    // The server knows the password, too.
    let server = hmac(&hmac(&salted, b"Server Key"), message.as_bytes());
    assert_eq!(challenge(&said), format!("v={}", encoded(server)));
    client.ask("", "")
}

fn under_tls(daemon: &Daemon) -> (Client, [u8; 32]) {
    let mut client = daemon.greeted();
    client.ask("STLS", "+OK");
    secure_bound(client, daemon.trusting().with_no_client_auth()).unwrap()
}

const AIKO: (&str, &str) = ("aiko", "secret");

#[test]
fn a_proof_bound_to_the_session_is_a_login() {
    let (daemon, told) = house(|_| {});
    let end_point = Sha256::digest(&daemon.certificate);
    let plus = "SCRAM-SHA-256-PLUS";
    let (mut client, exporter) = under_tls(&daemon);
    let said = scram(&mut client, plus, AIKO, ("p=tls-exporter,,", &exporter));
    assert_eq!(said, "+OK 1 messages (3 octets)");
    client.ask("STAT", "+OK 1 3");
    client.ask("QUIT", "+OK");
    let (mut client, _) = under_tls(&daemon);
    let said = scram(&mut client, plus, AIKO, ("p=tls-server-end-point,,", &end_point));
    assert_eq!(said, "+OK 1 messages (3 octets)");
    client.ask("QUIT", "+OK");
    assert_eq!(told.told(), ["aiko 127.0.0.1 true"; 2]);
    assert_eq!(daemon.pop3d.statistics().logins, 2);
}

#[test]
fn a_proof_bound_to_another_session_is_none() {
    let (daemon, told) = house(|_| {});
    let (mut client, exporter) = under_tls(&daemon);
    let (_other, foreign) = under_tls(&daemon);
    assert_ne!(exporter, foreign);
    let plus = "SCRAM-SHA-256-PLUS";
    for (mechanism, binding) in [
        // Somebody in between has a session with each side.
        (plus, ("p=tls-exporter,,", &foreign[..])),
        (plus, ("p=tls-exporter,,", &[][..])),
        (plus, ("p=tls-server-end-point,,", &[7; 32][..])),
        // The client says that this server has no mechanism that binds: somebody has struck it
        // out (RFC 5802 section 6).
        ("SCRAM-SHA-256", ("y,,", &[][..])),
    ] {
        let said = scram(&mut client, mechanism, AIKO, binding);
        assert!(said.starts_with("-ERR [AUTH]"), "{mechanism} {}: {said}", binding.0);
    }
    assert!(told.told().is_empty());
    // The session goes on, and the same client is let in with what is right.
    let said = scram(&mut client, plus, AIKO, ("p=tls-exporter,,", &exporter));
    assert!(said.starts_with("+OK"), "{said}");
}

#[test]
fn wrong_and_unknown_read_the_same() {
    let (daemon, _) = house(|_| {});
    let (mut client, exporter) = under_tls(&daemon);
    let mut said = Vec::new();
    for who in [("aiko", "wrong"), ("nobody", "secret")] {
        for (mechanism, binding) in [
            ("SCRAM-SHA-256-PLUS", ("p=tls-exporter,,", &exporter[..])),
            ("SCRAM-SHA-256", ("n,,", &[][..])),
        ] {
            said.push(scram(&mut client, mechanism, who, binding));
        }
    }
    said.dedup();
    assert_eq!(said, ["-ERR [AUTH] Login failed: check the user name and the password"]);
}

#[test]
fn in_clear_there_is_scram_without_a_binding() {
    let (daemon, told) = house(|_| {});
    let mut client = daemon.greeted();
    let said = scram(&mut client, "SCRAM-SHA-256", AIKO, ("n,,", &[]));
    assert_eq!(said, "+OK 1 messages (3 octets)");
    assert_eq!(told.told(), ["aiko 127.0.0.1 false"]);
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "clients");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client with a certificate for this address, under TLS.
fn certified(daemon: &Daemon, authority: &Authority, address: &str) -> Client {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::Rfc822Name(address.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let chain = vec![made.der().clone()];
    let mut client = daemon.greeted();
    client.ask("STLS", "+OK");
    secure_with(client, daemon.trusting().with_client_auth_cert(chain, key).unwrap()).unwrap()
}

#[test]
fn a_certificate_is_a_login() {
    let authority = authority();
    let (daemon, told) = house(|setup| {
        let file = setup.path().join("ca.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        setup.client_ca = Some(file);
    });
    for line in ["AUTH EXTERNAL =", "AUTH EXTERNAL YWlrb0BleGFtcGxlLm5ldA=="] {
        let mut client = certified(&daemon, &authority, "aiko@example.net");
        client.ask(line, "+OK 0 messages");
        client.ask("QUIT", "+OK");
    }
    let mut client = certified(&daemon, &authority, "aiko@example.net");
    client.ask("AUTH EXTERNAL", "+ ");
    client.ask("", "+OK 0 messages");
    assert_eq!(told.told(), ["aiko@example.net 127.0.0.1 true"; 3]);
    // Somebody else's account, and a certificate for nobody.
    let mut client = certified(&daemon, &authority, "aiko@example.net");
    client.ask("AUTH EXTERNAL YWlrbw==", "-ERR [AUTH]");
    let mut client = certified(&daemon, &authority, "nobody@example.net");
    client.ask("AUTH EXTERNAL =", "-ERR [AUTH]");
    assert_eq!(told.told().len(), 3);
}
