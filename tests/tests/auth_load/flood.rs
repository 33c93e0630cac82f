//! Ten thousand wrong logins a second from a thousand addresses, and what customers feel of them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::attack::{Attack, NAMES, PER_SECOND, Tally};
use crate::customer::{self, Fresh, KINDS, REMEMBERED, Times, Visit, login};
use crate::shop::{Account, COSTLY, Shop, cheap};
use crate::wire::{Service, is_welcome};

const IDLE: Duration = Duration::from_secs(5);
const ATTACK: Duration = Duration::from_secs(10);
/// In the first moments attackers have a first attempt each, as new customers have.
const BEGINS: Duration = Duration::from_secs(1);
/// Customers that log in, of each kind but the first.
const CUSTOMERS: usize = 200;
/// Beyond three times as long as on an idle machine: client, attackers and daemon have two cores,
/// and whoever runs is not interrupted at once.
const ALLOWANCE: Duration = Duration::from_millis(20);
const MEMORY_MAX_KIB: u64 = 192 * 1024;

fn accounts() -> Vec<Account> {
    let account = |number| Account {
        has_box: number < REMEMBERED + 2 * CUSTOMERS,
        ..Account::new(login(number))
    };
    (0..NAMES as usize / 2).map(account).collect()
}

/// A house where the known customers have been, all passwords having become costly since.
fn furnished(service: Service) -> (Shop, Fresh) {
    let accounts = accounts();
    let shop = Shop::open("", &accounts, &cheap());
    let known = REMEMBERED..REMEMBERED + CUSTOMERS;
    let enter = |number| {
        let (reply, _) = customer::log_in(service, shop.address(service), number);
        assert!(is_welcome(&reply), "{number}: {reply}");
    };
    known.clone().for_each(enter);
    shop.rehash(&accounts, COSTLY);
    (0..REMEMBERED).for_each(enter);
    let new = known.end..known.end + CUSTOMERS;
    (shop, Fresh { known, new })
}

fn show(what: &str, visits: &[Visit], from: Duration) {
    for kind in KINDS {
        let Times { count, median, p99, most } = Times::of(visits, kind, from);
        let kind = format!("{kind:?}");
        println!(
            "{what:<13} {kind:<10} {count:>4} logins: median {median:.2?}, p99 {p99:.2?}, most {most:.2?}"
        );
    }
}

fn show_tally(tally: &Tally) {
    let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "wrong logins: {} offered in {ATTACK:?}, {} answered, {} put off; {} connections cut off, \
         {} open at the end, {} at most",
        of(&tally.offered),
        of(&tally.answered),
        of(&tally.put_off),
        of(&tally.cut_off),
        of(&tally.open),
        of(&tally.open_most)
    );
}

fn customers_feel_little(service: Service) {
    xtask::bench::raise_file_limit();
    let (shop, mut fresh) = furnished(service);
    let to = shop.address(service);
    let idle = customer::visit(service, to, &mut fresh, IDLE);
    let (before, figures) = (shop.resident("VmRSS"), shop.figures());
    let processor = shop.processor_seconds();
    let attack = Attack::begin(service, to);
    let felt = customer::visit(service, to, &mut fresh, ATTACK);
    let processor = shop.processor_seconds() - processor;
    let (after, most) = (shop.resident("VmRSS"), shop.resident("VmHWM"));
    show_tally(&attack.tally);
    let offered = attack.tally.offered.load(Ordering::Relaxed);
    drop(attack);
    println!("the daemon: {}", shop.figures().since(&figures));
    println!(
        "processor time {processor:.1} s; resident {before} KiB before, {after} after, {most} at most"
    );
    show("idle", &idle, Duration::ZERO);
    show("under attack", &felt, BEGINS);
    show("all of it", &felt, Duration::ZERO);
    let refused = felt.iter().filter(|visit| !visit.is_in());
    let refused: Vec<_> = refused.map(|visit| (visit.at, &visit.reply)).collect();
    println!("customers put off: {refused:?}");

    assert!(idle.iter().all(Visit::is_in));
    assert!(refused.iter().all(|(at, _)| *at < BEGINS), "no customer is put off");
    assert!(offered >= PER_SECOND * ATTACK.as_secs() * 9 / 10, "only {offered} attempts");
    for kind in KINDS {
        let allowed = Times::of(&idle, kind, Duration::ZERO).p99 * 3 + ALLOWANCE;
        let p99 = Times::of(&felt, kind, BEGINS).p99;
        assert!(p99 <= allowed, "{kind:?}: {p99:?}, allowed are {allowed:?}");
    }
    assert!(most.saturating_sub(before) <= MEMORY_MAX_KIB, "{most} KiB");
}

#[test]
#[ignore = "heavy: measures time"]
fn a_pop3_customer_feels_little_of_ten_thousand_wrong_logins_a_second() {
    customers_feel_little(Service::Pop3);
}

#[test]
#[ignore = "heavy: measures time"]
fn a_submission_customer_feels_little_of_ten_thousand_wrong_logins_a_second() {
    customers_feel_little(Service::Submission);
}
