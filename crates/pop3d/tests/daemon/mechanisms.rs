//! Which mechanisms are offered to whom: in clear, under TLS, with a certificate, behind a proxy.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::PrivateKeyDer;

use crate::kit::{Client, Daemon, Setup, secure_with};

const EVERY: [&str; 7] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "EXTERNAL",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
];

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "clients");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Everything is offered, and passwords in clear are for 127.0.0.1 alone.
fn house(change: impl FnOnce(&mut Setup)) -> (Daemon, Authority) {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let authority = authority();
    let file = setup.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    setup.client_ca = Some(file);
    setup.auth.sasl.mechanisms = EVERY.map(ToOwned::to_owned).to_vec();
    change(&mut setup);
    (setup.start(), authority)
}

/// A client with a certificate for `aiko`.
fn certified(daemon: &Daemon, authority: &Authority, client: Client) -> Client {
    let mut params = CertificateParams::new(vec!["aiko".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "aiko");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let chain = vec![made.der().clone()];
    secure_with(client, daemon.trusting().with_client_auth_cert(chain, key).unwrap()).unwrap()
}

/// What `CAPA` and the list say, which is the same, and whether `USER` is among it.
fn offered(client: &mut Client) -> (Vec<String>, bool) {
    client.ask("CAPA", "+OK");
    let lines: Vec<String> =
        client.listing().into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
    let sasl = lines.iter().find_map(|line| line.strip_prefix("SASL "));
    let named: Vec<String> =
        sasl.map(|names| names.split(' ').map(ToOwned::to_owned).collect()).unwrap_or_default();
    client.ask("AUTH", "+OK");
    let list: Vec<String> =
        client.listing().into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
    assert_eq!(named, list);
    (named, lines.iter().any(|line| line == "USER"))
}

fn without<'a>(left_out: &[&str]) -> Vec<&'a str> {
    EVERY.into_iter().filter(|name| !left_out.contains(name)).collect()
}

#[test]
fn what_is_offered_depends_on_what_protects_the_session() {
    let (daemon, authority) = house(|_| {});
    // From this host a password may come in clear, so everything may that needs nothing of TLS.
    let mut client = daemon.greeted();
    assert_eq!(offered(&mut client).0, without(&["SCRAM-SHA-256-PLUS", "EXTERNAL"]));
    client.ask("AUTH EXTERNAL =", "-ERR Mechanism not supported");
    client.ask("STLS", "+OK");
    let mut secure = daemon.secure(client, &[]).unwrap();
    assert_eq!(offered(&mut secure).0, without(&["EXTERNAL"]));
    secure.ask("AUTH EXTERNAL =", "-ERR Mechanism not supported");
    // With a certificate, by STLS.
    let mut client = daemon.greeted();
    client.ask("STLS", "+OK");
    let mut secure = certified(&daemon, &authority, client);
    assert_eq!(offered(&mut secure), (owned(&without(&[])), true));
}

#[test]
fn in_clear_only_what_shows_no_password() {
    let (daemon, _) = house(|setup| {
        setup.config.listen[0].proxy_protocol = true;
        setup.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let mut client = daemon.connect();
    client.send("PROXY TCP4 203.0.113.7 127.0.0.1 40000 110\r\n");
    client.expect("+OK");
    let (named, user) = offered(&mut client);
    assert_eq!(named, ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"]);
    assert!(!user);
    client.ask("AUTH PLAIN", "-ERR Login without encryption is refused: switch on STARTTLS");
    client.ask("AUTH SCRAM-SHA-256-PLUS", "-ERR Login without encryption is refused");
    client.ask("AUTH XOAUTH2", "-ERR Mechanism not supported");
    client.ask("STLS", "+OK");
    let mut secure = daemon.secure(client, &[]).unwrap();
    assert_eq!(offered(&mut secure), (owned(&without(&["EXTERNAL"])), true));
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A proxy's TLS and its certificate are its own: whoever it names has neither.
#[test]
fn nothing_of_a_proxys_tls_is_its_clients() {
    let (daemon, authority) = house(|setup| {
        setup.config.protocol.xclient_networks = vec!["127.0.0.0/8".parse().unwrap()];
    });
    for (said, expected) in [
        ("XCLIENT ADDR=192.0.2.7", without(&["SCRAM-SHA-256-PLUS", "EXTERNAL"])),
        (
            "XCLIENT ADDR=192.0.2.7 CLIENT-TRANSPORT=TLS",
            without(&["SCRAM-SHA-256-PLUS", "EXTERNAL"]),
        ),
        (
            "XCLIENT ADDR=192.0.2.7 CLIENT-TRANSPORT=insecure",
            vec!["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"],
        ),
    ] {
        let mut client = daemon.greeted();
        client.ask("STLS", "+OK");
        let mut proxy = certified(&daemon, &authority, client);
        assert_eq!(offered(&mut proxy).0, without(&[]), "until it names somebody");
        proxy.ask(said, "+OK");
        assert_eq!(offered(&mut proxy).0, expected, "{said}");
        proxy.ask("AUTH EXTERNAL =", "-ERR");
    }
}

#[test]
fn nothing_need_be_offered() {
    let (daemon, _) = house(|setup| setup.auth.sasl.mechanisms.clear());
    let mut client = daemon.greeted();
    assert_eq!(offered(&mut client), (Vec::new(), true));
    client.ask("AUTH PLAIN AGFpa28Ac2VjcmV0", "-ERR Mechanism not supported");
    client.log_in("aiko", "secret");
}
