//! AUTH: exchanges, what they are refused for, and what they may not lead to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use address::{AccountKey, Mailbox};
use auth::{
    Account, AccountSource, Answer, AuthConfig, Directory, MasterConfig, PolicySpread, SaslConfig,
    Unavailable,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kit::{
    ANNAS_PASSWORD, Client, Daemon, LEGACY, Plan, RECEIVING, SUBMISSION, Says, WRONG_PASSWORD,
    start, start_plan,
};
use spool::Origin;

const WRONG: &str = "535 5.7.8 Authentication failed: wrong user name or password";
const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

fn plain(login: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{login}\0{password}")))
}

/// On the STARTTLS port, under TLS, greeted.
async fn under_tls(daemon: &Daemon) -> Client {
    let mut client = daemon.client("submission").await;
    client.reply().await;
    client.say("EHLO client").await;
    client.expect("STARTTLS", "220 2.0.0").await;
    client.start_tls(&daemon.certificate).await;
    client
}

#[tokio::test]
async fn an_exchange_goes_step_by_step() {
    let daemon = start(LEGACY).await;
    for steps in [
        &[("AUTH PLAIN", "334 "), ("AGFubmFAZXhhbXBsZS5uZXQAc2VjcmV0", "235 2.7.0")][..],
        &[
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            ("YW5uYUBleGFtcGxlLm5ldA==", "334 UGFzc3dvcmQ6"),
            ("c2VjcmV0", "235 2.7.0"),
        ],
        &[("auth login YW5uYUBleGFtcGxlLm5ldA==", "334 UGFzc3dvcmQ6"), ("c2VjcmV0", "235 2.7.0")],
    ] {
        let mut client = daemon.legacy().await;
        // An exchange that was given up leaves nothing to the next one.
        client.expect("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
        client.expect("YmVuQGV4YW1wbGUubmV0", "334 UGFzc3dvcmQ6").await;
        client.expect("*", "501 5.7.0").await;
        for (line, reply) in steps {
            client.expect(line, reply).await;
        }
        client.expect(ANNAS_PASSWORD, "503 5.5.1 Already authenticated").await;
        let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    assert_eq!(daemon.observer.statistics().logins, 3);
    assert_eq!(daemon.observer.statistics().logins_denied, 0);
}

#[tokio::test]
async fn a_message_that_is_none_is_no_failed_login() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.legacy().await;
    for message in ["AUTH PLAIN YW5uYQ==", "AUTH PLAIN =", "AUTH PLAIN ?", "AUTH PLAIN YW5uYQ"] {
        client.expect(message, "501 5.5.2").await;
    }
    client.expect("AUTH LOGIN", "334 ").await;
    client.expect("AP8=", "501 5.5.2").await;
    client.expect("AUTH LOGIN", "334 ").await;
    client.expect(&"YWFh".repeat(3073), "500 5.5.6").await;
    assert_eq!(daemon.observer.statistics().logins_denied, 0);
    // But the session did not authenticate, and is asked about as one that failed to.
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0 Authentication failed").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
}

#[tokio::test]
async fn nothing_in_clear_counts_under_tls() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    // Loopback may send passwords in clear.
    assert!(client.say("EHLO client").await.contains("\n250-AUTH PLAIN LOGIN\n"));
    client.expect("AUTH LOGIN", "334 ").await;
    client.expect("STARTTLS", "501 5.5.2").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    client.expect("STARTTLS", "220 2.0.0").await;
    client.start_tls(&daemon.certificate).await;
    client.expect("MAIL FROM:<anna@example.net>", "503 5.5.1").await;
    client.expect(ANNAS_PASSWORD, "503 5.5.1 Say EHLO before AUTH").await;
    assert!(client.say("EHLO client").await.contains("\n250-AUTH PLAIN LOGIN\n"));
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
}

#[tokio::test]
async fn passwords_are_taken_under_tls_alone_but_for_networks_that_are_named() {
    let daemon =
        start(&format!("cleartext_auth_networks = [\"192.0.2.0/24\"]\n{SUBMISSION}")).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    let offer = client.say("EHLO client").await;
    assert!(!offer.contains("PLAIN") && !offer.contains("LOGIN"), "{offer}");
    client.expect(ANNAS_PASSWORD, "538 5.7.11").await;
    client.expect("AUTH LOGIN", "538 5.7.11").await;
    let mut client = under_tls(&daemon).await;
    assert!(client.say("EHLO client").await.contains(" PLAIN LOGIN\n"));
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    let mut client = daemon.client("submissions").await;
    client.start_tls(&daemon.certificate).await;
    client.reply().await;
    assert!(client.say("EHLO client").await.contains(" PLAIN LOGIN\n"));
    // There is no certificate of the client's, and never such a mechanism.
    client.expect("AUTH EXTERNAL =", "504 5.5.4 Mechanism not offered: use ").await;
    client.expect("AUTH ANONYMOUS", "504 5.5.4").await;
}

/// What the session offers: the line of EHLO, without the keyword.
fn offered(reply: &str) -> Option<&str> {
    reply.lines().find_map(|line| line.strip_prefix("250-AUTH "))
}

#[tokio::test]
async fn mechanisms_that_show_no_password_may_be_used_in_clear() {
    let every = ["CRAM-MD5", "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL"];
    let sasl = SaslConfig { mechanisms: every.map(str::to_owned).into(), ..SaslConfig::default() };
    let config = || AuthConfig { sasl: sasl.clone(), ..AuthConfig::default() };
    let nobody = "cleartext_auth_networks = []\n";
    for (listener, in_clear) in [
        (format!("{nobody}{SUBMISSION}{LEGACY}"), "SCRAM-SHA-256 CRAM-MD5"),
        // A network that may send passwords in clear may send anything that needs no TLS.
        (format!("{SUBMISSION}{LEGACY}"), "SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5"),
    ] {
        let authenticator = Some(kit::authenticator(config(), kit::the_usual()));
        let daemon = start_plan(Plan { authenticator, ..Plan::new(listener) }).await;
        let mut client = daemon.client("submission").await;
        client.reply().await;
        let reply = client.say("EHLO client").await;
        assert_eq!(offered(&reply), Some(in_clear));
        client.expect("AUTH EXTERNAL =", "504 5.5.4 Mechanism not offered: use SCRAM").await;
        client.expect("AUTH SCRAM-SHA-256-PLUS", "538 5.7.11").await;
        let mut client = under_tls(&daemon).await;
        let reply = client.say("EHLO client").await;
        let under_tls = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5";
        assert_eq!(offered(&reply), Some(under_tls));
        // Where there is no TLS to switch on, what needs it is too weak.
        let mut client = daemon.legacy().await;
        let reply = client.say("EHLO client").await;
        assert_eq!(offered(&reply), Some(in_clear));
        client.expect("AUTH SCRAM-SHA-256-PLUS", "534 5.7.9 Too weak without encryption").await;
    }
}

/// A proxy's TLS is the proxy's: its client can prove nothing by it.
#[tokio::test]
async fn what_tls_says_of_a_proxy_is_not_believed_of_its_client() {
    let every = ["PLAIN", "SCRAM-SHA-256-PLUS", "EXTERNAL"];
    let sasl = SaslConfig { mechanisms: every.map(str::to_owned).into(), ..SaslConfig::default() };
    let config = AuthConfig { sasl, ..AuthConfig::default() };
    let authenticator = Some(kit::authenticator(config, kit::the_usual()));
    let proxies = "[protocol]\nxclient_networks = [\"127.0.0.0/8\"]\n";
    let plan = Plan { authenticator, ..Plan::new(format!("{proxies}{SUBMISSION}")) };
    let daemon = start_plan(plan).await;
    let mut client = under_tls(&daemon).await;
    assert_eq!(offered(&client.say("EHLO proxy").await), Some("PLAIN"));
    client.expect("XCLIENT ADDR=192.0.2.7", "220").await;
    assert_eq!(offered(&client.say("EHLO proxy").await), Some("PLAIN"));
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
}

#[tokio::test]
async fn commands_behind_auth_are_answered_in_order_and_never_run_within_an_exchange() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.legacy().await;
    client.send("AUTH LOGIN\r\nMAIL FROM:<anna@example.net>\r\nNOOP\r\n").await;
    assert_eq!(client.reply().await, "334 VXNlcm5hbWU6");
    assert!(client.reply().await.starts_with("501 5.5.2"));
    assert!(client.reply().await.starts_with("250 2.0.0"));
    client.send("AUTH PLAIN\r\nQUIT\r\n").await;
    assert_eq!(client.reply().await, "334 ");
    assert!(client.reply().await.starts_with("501 5.5.2 A command does not answer"));
    // A password behind an exchange that broke off stays unread.
    client.send("AUTH LOGIN\r\n???\r\nc2VjcmV0\r\nMAIL FROM:<anna@example.net>\r\n").await;
    assert_eq!(client.reply().await, "334 VXNlcm5hbWU6");
    assert!(client.reply().await.starts_with("501 5.5.2"));
    assert!(client.reply().await.starts_with("500 5.5.2"));
    assert!(client.is_closed().await);
    // What the RFC allows: the initial response completes the exchange.
    let mut client = daemon.legacy().await;
    client.send(format!("{ANNAS_PASSWORD}\r\nMAIL FROM:<anna@example.net>\r\n")).await;
    assert!(client.reply().await.starts_with("235 2.7.0"));
    assert!(client.reply().await.starts_with("250 2.1.0"));
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_told_to_whoever_knows_it_alone() {
    let old = kit::account("old", &["old@example.net"]).with_must_change(true);
    let accounts = kit::the_usual().into_iter().chain([old]).collect();
    let config = AuthConfig {
        must_change_url: "https://www.example.net/password".into(),
        ..AuthConfig::default()
    };
    let authenticator = Some(kit::authenticator(config, accounts));
    let daemon = start_plan(Plan { authenticator, ..Plan::new(LEGACY) }).await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    assert_eq!(client.say(&plain("old@example.net", "wrong")).await, WRONG);
    assert_eq!(
        client.say(&plain("old@example.net", "secret")).await,
        "535 5.7.8 The password is right, but it has to be changed before mail can be sent: \
         https://www.example.net/password"
    );
    // A failed login for the chain: no other authority is asked.
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    assert_eq!(daemon.steered.asked(), 0);
    assert_eq!(daemon.observer.statistics().logins_denied, 2);
}

/// A source that is down at will, with nobody in it.
struct Shaky(AtomicBool);

impl Shaky {
    fn answer<T>(&self, nothing: T) -> Result<T, Unavailable> {
        if !self.0.load(Ordering::SeqCst) {
            return Ok(nothing);
        }
        Err(Unavailable { source_name: "shaky".into(), problem: "it is down".into() })
    }
}

impl AccountSource for Shaky {
    fn name(&self) -> &str {
        "shaky"
    }

    fn find<'a>(
        &'a self,
        _key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        Box::pin(std::future::ready(self.answer(None)))
    }

    fn owners<'a>(
        &'a self,
        _address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(std::future::ready(self.answer(Vec::new())))
    }

    fn page<'a>(
        &'a self,
        _after: Option<&'a AccountKey>,
        _limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(std::future::ready(self.answer(None)))
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::default()
    }
}

