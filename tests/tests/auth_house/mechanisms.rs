//! Which mechanisms are offered where, that the others are refused there, and those that look at
//! TLS or at a token, over submission as over POP3.

use auth::Clock as _;
use lastpost_tests::{House, Plan, Talk};

use crate::kit::{Line, Said, edit, hash, house, write_users};
use crate::scram::{log_in, log_in_bound};
use crate::tls::{Authority, anybody, open};
use crate::tokens::{Issuer, OAUTH};

/// Stored as it is: good for every mechanism.
const PLAIN: &str = "plain@open.example";
const PASSWORD: &str = "pen,cil=1";
const OTHER: &str = "other@open.example";

const EVERY: [&str; 9] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "OAUTHBEARER",
    "XOAUTH2",
    "EXTERNAL",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
];
/// Those that show neither password nor token to whoever listens.
const IN_CLEAR: [&str; 3] = ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"];
const UNDER_TLS: [&str; 6] =
    ["SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN", "SCRAM-SHA-256"];
const TLS: [&str; 4] = ["pop3", "pop3s", "submission", "submissions"];

struct Everything {
    house: House,
    authority: Authority,
    issuer: Issuer,
}

/// Every mechanism, and no network whose passwords may come in clear but this host's at POP3.
fn everything() -> Everything {
    let (authority, issuer) = (Authority::new(), Issuer::new());
    let plan = Plan {
        customers: Vec::new(),
        pop3: "errors_max = 100\n",
        submission: "cleartext_auth_networks = []\n",
        files: vec![("jwks.json", issuer.keys()), ("client-ca.pem", authority.pem())],
        ..Plan::default()
    };
    let accounts = "[accounts]\npasswd_file = \"users\"\n";
    let house = house(plan, accounts, "weak_schemes = [\"CRAM-MD5\"]\n", |house| {
        let sasl = format!("[auth.sasl]\nmechanisms = {EVERY:?}\nscram_iterations = 4096\n");
        edit(house, |text| {
            text.replace("[tls]\n", "[tls]\nclient_ca = \"client-ca.pem\"\n") + &sasl + OAUTH
        });
        let plain = format!("{{PLAIN}}{PASSWORD}");
        write_users(house, "users", &[(PLAIN, plain), (OTHER, hash("other's"))]);
    });
    Everything { house, authority, issuer }
}

