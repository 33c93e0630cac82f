//! Unknown, disabled and wrong take the same time: two thousand samples of each, compared by the
//! Kolmogorov-Smirnov test. Alone in its program, so that nothing else takes the time.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::AccountKey;
use auth::{
    Account, Argon2Params, AuthConfig, Authenticator, Channel, Denied, Directory, Moment, Origin,
    Service, hash_new,
};
use sasl::Secret;

/// Samples of each kind.
const SAMPLES: usize = 2000;
/// Attempts at the same time: they wait, most of all.
const LANES: usize = 40;
/// If all is well, a test says otherwise once in a thousand.
const CRITICAL_AT_0_001: f64 = 1.949;
/// And is then done again; the third time is one in a thousand million.
const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Unknown,
    Disabled,
    Wrong,
}

const KINDS: [Kind; 3] = [Kind::Unknown, Kind::Disabled, Kind::Wrong];

fn authenticator(delay: Duration) -> Authenticator {
    let cheap = hash_new(b"right", &Argon2Params::new(32, 1, 1).unwrap()).unwrap();
    let mut accounts = Vec::new();
    for (name, disabled) in [("wrong", false), ("disabled", true)] {
        accounts.extend((0..SAMPLES).map(|n| {
            let key = AccountKey::parse(&format!("{name}{n}@example.net"), None).unwrap();
            Account::new(key, Vec::new(), cheap.clone(), PathBuf::from("/m"), disabled)
        }));
    }
    let directory = Directory::from_accounts(accounts, None).unwrap();
    let mut config = AuthConfig { failure_delay: delay, ..AuthConfig::default() };
    // Each sample stands for itself: no failure makes another wait longer.
    config.attack.block = Duration::ZERO;
    Authenticator::new(&config, directory).unwrap()
}

/// How long one attempt took, in seconds. Each is of an account and an address of its own.
async fn sample(auth: &Authenticator, kind: Kind, number: usize) -> f64 {
    let login = match kind {
        Kind::Unknown => format!("unknown{number}@example.net"),
        Kind::Disabled => format!("disabled{number}@example.net"),
        Kind::Wrong => format!("wrong{number}@example.net"),
    };
    let place = u32::try_from(number * 3 + kind as usize).unwrap();
    let client = std::net::Ipv4Addr::from(0x0a00_0000 + (place << 8)).into();
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    let origin = Origin { client, channel };
    let secret = Secret::from(if kind == Kind::Disabled { "right" } else { "guess" });
    let at = Moment { wall: jiff::Timestamp::UNIX_EPOCH, mono: Duration::from_secs(86_400) };
    let begun = Instant::now();
    let answer = auth.verify(&login, &secret, &origin, at).await;
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(answer.map(drop), Err(Denied::Invalid), "{kind:?}");
    took
}

/// Samples of all kinds, in turn and side by side, so that whatever disturbs one disturbs all.
async fn samples(auth: &Authenticator, lanes: usize) -> [Vec<f64>; 3] {
    let taken = Arc::new(std::sync::Mutex::new([const { Vec::new() }; 3]));
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..lanes {
        let (auth, taken) = (auth.clone(), Arc::clone(&taken));
        tasks.spawn(async move {
            for number in (lane..SAMPLES).step_by(lanes) {
                for turn in 0..3 {
                    let place = (turn + number / lanes + lane) % 3;
                    let took = sample(&auth, KINDS[place], number).await;
                    taken.lock().unwrap()[place].push(took);
                }
            }
        });
    }
    tasks.join_all().await;
    Arc::into_inner(taken).unwrap().into_inner().unwrap()
}

/// The largest difference of the two distributions.
fn kolmogorov_smirnov(one: &mut [f64], two: &mut [f64]) -> f64 {
    one.sort_by(f64::total_cmp);
    two.sort_by(f64::total_cmp);
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while i < one.len() && j < two.len() {
        let at = one[i].min(two[j]);
        i += one[i..].iter().take_while(|value| **value <= at).count();
        j += two[j..].iter().take_while(|value| **value <= at).count();
        let apart = i as f64 / one.len() as f64 - j as f64 / two.len() as f64;
        largest = largest.max(apart.abs());
    }
    largest
}

fn critical(one: usize, two: usize) -> f64 {
    let (one, two) = (one as f64, two as f64);
    CRITICAL_AT_0_001 * ((one + two) / (one * two)).sqrt()
}

/// The two comparisons with a wrong password: how far apart, and the medians.
fn compare(samples: &mut [Vec<f64>; 3]) -> [f64; 2] {
    let [unknown, disabled, wrong] = samples;
    assert_eq!([unknown.len(), disabled.len(), wrong.len()], [SAMPLES; 3]);
    let apart = [kolmogorov_smirnov(unknown, wrong), kolmogorov_smirnov(disabled, wrong)];
    let median = |of: &[f64]| of[of.len() / 2] * 1e6;
    println!(
        "medians: unknown {:.0} µs, disabled {:.0} µs, wrong {:.0} µs; apart {:.3} and {:.3} \
         (critical {:.3})",
        median(unknown),
        median(disabled),
        median(wrong),
        apart[0],
        apart[1],
        critical(SAMPLES, SAMPLES)
    );
    apart
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn nobody_can_tell_unknown_disabled_and_wrong_apart() {
    the_test_itself_tells_what_it_should();
    let held = (0..ROUNDS).any(|_| {
        let auth = authenticator(Duration::from_millis(20));
        let mut samples = runtime().block_on(samples(&auth, LANES));
        let counted = auth.statistics();
        let each = SAMPLES as u64;
        assert_eq!((counted.unknown, counted.disabled, counted.wrong), (each, each, each));
        assert_eq!(counted.hashes, 3 * each, "each costs one hash");
        compare(&mut samples).iter().all(|apart| *apart <= critical(SAMPLES, SAMPLES))
    });
    assert!(held, "they differ in {ROUNDS} rounds of {ROUNDS}");
}

/// Two samples of one distribution pass, and a shift by a tenth of their spread does not.
fn the_test_itself_tells_what_it_should() {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut one: Vec<f64> = (0..SAMPLES).map(|_| next()).collect();
    let mut same: Vec<f64> = (0..SAMPLES).map(|_| next()).collect();
    let mut shifted: Vec<f64> = (0..SAMPLES).map(|_| next() + 0.1).collect();
    assert!(kolmogorov_smirnov(&mut one, &mut same) <= critical(SAMPLES, SAMPLES));
    assert!(kolmogorov_smirnov(&mut one, &mut shifted) > critical(SAMPLES, SAMPLES));
    assert!((kolmogorov_smirnov(&mut [1.0, 2.0], &mut [3.0, 4.0]) - 1.0).abs() < 1e-9);
    assert!(kolmogorov_smirnov(&mut [1.0, 1.0, 2.0], &mut [1.0, 1.0, 2.0]) < 1e-9);
}

/// The work itself, with no delay to hide it: what somebody could measure who logs in beside the
/// customer. Prints; an answer never comes without its delay.
#[test]
#[ignore = "heavy: a figure, not a promise"]
fn the_work_without_a_delay() {
    let auth = authenticator(Duration::ZERO);
    let mut samples = runtime().block_on(samples(&auth, 1));
    compare(&mut samples);
}