#[tokio::test]
async fn a_source_that_is_down_is_a_reason_to_try_again_and_no_refusal() {
    let shaky = Arc::new(Shaky(AtomicBool::new(true)));
    let sources = vec![Arc::clone(&shaky) as Arc<dyn AccountSource>];
    let directory = Directory::chain(sources, None).unwrap();
    let authenticator = Some(kit::over(AuthConfig::default(), directory));
    let config = format!(
        "[protocol]\nxclient_networks = [\"127.0.0.0/8\"]\n{RECEIVING}xclient_login = true\n"
    );
    let daemon = start_plan(Plan { authenticator, ..Plan::new(config) }).await;
    let mut client = daemon.legacy().await;
    client.expect("XCLIENT ADDR=127.0.0.1", "220").await;
    client.say("EHLO client").await;
    client.expect(ANNAS_PASSWORD, "454 4.7.0").await;
    // Mail that comes in: its sender may be one of ours, its recipient too.
    client.expect("MAIL FROM:<x@example.org>", "451 4.3.0").await;
    shaky.0.store(false, Ordering::SeqCst);
    client.expect("MAIL FROM:<x@example.org>", "250 2.1.0").await;
    client.expect("RCPT TO:<nobody@example.net>", "550 5.1.1").await;
    shaky.0.store(true, Ordering::SeqCst);
    client.expect("RCPT TO:<nobody@example.net>", "451 4.3.0").await;
    client.expect("RCPT TO:<postmaster>", "451 4.3.0").await;
    client.expect("RSET", "250").await;
    client.expect("XCLIENT LOGIN=anna@example.net", "454 4.7.0").await;
    assert!(client.is_closed().await);
}

