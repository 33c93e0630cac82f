//! TLS on both ports, and who may do without.

use netio::{ListenConfig, TlsMode};

use crate::kit::{Client, Daemon, Setup};

#[test]
fn stls_and_the_tls_port() {
    let daemon = Setup::aiko(&[b"x\n"]).start();
    let mut plain = daemon.greeted();
    plain.ask("STLS", "+OK");
    let mut secure = daemon.secure(plain, &[b"pop3"]).unwrap();
    secure.log_in("aiko", "secret");
    secure.ask("RETR 1", "+OK 3 octets");
    assert_eq!(secure.listing(), [b"x"]);
    secure.ask("QUIT", "+OK");
    secure.expect_closed();

    let mut secure = daemon.connect_tls();
    secure.expect("+OK");
    secure.ask("STLS", "-ERR");
    secure.log_in("aiko", "secret");
    secure.ask("STAT", "+OK 1 3");
    secure.ask("QUIT", "+OK");
    secure.expect_closed();
}

#[test]
fn what_was_injected_before_tls_is_not_obeyed() {
    let daemon = Setup::aiko(&[b"x\n"]).start();
    let mut plain = daemon.greeted();
    // In one segment, as an attacker on the way would do it.
    plain.send("STLS\r\nUSER aiko\r\nPASS secret\r\nDELE 1\r\n");
    plain.expect("+OK");
    let mut secure = daemon.secure(plain, &[]).unwrap();
    secure.ask("STAT", "-ERR Log in first");
    secure.log_in("aiko", "secret");
    secure.ask("STAT", "+OK 1 3");
}

#[test]
fn a_client_of_another_service_gets_no_tls() {
    let daemon = Setup::aiko(&[]).start();
    let mut plain = daemon.greeted();
    plain.ask("STLS", "+OK");
    assert!(daemon.secure(plain, &[b"http/1.1"]).is_err());
}

#[test]
fn garbage_instead_of_a_handshake_ends_the_session_alone() {
    let daemon = Setup::aiko(&[]).start();
    let mut plain = daemon.greeted();
    plain.ask("STLS", "+OK");
    plain.send("USER aiko\r\nPASS secret\r\n");
    plain.rest();
    daemon.logged_in("aiko", "secret");
}

/// A daemon behind a proxy on this host, which says that the client is elsewhere.
fn behind_a_proxy(cleartext: &str) -> Daemon {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.listen[0] = ListenConfig {
        address: "127.0.0.1:0".parse().unwrap(),
        tls: TlsMode::Starttls,
        proxy_protocol: true,
    };
    setup.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    setup.config.cleartext_networks = vec![cleartext.parse().unwrap()];
    setup.start()
}

fn from(daemon: &Daemon, header: &str) -> Client {
    let mut client = daemon.connect();
    client.send(header);
    client.expect("+OK");
    client
}

#[test]
fn a_password_in_clear_is_for_loopback_and_named_networks() {
    let daemon = behind_a_proxy("198.51.100.0/24");
    let fax = "PROXY TCP4 198.51.100.7 127.0.0.1 40000 110\r\n";
    let stranger = "PROXY TCP4 203.0.113.7 127.0.0.1 40000 110\r\n";
    let local = "PROXY TCP4 127.0.0.1 127.0.0.1 40000 110\r\n";
    let unknown = "PROXY UNKNOWN\r\n";
    for allowed in [fax, local] {
        let mut client = from(&daemon, allowed);
        client.log_in("aiko", "secret");
        client.ask("QUIT", "+OK");
    }
    for refused in [stranger, unknown] {
        let mut client = from(&daemon, refused);
        client.ask("CAPA", "+OK");
        let capabilities = client.listing();
        assert!(capabilities.contains(&b"STLS".to_vec()));
        assert!(!capabilities.contains(&b"USER".to_vec()));
        let reply = client.ask("USER aiko", "-ERR ");
        assert!(reply.contains("STARTTLS"), "{reply}");
        client.ask("AUTH PLAIN AGFpa28Ac2VjcmV0", "-ERR Login without encryption");
        client.ask("STLS", "+OK");
        let mut secure = daemon.secure(client, &[]).unwrap();
        secure.log_in("aiko", "secret");
        secure.ask("QUIT", "+OK");
    }
}
