//! Stable shares: which accounts a percentage selects, which hours a share refuses.
//!
//! Both are functions of the account's name alone (and of the hour), so that they are the
//! same on every host and after every restart, and so that a share that grows keeps those
//! whom it has taken.

use address::AccountKey;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Seconds of an hour.
pub(crate) const HOUR: i64 = 3600;

/// 2⁶⁴ divided by the golden ratio. Multiples of it, taken modulo 2⁶⁴, spread more evenly than
/// random numbers do, so that every account gets its share of hours within one week.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Percent(f64);

impl Percent {
    /// A share above 0 and up to 100; otherwise `None`.
    pub(crate) fn new(percent: f64) -> Option<Self> {
        (percent > 0.0 && percent <= 100.0).then_some(Self(percent))
    }

    pub(crate) fn get(self) -> f64 {
        self.0
    }

    /// The share on the way from `self` to `end`: `part` of `whole` of it is done.
    pub(crate) fn towards(self, end: Self, part: i64, whole: i64) -> Self {
        if whole <= 0 {
            return end;
        }
        let done = (part as f64 / whole as f64).clamp(0.0, 1.0);
        Self(self.0 + (end.0 - self.0) * done)
    }

    /// Whether a number that is uniform over all 64-bit numbers falls into the share.
    fn holds(self, number: u64) -> bool {
        f64_of(number) * 100.0 < self.0
    }
}

/// The number as a fraction of 2⁶⁴, below 1.
fn f64_of(number: u64) -> f64 {
    // 53 bits are exact; more would round up to 1.
    (number >> 11) as f64 / (1u64 << 53) as f64
}

/// A number that is uniform over accounts; `salt` makes two uses of it independent.
fn number_of(salt: &str, account: &AccountKey) -> u64 {
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update([0])
        .chain_update(account.as_str())
        .finalize();
    digest.iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet))
}

/// Whether the cohort called `cohort`, which takes `percent`, takes the account.
pub(crate) fn selects(cohort: &str, percent: Percent, account: &AccountKey) -> bool {
    percent.holds(number_of(cohort, account))
}

/// The hour in which `at` lies, counted from 1970.
pub(crate) fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

/// Whether `hour` is one of those that a share refuses to the account.
pub(crate) fn refuses(account: &AccountKey, hour: i64, share: Percent) -> bool {
    let offset = number_of("brownout", account);
    share.holds(offset.wrapping_add(hour.cast_unsigned().wrapping_mul(GOLDEN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u32) -> AccountKey {
        AccountKey::parse(&format!("user{n}@north.example"), None).unwrap()
    }

    #[test]
    fn a_growing_percentage_keeps_those_it_took() {
        let taken = |percent: f64| {
            let percent = Percent::new(percent).unwrap();
            (0..10_000).map(|n| selects("pilot", percent, &account(n))).collect::<Vec<_>>()
        };
        let (five, twenty) = (taken(5.0), taken(20.0));
        assert!(five.iter().zip(&twenty).all(|(small, large)| !small || *large));
        let count = twenty.iter().filter(|taken| **taken).count();
        assert!((1_850..2_150).contains(&count), "{count}");
        assert!(taken(100.0).into_iter().all(|taken| taken));
    }

    #[test]
    fn the_selection_is_fixed_for_ever() {
        let ten = Percent::new(10.0).unwrap();
        let chosen: Vec<_> = (0..40).filter(|n| selects("pilot", ten, &account(*n))).collect();
        assert_eq!(chosen, CHOSEN, "a change here moves customers between cohorts");
    }

    /// The first eight octets of SHA-256("pilot" NUL name) as a fraction, below a tenth;
    /// computed by another program.
    const CHOSEN: &[u32] = &[2, 7, 10, 20, 26, 31, 35, 37];

    #[test]
    fn every_account_gets_its_share_within_a_week() {
        for percent in [1.0, 5.0, 10.0, 20.0, 50.0, 90.0] {
            let share = Percent::new(percent).unwrap();
            for n in 0..200 {
                let week = 500_000 + i64::from(n) * 31;
                let hours =
                    (week..week + 168).filter(|hour| refuses(&account(n), *hour, share)).count();
                let got = hours as f64 / 168.0 * 100.0;
                assert!((got - percent).abs() <= 2.0, "account {n}: {got} % of {percent} %");
            }
        }
    }

    #[test]
    fn a_rising_share_rises() {
        let (start, end) = (Percent::new(10.0).unwrap(), Percent::new(50.0).unwrap());
        assert_eq!(start.towards(end, 0, 100).get(), 10.0);
        assert_eq!(start.towards(end, 50, 100).get(), 30.0);
        assert_eq!(start.towards(end, 200, 100).get(), 50.0);
        assert_eq!(start.towards(end, 1, 0).get(), 50.0);
    }

    #[test]
    fn bounds_of_a_percentage() {
        assert_eq!(Percent::new(0.0), None);
        assert_eq!(Percent::new(-1.0), None);
        assert_eq!(Percent::new(100.1), None);
        assert_eq!(Percent::new(f64::NAN), None);
        assert!(Percent::new(0.5).is_some());
    }
}
