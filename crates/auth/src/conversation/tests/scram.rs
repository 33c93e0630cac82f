//! SCRAM over accounts: whose password is stored how, masters, and what is counted.

use sasl::{Mechanism, Secret};

use super::client::{Client, guess, in_clear};
use super::*;
use crate::{AttackConfig, Directory, PasswdSource};

const ONE: Mechanism = Mechanism::ScramSha1;
const TWO: Mechanism = Mechanism::ScramSha256;
const PLUS: Mechanism = Mechanism::ScramSha256Plus;

async fn tried(auth: &Authenticator, client: Client<'_>) -> Result<String, Denied> {
    opened(client.log_in(auth).await.0)
}

#[tokio::test]
async fn who_has_keys_or_a_plain_password_logs_in_and_nobody_else() {
    let auth = everybody();
    for (mechanism, name, right) in [
        (ONE, "plain", true),
        (TWO, "plain", true),
        (PLUS, "plain", true),
        (ONE, "one", true),
        (TWO, "one", false),
        (ONE, "two", false),
        (TWO, "two", true),
        (PLUS, "two", true),
        (ONE, "hashed", false),
        (TWO, "hashed", false),
        (TWO, "off", false),
        (TWO, "shut", false),
        (TWO, "nobody", false),
    ] {
        let name = format!("{name}@example.net");
        let before = counted(&auth);
        let answer = tried(&auth, Client::new(mechanism, &name, "right")).await;
        let expected = if right { Ok(name.clone()) } else { Err(Denied::Invalid) };
        assert_eq!(answer, expected, "{mechanism} {name}");
        let answer = tried(&auth, Client::new(mechanism, &name, "wrong")).await;
        assert_eq!(answer, Err(Denied::Invalid), "{mechanism} {name}");
        let after = counted(&auth);
        let failures = if right { 1 } else { 2 };
        assert_eq!((after.0 - before.0, after.1 - before.1), (2, failures), "{mechanism} {name}");
    }
    assert_eq!(auth.statistics().remembered, 0);
}

#[tokio::test]
async fn names_are_one_however_they_are_spelled_and_hostile_ones_are_nobodys() {
    let auth = everybody();
    for name in ["PLAIN@Example.NET", "pla\u{ad}in@example.net", " plain@example.net"] {
        let answer = tried(&auth, Client::new(TWO, name, "right")).await;
        assert_eq!(answer.as_deref(), Ok("plain@example.net"), "{name}");
    }
    for name in ["../plain", "=2C", "=3D=3D", "a b", "@", "plain@example.net=2C", "x*y"] {
        let answer = tried(&auth, Client::new(TWO, name, "right")).await;
        assert_eq!(answer, Err(Denied::Invalid), "{name}");
    }
    let long = "x".repeat(5000);
    assert_eq!(tried(&auth, Client::new(TWO, &long, "right")).await, Err(Denied::Invalid));
}

#[tokio::test]
async fn a_client_may_act_as_itself_alone() {
    let auth = everybody();
    let client = Client::new(TWO, "plain@example.net", "right");
    for (authzid, right) in [
        ("plain@example.net", true),
        ("PLAIN@example.net", true),
        ("two@example.net", false),
        ("plain", false),
    ] {
        let answer = tried(&auth, Client { authzid, ..client.clone() }).await;
        assert_eq!(answer.is_ok(), right, "{authzid}");
    }
    assert_eq!(counted(&auth), (4, 2));
}

#[tokio::test]
async fn a_master_user_proves_his_own_password_and_opens_another_account() {
    let (auth, _file) = with_masters();
    let help = Client::new(TWO, "help", "staff");
    let acting = Client { authzid: "plain@example.net", ..help.clone() };
    let login = login(acting.log_in(&auth).await.0);
    assert_eq!(login.account.key().as_str(), "plain@example.net");
    assert_eq!(login.acting.unwrap().as_str(), "help");
    let joined = Client::new(TWO, "plain@example.net*help", "staff");
    assert_eq!(tried(&auth, joined.clone()).await.as_deref(), Ok("plain@example.net"));
    for client in [
        Client { password: "right", ..acting.clone() },
        Client { from: "198.51.100.1", ..acting.clone() },
        Client { authzid: "off@example.net", ..help.clone() },
        Client { authzid: "nobody@example.net", ..help.clone() },
        Client { authzid: "plain@example.net*help", ..help.clone() },
        Client { password: "right", ..joined },
        help,
    ] {
        let (name, authzid) = (client.name, client.authzid);
        assert_eq!(tried(&auth, client).await, Err(Denied::Invalid), "{name} as {authzid}");
    }
}

#[tokio::test]
async fn a_broken_exchange_is_a_failure_of_whom_it_named() {
    let auth = everybody();
    let first = "n,,n=plain@example.net,r=abc";
    for (messages, attempts) in [
        (&[first, "garbage"][..], 1),
        (&[first, ""], 1),
        (&[first, "c=biws,r=abc,p=AAAA"], 1),
        (&["p=tls-unique,,n=plain@example.net,r=abc"], 1),
        (&["y,,n=plain@example.net,r=abc"], 1),
    ] {
        let before = counted(&auth);
        let (end, _) = talk(&auth, TWO, tls(), messages).await;
        assert_eq!(opened(end), Err(Denied::Invalid), "{messages:?}");
        let after = counted(&auth);
        assert_eq!((after.0 - before.0, after.1 - before.1), (attempts, attempts));
    }
    // What the client has to mend is told to it; it counts all the same if it names somebody.
    for (message, attempts) in
        [("n,,m=x,n=plain@example.net,r=abc", 0), ("n,,n=plain@example.net", 1)]
    {
        let before = counted(&auth);
        assert!(matches!(talk(&auth, TWO, tls(), &[message]).await.0, Turn::Malformed));
        assert_eq!(counted(&auth).0 - before.0, attempts, "{message}");
    }
}

