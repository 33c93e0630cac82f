//! What a client sees of an exchange, and what is counted.

mod certificates;
mod client;
mod digests;
mod passwords;
mod scram;
mod secrecy;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sasl::{Mechanism, Secret};

use crate::testing::{TableFile, account, cheap, directory, moment, origin, plain};
use crate::{
    Argon2Params, AuthConfig, Authenticator, Denied, HashRecipe, Login, MasterConfig, SaslConfig,
    Scheme, StoredHash, TlsFacts, Turn,
};

/// Two threads, no delay, every mechanism.
fn config() -> AuthConfig {
    let sasl = SaslConfig {
        mechanisms: Mechanism::EVERY.map(|mechanism| mechanism.name().to_owned()).to_vec(),
        scram_iterations: 4096,
        ..SaslConfig::default()
    };
    AuthConfig { verify_threads: 2, failure_delay: Duration::ZERO, sasl, ..AuthConfig::default() }
}

/// The keys of `right`.
fn keys(scheme: Scheme) -> StoredHash {
    let recipe = HashRecipe::new(scheme, Argon2Params::default()).unwrap();
    recipe.with_rounds(4096).unwrap().make(b"right").unwrap()
}

/// Accounts whose password is `right`: `plain`, `one` and `two` (keys of SCRAM-SHA-1 and -256),
/// `hashed`, and `off`, `shut` (plain and keys, disabled).
fn everybody() -> Authenticator {
    let (one, two) = (keys(Scheme::ScramSha1), keys(Scheme::ScramSha256));
    let accounts = vec![
        account("plain@example.net", plain("right"), false),
        account("one@example.net", one, false),
        account("two@example.net", two, false),
        account("hashed@example.net", cheap("right"), false),
        account("off@example.net", plain("right"), true),
        account("shut@example.net", keys(Scheme::ScramSha256), true),
    ];
    Authenticator::new(&config(), directory(accounts)).unwrap()
}

/// The same, and the master user `help` (password `staff` as it is), from 192.0.2.0/24.
fn with_masters() -> (Authenticator, Arc<TableFile>) {
    let masters = TableFile::new("help:{PLAIN}staff\n");
    let master = MasterConfig {
        passwd_file: masters.config.passwd_file.clone(),
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        ..MasterConfig::default()
    };
    let accounts = vec![
        account("plain@example.net", plain("right"), false),
        account("off@example.net", plain("right"), true),
    ];
    let config = AuthConfig { master, ..config() };
    (Authenticator::new(&config, directory(accounts)).unwrap(), masters)
}

/// A session under TLS.
fn tls() -> TlsFacts {
    TlsFacts { exporter: Some([7; 32]), end_point: Some([8; 32].into()), certificate: None }
}

/// Says `messages`, from 192.0.2.1; how it ends, and the challenges in between.
async fn talk<M: AsRef<[u8]>>(
    auth: &Authenticator,
    mechanism: Mechanism,
    facts: TlsFacts,
    messages: &[M],
) -> (Turn, Vec<String>) {
    let mut talk = auth.converse(mechanism, origin("192.0.2.1"), facts);
    let (mut asked, at) = (Vec::new(), moment(0.0));
    for message in messages {
        match talk.take(Some(Secret::from(message.as_ref())), at).await {
            Turn::Challenge(challenge) => {
                asked.push(String::from_utf8(challenge.expose().to_vec()).unwrap());
            }
            end => return (end, asked),
        }
    }
    panic!("{mechanism} has not ended: {asked:?}");
}

/// Whose account was opened.
fn opened(turn: Turn) -> Result<String, Denied> {
    match turn {
        Turn::Accepted(login) => Ok(login.account.key().to_string()),
        Turn::Denied(denied) => Err(denied),
        other => panic!("neither accepted nor denied: {other:?}"),
    }
}

fn login(turn: Turn) -> Login {
    match turn {
        Turn::Accepted(login) => *login,
        other => panic!("not accepted: {other:?}"),
    }
}

/// Attempts, failures.
fn counted(auth: &Authenticator) -> (u64, u64) {
    let counted = auth.statistics();
    (counted.attempts, counted.unknown + counted.disabled + counted.wrong)
}

#[tokio::test]
async fn an_exchange_that_is_over_takes_nothing_more() {
    let auth = everybody();
    let mut talk = auth.converse(Mechanism::Plain, origin("192.0.2.1"), TlsFacts::default());
    let message = || Some(Secret::from("\0plain@example.net\0right"));
    assert!(matches!(talk.take(message(), moment(0.0)).await, Turn::Accepted(_)));
    assert!(matches!(talk.take(message(), moment(0.0)).await, Turn::Malformed));
    assert!(matches!(talk.take(None, moment(0.0)).await, Turn::Malformed));
    let mut talk = auth.converse(Mechanism::Plain, origin("192.0.2.1"), TlsFacts::default());
    assert!(matches!(talk.take(None, moment(0.0)).await, Turn::Challenge(_)));
    assert!(matches!(talk.take(None, moment(0.0)).await, Turn::Malformed), "nothing was said");
}

#[test]
fn what_is_offered_depends_on_who_could_read_it() {
    let offered = |tls, certificate| {
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        everybody().offer(client, tls, certificate).iter().collect::<Vec<_>>()
    };
    use Mechanism::{CramMd5, External, Login, Plain, ScramSha1, ScramSha256, ScramSha256Plus};
    assert_eq!(offered(false, false), [ScramSha256, ScramSha1, CramMd5]);
    let under_tls = [ScramSha256Plus, ScramSha256, ScramSha1, Plain, Login, CramMd5];
    assert_eq!(offered(true, false), under_tls);
    assert!(offered(true, true).contains(&External));
    let auth = everybody().with_tokens(Arc::new(tokens::Provider));
    let client = "192.0.2.1".parse().unwrap();
    let offer = auth.offer(client, true, false);
    assert!(offer.contains(Mechanism::OAuthBearer) && offer.contains(Mechanism::XOAuth2));
    assert!(!auth.offer(client, false, false).contains(Mechanism::XOAuth2));
    let auth = Authenticator::new(&AuthConfig::default(), directory(Vec::new())).unwrap();
    assert!(auth.offer(client, true, false).iter().eq([Plain, Login]));
    assert!(auth.offer(client, true, true).iter().eq([External, Plain, Login]));
    assert!(auth.offer(client, false, false).is_empty());
}