/// `all` in the order of the offer, with those left out that `keep` says no to.
fn those(keep: impl Fn(&str) -> bool) -> Vec<String> {
    EVERY.iter().filter(|name| keep(name)).map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_listener_offers_what_can_work_there() {
    let all = everything();
    let house = &all.house;
    for listener in ["submission", "legacy"] {
        let offered = Line::open(house, listener).offered();
        assert_eq!(offered, those(|name| IN_CLEAR.contains(&name)), "{listener} in clear");
    }
    // Of this host POP3 takes passwords in clear.
    let here = those(|name| !["SCRAM-SHA-256-PLUS", "EXTERNAL"].contains(&name));
    assert_eq!(Line::open(house, "pop3").offered(), here);
    for listener in TLS {
        let (mut line, _) = open(house, listener, anybody());
        assert_eq!(line.offered(), those(|name| name != "EXTERNAL"), "{listener} under TLS");
        let (mut line, _) = open(house, listener, all.authority.client(PLAIN));
        assert_eq!(line.offered(), EVERY, "{listener} with a certificate");
    }
}

#[test]
fn from_elsewhere_pop3_offers_the_same_as_submission() {
    let plan = Plan { proxied: true, pop3: "errors_max = 100\n", ..Plan::default() };
    let accounts = "[accounts]\npasswd_file = \"users\"\n";
    let house = house(plan, accounts, "", |house| {
        let sasl = format!("[auth.sasl]\nmechanisms = {EVERY:?}\n");
        edit(house, |text| text + &sasl);
    });
    let from = "203.0.113.7".parse().unwrap();
    for listener in ["pop3", "legacy"] {
        let mut line = Line::new(house.client(listener, from), listener == "pop3");
        assert_eq!(line.offered(), those(|name| IN_CLEAR.contains(&name)), "{listener}");
        for name in UNDER_TLS.iter().filter(|name| !IN_CLEAR.contains(name)) {
            let said = line.begin(name, None);
            assert!(matches!(said, Said::Refused(_)), "{listener} {name}: {said:?}");
        }
    }
}

#[test]
fn what_is_not_offered_is_refused_and_the_session_goes_on() {
    let all = everything();
    let plain = format!("\0{PLAIN}\0{PASSWORD}").into_bytes();
    for listener in ["submission", "legacy"] {
        let mut line = Line::open(&all.house, listener);
        for name in EVERY.iter().filter(|name| !IN_CLEAR.contains(name)) {
            let said = line.begin(name, Some(&plain));
            assert!(matches!(said, Said::Refused(_)), "{listener} {name}: {said:?}");
        }
        for name in ["ANONYMOUS", "GSSAPI", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-512"] {
            let said = line.begin(name, Some(b"x"));
            assert!(matches!(said, Said::Refused(_)), "{listener} {name}: {said:?}");
        }
        assert_eq!(log_in(&mut line, PLAIN, PASSWORD), Said::Granted, "{listener}");
    }
    for listener in TLS {
        let (mut line, _) = open(&all.house, listener, anybody());
        let said = line.begin("EXTERNAL", Some(b""));
        assert!(matches!(said, Said::Refused(_)), "{listener} EXTERNAL: {said:?}");
        assert_eq!(line.begin("PLAIN", Some(&plain)), Said::Granted, "{listener}");
    }
}

/// The login is the customer's: he may send, as himself alone.
fn may_send(talk: &mut Talk) {
    talk.expect(&format!("MAIL FROM:<{OTHER}>"), "5");
    talk.expect(&format!("MAIL FROM:<{PLAIN}>"), "250");
}

#[test]
fn scram_plus_is_bound_to_the_session() {
    let all = everything();
    for listener in TLS {
        let (mut line, binding) = open(&all.house, listener, anybody());
        let said = log_in_bound(&mut line, &binding, PLAIN, PASSWORD);
        assert_eq!(said, Said::Granted, "{listener}");
        if listener.starts_with("submission") {
            may_send(&mut line.talk);
        }
        drop(line);
        // What was proved in one session is of no use in another.
        let (mut line, binding) = open(&all.house, listener, anybody());
        let (_held, another) = open(&all.house, listener, anybody());
        assert_ne!(binding, another);
        for (binding, password) in [(another, PASSWORD), ([0; 32], PASSWORD), (binding, "wrong")] {
            let said = log_in_bound(&mut line, &binding, PLAIN, password);
            assert!(matches!(said, Said::Refused(_)), "{listener}: {said:?}");
        }
        assert_eq!(log_in_bound(&mut line, &binding, PLAIN, PASSWORD), Said::Granted);
        drop(line);
        let (mut line, _) = open(&all.house, listener, anybody());
        assert_eq!(log_in(&mut line, PLAIN, PASSWORD), Said::Granted, "not bound, {listener}");
    }
}

#[test]
fn a_certificate_opens_the_account_that_it_names() {
    let all = everything();
    for listener in TLS {
        let (mut line, _) = open(&all.house, listener, all.authority.client(PLAIN));
        let said = line.begin("EXTERNAL", Some(OTHER.as_bytes()));
        assert!(matches!(said, Said::Refused(_)), "{listener}: {said:?}");
        let said = line.begin("EXTERNAL", Some(b""));
        assert_eq!(said, Said::Granted, "{listener}");
        if listener.starts_with("submission") {
            may_send(&mut line.talk);
        }
        drop(line);
        // The message may come after a challenge, too.
        let (mut line, _) = open(&all.house, listener, all.authority.client(PLAIN));
        assert_eq!(line.begin("EXTERNAL", None).challenge(), b"");
        assert_eq!(line.answer(PLAIN.as_bytes()), Said::Granted, "{listener}");
        let (mut line, _) = open(&all.house, listener, all.authority.client("no@body.example"));
        let said = line.begin("EXTERNAL", Some(b""));
        assert!(matches!(said, Said::Refused(_)), "{listener}: {said:?}");
        // Another authority's is refused with the handshake, or is none.
        let mut talk = Talk::connect(all.house.address("submissions"));
        let stranger = Authority::new().client(PLAIN);
        if talk.start_tls_as(stranger).is_ok() {
            assert!(!matches!(talk.try_line(), Ok(Some(line)) if line.starts_with("220")));
        }
    }
}

#[test]
fn tokens_open_accounts_at_both_daemons() {
    let all = everything();
    let now = all.house.clock().now().wall.as_second();
    let good = all.issuer.token(PLAIN, now + 600);
    let google = |login: &str, token: &str| {
        format!("user={login}\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
    };
    let standard = |login: &str, token: &str| {
        format!("n,a={login},\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
    };
    type Message<'a> = &'a dyn Fn(&str, &str) -> Vec<u8>;
    let mechanisms: [(&str, Message<'_>); 2] = [("XOAUTH2", &google), ("OAUTHBEARER", &standard)];
    for listener in TLS {
        for (mechanism, message) in mechanisms {
            let (mut line, _) = open(&all.house, listener, anybody());
            let bad = [
                (PLAIN, all.issuer.token(PLAIN, now - 600)),
                (PLAIN, Issuer::new().token(PLAIN, now + 600)),
                (OTHER, good.clone()),
            ];
            for (login, token) in bad {
                assert_eq!(line.begin(mechanism, None).challenge(), b"");
                // The client reads what is wrong and says that it has (RFC 7628 section 3.2.3).
                let problem = line.answer(&message(login, &token)).challenge();
                assert!(problem.starts_with(b"{"), "{mechanism}: {problem:?}");
                let said = line.answer(b"\x01");
                assert!(matches!(said, Said::Refused(_)), "{listener} {mechanism}: {said:?}");
            }
            assert_eq!(line.begin(mechanism, None).challenge(), b"");
            assert_eq!(line.answer(&message(PLAIN, &good)), Said::Granted, "{mechanism}");
            if listener.starts_with("submission") {
                may_send(&mut line.talk);
            }
        }
    }
}