/// `help`, with the password `staff`, opens accounts from loopback.
fn with_masters(directory: &Path) -> AuthConfig {
    let passwd_file = directory.join("masters");
    std::fs::write(&passwd_file, "help:{PLAIN}staff\n").unwrap();
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let master = MasterConfig { passwd_file, networks, ..MasterConfig::default() };
    AuthConfig { master, ..AuthConfig::default() }
}

#[tokio::test]
async fn a_master_user_sends_for_a_customer_only_where_he_is_let() {
    let directory = tempfile::tempdir().unwrap();
    let master = plain("anna@example.net*help", "staff");
    for (listener, allowed) in
        [(LEGACY.to_owned(), false), (format!("{LEGACY}masters_may_send = true\n"), true)]
    {
        let config = with_masters(directory.path());
        let authenticator = Some(kit::authenticator(config, kit::the_usual()));
        let daemon = start_plan(Plan { authenticator, ..Plan::new(listener) }).await;
        let mut client = daemon.legacy().await;
        assert_eq!(client.say(&plain("anna@example.net*help", "secret")).await, WRONG);
        assert_eq!(client.say(&plain("anna@example.net*nobody", "staff")).await, WRONG);
        if !allowed {
            client.expect(&master, "535 5.7.8 A master user may not send here").await;
            client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
            // The customer herself is not in the way.
            client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
            continue;
        }
        client.expect(&master, "235 2.7.0").await;
        client.expect("MAIL FROM:<ben@example.net>", "550 5.7.1").await;
        let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
        let queued = daemon.queued().await;
        let Origin::Submitted { account, .. } = &queued[0].origin else { panic!() };
        assert_eq!(account.as_str(), "anna@example.net");
    }
}