/// Whether a network is blocked whose client leaves eight times after its first message, or, if
/// `proven`, after its last.
async fn is_blocked_after_leaving(proven: bool) -> bool {
    let attack = AttackConfig { failures_max: 5, ..AttackConfig::default() };
    let accounts = vec![account("ann@example.net", plain("right"), false)];
    let auth = Authenticator::new(&AuthConfig { attack, ..config() }, directory(accounts)).unwrap();
    let client = Client::new(TWO, "ann@example.net", "right");
    let bare = "n=ann@example.net,r=abc";
    for second in 0..8_u8 {
        let at = moment(f64::from(second) * 20.0);
        let mut talk = auth.converse(TWO, origin("192.0.2.1"), in_clear());
        let first = Secret::from(&*format!("n,,{bare}"));
        let Turn::Challenge(sent) = talk.take(Some(first), at).await else { continue };
        if proven {
            let (last, _) = client.last(bare, std::str::from_utf8(sent.expose()).unwrap());
            assert!(matches!(talk.take(Some(Secret::from(&*last)), at).await, Turn::Challenge(_)));
        }
    }
    !auth.blocks(moment(160.0)).is_empty()
}

#[tokio::test]
async fn whoever_has_accounts_looked_up_and_leaves_is_counted() {
    assert!(is_blocked_after_leaving(false).await);
    assert!(!is_blocked_after_leaving(true).await);
}

#[tokio::test]
async fn y_is_refused_only_where_channel_binding_is_offered() {
    let first = "y,,n=nobody@example.net,r=abc";
    let mut config = config();
    let mut begins = async |facts| {
        let auth = Authenticator::new(&config, directory(Vec::new())).unwrap();
        config.sasl.mechanisms = vec!["SCRAM-SHA-256".to_owned()];
        let mut talk = auth.converse(TWO, origin("192.0.2.1"), facts);
        matches!(talk.take(Some(Secret::from(first)), moment(0.0)).await, Turn::Challenge(_))
    };
    assert!(!begins(tls()).await);
    assert!(begins(tls()).await, "it is not offered any more");
    assert!(begins(in_clear()).await);
}

#[tokio::test]
async fn a_password_outside_ascii_is_prepared_as_clients_do() {
    let accounts = vec![account("ann@example.net", plain("\u{2168}\u{a0}x"), false)];
    let auth = Authenticator::new(&config(), directory(accounts)).unwrap();
    let answer = tried(&auth, Client::new(TWO, "ann@example.net", "IX x")).await;
    assert_eq!(answer.as_deref(), Ok("ann@example.net"));
}

#[tokio::test]
async fn a_record_that_changes_during_the_exchange_opens_nothing() {
    let file = TableFile::new("ann:{PLAIN}right::::/m:\n");
    let source = Arc::new(PasswdSource::load("passwd-file", &file.config).unwrap());
    let chain = Directory::chain(vec![Arc::clone(&source) as _], None).unwrap();
    let auth = Authenticator::new(&config(), chain).unwrap();
    let client = Client::new(TWO, "ann@example.net", "right");
    let mut talk = auth.converse(TWO, origin("192.0.2.1"), tls());
    let (bare, at) = ("n=ann@example.net,r=abc", moment(0.0));
    let first = Secret::from(&*format!("n,,{bare}"));
    let Turn::Challenge(sent) = talk.take(Some(first), at).await else { panic!() };
    let (last, _) = client.last(bare, std::str::from_utf8(sent.expose()).unwrap());
    let proven = talk.take(Some(Secret::from(&*last)), at).await;
    assert!(matches!(proven, Turn::Challenge(_)));
    file.replace("ann:{PLAIN}changed::::/m:\n");
    auth.directory().reload().await.unwrap();
    let end = talk.take(Some(Secret::default()), at).await;
    assert_eq!(opened(end), Err(Denied::Invalid));
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_told_to_whoever_proved_it() {
    let accounts = vec![account("ann@example.net", plain("right"), false).with_must_change(true)];
    let auth = Authenticator::new(&config(), directory(accounts)).unwrap();
    let answer = tried(&auth, Client::new(TWO, "ann@example.net", "right")).await;
    assert_eq!(answer, Err(Denied::MustChange { url: None }));
    let answer = tried(&auth, Client::new(TWO, "ann@example.net", "wrong")).await;
    assert_eq!(answer, Err(Denied::Invalid));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_proof_is_held_back_as_a_wrong_password_is() {
    let delay = Duration::from_millis(500);
    let slow = AuthConfig { failure_delay: delay, ..config() };
    for name in ["two", "hashed", "off", "nobody"] {
        // None whose proof costs a hash: time that is made up does not wait for threads.
        let accounts = vec![
            account("two@example.net", keys(Scheme::ScramSha256), false),
            account("hashed@example.net", cheap("right"), false),
            account("off@example.net", keys(Scheme::ScramSha256), true),
        ];
        let auth = Authenticator::new(&slow, directory(accounts)).unwrap();
        let mut talk = auth.converse(TWO, origin("192.0.2.1"), in_clear());
        let first = Secret::from(&*format!("n,,n={name}@example.net,r=abc"));
        let begun = tokio::time::Instant::now();
        let Turn::Challenge(sent) = talk.take(Some(first), moment(0.0)).await else { panic!() };
        assert_eq!(begun.elapsed(), Duration::ZERO, "{name}");
        let last = guess(std::str::from_utf8(sent.expose()).unwrap());
        let end = talk.take(Some(Secret::from(&*last)), moment(0.0)).await;
        assert_eq!((opened(end), begun.elapsed()), (Err(Denied::Invalid), delay), "{name}");
    }
}
