//! How long a client waits for its answer; time is paused, so waiting costs nothing.

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::{Clock, ManualClock};

/// An authenticator with the default delays, and a clock that goes with tokio's.
struct Stage {
    auth: Authenticator,
    clock: ManualClock,
    beginning: Moment,
    start: Instant,
}

impl Stage {
    /// Hashes are `{PLAIN}`: threads of their own would not know of paused time.
    fn new() -> Self {
        let accounts = vec![
            account("ann@example.net", plain("right"), false),
            account("off@example.net", plain("right"), true),
        ];
        let auth = Authenticator::new(&AuthConfig::default(), directory(accounts)).unwrap();
        let clock = ManualClock::new(jiff::Timestamp::UNIX_EPOCH);
        let beginning = clock.now();
        Self { auth, clock, beginning, start: Instant::now() }
    }

    fn now(&self) -> Moment {
        let due = self.beginning.mono + self.start.elapsed();
        self.clock.advance(due.saturating_sub(self.clock.now().mono));
        self.clock.now()
    }

    /// The answer, and for how many seconds the client waited.
    async fn tried(&self, login: &str, password: &str, client: &str) -> (Result<(), Denied>, f64) {
        let start = Instant::now();
        let secret = Secret::from(password);
        let answer = self.auth.verify(login, &secret, &origin(client), self.now()).await;
        let waited = start.elapsed().as_secs_f64();
        (answer.map(|_| ()), (waited * 10.0).round() / 10.0)
    }

    /// Sends a password and hangs up after a millisecond.
    async fn hung_up(&self, login: &str, password: &str, client: &str) {
        let from = origin(client);
        let secret = Secret::from(password);
        let attempt = self.auth.verify(login, &secret, &from, self.now());
        assert!(tokio::time::timeout(Duration::from_millis(1), attempt).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn one_client_guessing_waits_longer_and_longer() {
    let stage = Stage::new();
    let mut waits = Vec::new();
    for n in 0..8 {
        let guess = format!("guess{n}");
        let (answer, wait) = stage.tried("ann@example.net", &guess, "192.0.2.1").await;
        assert_eq!(answer, Err(Denied::Invalid));
        waits.push(wait);
    }
    assert_eq!(waits[..3], [0.5, 1.0, 2.0]);
    assert!(waits.is_sorted() && waits[7] == 15.0, "{waits:?}");
    // Who waited for his answer does not wait again before the next attempt.
    let answer = stage.tried("ann@example.net", "right", "192.0.2.1").await;
    assert_eq!(answer, (Ok(()), 0.0));
    assert_eq!(stage.auth.statistics().delayed, 8);
}

#[tokio::test(start_paused = true)]
async fn unknown_disabled_malformed_and_wrong_wait_the_same() {
    for (login, password) in [
        ("ann@example.net", "wrong"),
        ("off@example.net", "right"),
        ("nobody@example.net", "right"),
        ("../../etc", "right"),
        ("ann@example.net", "nul\0"),
    ] {
        let stage = Stage::new();
        let answer = stage.tried(login, password, "192.0.2.1").await;
        assert_eq!(answer, (Err(Denied::Invalid), 0.5), "{login}");
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_up_early_does_not_help() {
    let stage = Stage::new();
    stage.hung_up("ann@example.net", "guess", "192.0.2.1").await;
    let (answer, wait) = stage.tried("ann@example.net", "right", "192.0.2.1").await;
    assert_eq!((answer, wait), (Ok(()), 0.5), "the next attempt waits instead");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_connections_guess_no_faster_than_one() {
    let stage = Stage::new();
    for n in 0..6 {
        let guess = format!("guess{n}");
        let (answer, _) = stage.tried("ann@example.net", &guess, "192.0.2.1").await;
        assert_eq!(answer, Err(Denied::Invalid));
    }
    // One more, which nobody waits for: its delay runs while the thousand come.
    stage.hung_up("x@example.net", "guess", "192.0.2.1").await;
    let mut tasks = JoinSet::new();
    for n in 0..1000 {
        let (auth, at) = (stage.auth.clone(), stage.now());
        tasks.spawn(async move {
            let (login, secret) = (format!("u{n}@example.net"), Secret::from("guess"));
            auth.verify(&login, &secret, &origin("192.0.2.1"), at).await.map(|_| ())
        });
    }
    let answers = tasks.join_all().await;
    let looked_at = answers.iter().filter(|answer| **answer == Err(Denied::Invalid)).count();
    assert_eq!(looked_at, 1, "the others were put off without a look");
}

#[tokio::test(start_paused = true)]
async fn a_customer_at_home_does_not_feel_an_attack_on_his_account() {
    let stage = Stage::new();
    let right = async |client: &str| stage.tried("ann@example.net", "right", client).await;
    assert_eq!(right("192.0.2.1").await, (Ok(()), 0.0));
    let mut tasks = JoinSet::new();
    for n in 0..200 {
        let (auth, at) = (stage.auth.clone(), stage.now());
        tasks.spawn(async move {
            let secret = Secret::from(format!("guess{n}").as_str());
            let from = origin(&format!("198.51.100.{n}"));
            auth.verify("ann@example.net", &secret, &from, at).await.map(|_| ())
        });
    }
    // The first is looked at at once, the others after its delay.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(right("192.0.2.1").await, (Ok(()), 0.0));
    let (answer, wait) = right("203.0.113.1").await;
    assert_eq!(answer, Ok(()), "from elsewhere he waits, but gets in");
    assert!((15.0..=20.0).contains(&wait), "{wait}");
    assert_eq!(tasks.join_all().await, vec![Err(Denied::Invalid); 200]);
}

#[tokio::test(start_paused = true)]
async fn a_login_after_a_wait_is_dated_when_it_was_looked_at() {
    let stage = Stage::new();
    stage.hung_up("ann@example.net", "wrong", "192.0.2.1").await;
    let (asked, right) = (stage.now(), Secret::from("right"));
    let from = origin("192.0.2.1");
    let login = stage.auth.verify("ann@example.net", &right, &from, asked).await.unwrap();
    let waited = login.at.mono - asked.mono;
    assert!(waited > Duration::from_millis(400), "{waited:?}");
    assert_eq!(login.at.wall, asked.wall.checked_add(waited).unwrap());
}