#[tokio::test]
async fn guessing_through_exchanges_ends_the_session() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.legacy().await;
    for attempt in 1..=5 {
        client.expect("AUTH LOGIN", "334 ").await;
        client.expect("YW5uYUBleGFtcGxlLm5ldA==", "334 ").await;
        assert_eq!(client.say("d3Jvbmc=").await, WRONG, "{attempt}");
    }
    assert!(client.reply().await.starts_with("421 4.7.0"));
    assert!(client.is_closed().await);
    let mut client = daemon.legacy().await;
    client.expect(WRONG_PASSWORD, "535 5.7.8").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
}

/// They hold nothing that others wait for, and the timeout ends them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_within_an_exchange_is_cut_off_and_in_nobodys_way() {
    const CROWD: usize = 200;
    let limits = format!("sessions_per_ip_max = {}\ncommand_timeout = \"2s\"", CROWD + 10);
    let daemon = start(&format!("{limits}\n{LEGACY}")).await;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut client = daemon.legacy().await;
        let line = match number % 3 {
            0 => "AUTH PLAIN",
            1 => "AUTH LOGIN",
            _ => "AUTH LOGIN YW5uYUBleGFtcGxlLm5ldA==",
        };
        client.expect(line, "334 ").await;
        crowd.push(client);
    }
    let mut good = daemon.anna().await;
    let reply = good.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    for client in &mut crowd {
        // A response that never ends does not stretch the time for it.
        client.try_send(b"YW5u").await;
    }
    for mut client in crowd {
        assert_eq!(client.reply().await, "421 4.4.2 Timeout, closing the connection");
        assert!(client.is_closed().await);
    }
    assert_eq!(daemon.observer.statistics().logins_denied, 0);
}
