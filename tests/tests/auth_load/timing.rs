//! Unknown, disabled and wrong logins take the same time, measured by a client.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::thread;

use crate::shop::{Account, COSTLY, PASSWORD, Shop, cheap};
use crate::wire::{Service, Session};

/// If all is well, one comparison says otherwise once in a thousand times; then all of it is done
/// again.
const CRITICAL_AT_0_001: f64 = 1.949;
const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unknown,
    Disabled,
    Wrong,
}

const KINDS: [Kind; 3] = [Kind::Unknown, Kind::Disabled, Kind::Wrong];

fn login(kind: Kind, number: usize) -> String {
    format!("{}{number}@example.net", format!("{kind:?}").to_lowercase())
}

fn accounts(samples: usize) -> Vec<Account> {
    let account =
        |disabled, kind, number| Account { disabled, ..Account::new(login(kind, number)) };
    let wrong = (0..samples).map(|number| account(false, Kind::Wrong, number));
    wrong.chain((0..samples).map(|number| account(true, Kind::Disabled, number))).collect()
}

/// How long one answer took, in milliseconds. Each is of an account and an address of its own.
fn sample(service: Service, shop: &Shop, kind: Kind, number: usize) -> f64 {
    let place = (number * KINDS.len() + kind as usize) as u32;
    let client = Ipv4Addr::from(0x0a00_0001 + (place << 8));
    let mut session = Session::greeted(service, shop.address(service), client);
    let login = login(kind, number);
    session.name(&login);
    let password = if kind == Kind::Disabled { PASSWORD } else { "a guess" };
    let (reply, took) = session.prove(&login, password);
    assert!(service.says_wrong(&reply), "{kind:?}: {reply}");
    took.as_secs_f64() * 1e3
}

/// Of all kinds, in turn and side by side, so that whatever disturbs one disturbs all.
fn samples(service: Service, shop: &Shop, count: usize, lanes: usize) -> [Vec<f64>; 3] {
    let taken = Mutex::new([const { Vec::new() }; 3]);
    thread::scope(|scope| {
        for lane in 0..lanes {
            let taken = &taken;
            scope.spawn(move || {
                for number in (lane..count).step_by(lanes) {
                    for turn in 0..KINDS.len() {
                        let place = (turn + number / lanes + lane) % KINDS.len();
                        let took = sample(service, shop, KINDS[place], number);
                        taken.lock().unwrap()[place].push(took);
                    }
                }
            });
        }
    });
    taken.into_inner().unwrap()
}

/// The largest difference of the two distributions (Kolmogorov and Smirnov).
fn apart(one: &mut [f64], two: &mut [f64]) -> f64 {
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

fn critical(samples: usize) -> f64 {
    CRITICAL_AT_0_001 * (2.0 / samples as f64).sqrt()
}

/// What is compared: how often, and in how many lanes.
struct Plan {
    service: Service,
    delay: &'static str,
    hash: String,
    samples: usize,
    lanes: usize,
}

fn alike(plan: &Plan) -> bool {
    let auth = format!("failure_delay = \"{}\"\n[auth.attack]\nblock = \"0s\"\n", plan.delay);
    let shop = Shop::open(&auth, &accounts(plan.samples), &plan.hash);
    let samples = samples(plan.service, &shop, plan.samples, plan.lanes);
    let figures = shop.figures();
    let each = plan.samples as u64;
    assert_eq!(["unknown", "disabled", "wrong"].map(|kind| figures.of(kind)), [each; 3]);
    assert_eq!(figures.of("hashes"), 3 * each, "each costs one hash");
    let [mut unknown, mut disabled, mut wrong] = samples;
    let found = [apart(&mut unknown, &mut wrong), apart(&mut disabled, &mut wrong)];
    let median = |of: &[f64]| of[of.len() / 2];
    println!(
        "{:?}, delay {}, {each} of each: medians unknown {:.3} ms, disabled {:.3} ms, wrong {:.3} \
         ms; apart {:.3} and {:.3}, critical at 0.001 are {:.3}",
        plan.service,
        plan.delay,
        median(&unknown),
        median(&disabled),
        median(&wrong),
        found[0],
        found[1],
        critical(plan.samples)
    );
    found.iter().all(|apart| *apart <= critical(plan.samples))
}

fn must_be_alike(plan: &Plan) {
    assert!((0..ROUNDS).any(|_| alike(plan)), "they differ in {ROUNDS} rounds of {ROUNDS}");
}

/// Two samples of one distribution pass, and a shift by a tenth of their spread does not.
#[test]
fn the_comparison_tells_what_it_should() {
    let mut state = 11_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut one: Vec<f64> = (0..2000).map(|_| next()).collect();
    let mut same: Vec<f64> = (0..2000).map(|_| next()).collect();
    let mut shifted: Vec<f64> = (0..2000).map(|_| next() + 0.1).collect();
    assert!(apart(&mut one, &mut same) <= critical(2000));
    assert!(apart(&mut one, &mut shifted) > critical(2000));
}

#[test]
#[ignore = "heavy: measures time"]
fn a_client_cannot_tell_them_apart_at_a_small_delay() {
    for service in [Service::Pop3, Service::Submission] {
        must_be_alike(&Plan { service, delay: "20ms", hash: cheap(), samples: 2000, lanes: 40 });
    }
}

/// Nothing but the work: no delay hides it.
#[test]
#[ignore = "heavy: measures time"]
fn a_client_cannot_tell_them_apart_by_their_argon2() {
    let hash = COSTLY.to_owned();
    must_be_alike(&Plan { service: Service::Pop3, delay: "0s", hash, samples: 120, lanes: 1 });
}
