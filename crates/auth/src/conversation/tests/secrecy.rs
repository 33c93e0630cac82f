//! SCRAM tells nobody who has an account, and how its password is stored.

use sasl::Mechanism;

use super::client::Client;
use super::*;
use crate::{AccountSource, Directory, PasswdSource, ShareKey};

const TWO: Mechanism = Mechanism::ScramSha256;

/// Salt and rounds that a name is answered with.
async fn salted(auth: &Authenticator, mechanism: Mechanism, name: &str) -> String {
    let client = Client::new(mechanism, name, "guess");
    let (_, sent) = client.log_in(auth).await;
    sent.unwrap().split_once(',').unwrap().1.to_owned()
}

#[tokio::test]
async fn each_name_has_one_salt_which_looks_like_any_other() {
    let auth = everybody();
    let mut seen = Vec::new();
    for mechanism in [Mechanism::ScramSha1, TWO] {
        for name in ["plain", "one", "two", "hashed", "off", "shut", "nobody", "noone", "\u{e9}/x"]
        {
            let name = match name.contains('/') {
                true => name.to_owned(),
                false => format!("{name}@example.net"),
            };
            let salt = salted(&auth, mechanism, &name).await;
            assert_eq!(salt, salted(&auth, mechanism, &name).await, "{name}");
            let (salt, rounds) = salt.split_once(',').unwrap();
            assert_eq!((salt.len(), rounds), ("s=".len() + 24, "i=4096"), "{name}");
            seen.push(salt.to_owned());
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 18, "no two have the same");
}

#[tokio::test]
async fn a_name_has_its_salt_however_it_is_spelled() {
    let auth = everybody();
    let salt = salted(&auth, TWO, "nobody@example.net").await;
    assert_eq!(salt, salted(&auth, TWO, "NoBody@Example.net").await);
    assert_eq!(salt, salted(&auth, TWO, " nobody@example.net").await);
}

#[tokio::test]
async fn a_salt_outlives_the_process_if_the_key_does() {
    let key = |octet| ShareKey::new(&[octet; 32]).unwrap();
    let mut salts = Vec::new();
    for octet in [1, 1, 2] {
        let auth = everybody().with_salt_key(key(octet));
        salts.push(salted(&auth, TWO, "nobody@example.net").await);
    }
    assert!(salts[0] == salts[1] && salts[1] != salts[2]);
    let (one, other) = (everybody(), everybody());
    let name = "nobody@example.net";
    assert_ne!(salted(&one, TWO, name).await, salted(&other, TWO, name).await);
}

#[tokio::test(start_paused = true)]
async fn which_of_several_sources_knows_a_name_takes_no_other_time_than_that_none_does() {
    let source = |login: &str| {
        let accounts = vec![account(login, keys(Scheme::ScramSha256), false)];
        Arc::new(PasswdSource::of(accounts).unwrap()) as Arc<dyn AccountSource>
    };
    for (sources, beat) in [(1, 0), (2, 20)] {
        let chain = ["ann@example.net", "bob@example.net"].into_iter().take(sources);
        let directory = Directory::chain(chain.map(source).collect(), None).unwrap();
        let auth = Authenticator::new(&config(), directory).unwrap();
        for name in ["ann@example.net", "bob@example.net", "nobody@example.net"] {
            let begun = tokio::time::Instant::now();
            let mut talk = auth.converse(TWO, origin("192.0.2.1"), TlsFacts::default());
            let first = Secret::from(&*format!("n,,n={name},r=abc"));
            let turn = talk.take(Some(first), moment(0.0)).await;
            assert!(matches!(turn, Turn::Challenge(_)));
            assert_eq!(begun.elapsed(), Duration::from_millis(beat), "{sources} {name}");
        }
    }
}

/// Hashes that a wrong proof costs.
async fn cost(auth: &Authenticator, name: &str) -> u64 {
    let before = auth.statistics().hashes;
    let client = Client::new(TWO, name, "guess");
    assert_eq!(opened(client.log_in(auth).await.0), Err(Denied::Invalid));
    auth.statistics().hashes - before
}

#[tokio::test]
async fn a_wrong_proof_costs_at_an_unknown_name_what_it_costs_at_accounts() {
    let of = |hash: StoredHash| {
        let accounts = vec![account("ann@example.net", hash, false)];
        Authenticator::new(&config(), directory(accounts)).unwrap()
    };
    for (auth, hashes) in
        [(of(plain("right")), 1), (of(keys(Scheme::ScramSha256)), 0), (of(cheap("right")), 0)]
    {
        for name in ["ann@example.net", "nobody@example.net", "noone@example.net"] {
            assert_eq!(cost(&auth, name).await, hashes, "{name}");
        }
    }
}
