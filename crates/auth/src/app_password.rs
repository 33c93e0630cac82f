//! App passwords: further passwords of an account, each for one device, made by the machine.

use std::net::IpAddr;

use address::AccountKey;
use sasl::Secret;

use crate::{Answer, Moment, Service, Unavailable};

/// The name that the customer gave to an app password, such as `phone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPasswordName(pub Box<str>);

/// Where app passwords lie.
///
/// They are long and random, so that what is stored is a plain digest and a check costs
/// microseconds. Whoever asks does so whether or not the account exists and is enabled, so that
/// the time tells nothing, and decides that for himself; he counts, delays and logs what is wrong
/// as he does any wrong password.
pub trait AppPasswords: Send + Sync {
    /// Whether `password`, as it was typed, can be an app password at all: nothing is looked up.
    /// Whoever typed anything else is not asked about.
    fn has_shape(&self, password: &Secret) -> bool;

    /// Which app password of `account` this is, if it may be used at that service now. Its last
    /// use, from the address `client`, is recorded later.
    fn check<'a>(
        &'a self,
        account: &'a AccountKey,
        password: &'a Secret,
        service: Service,
        client: IpAddr,
        at: Moment,
    ) -> Answer<'a, Result<Option<AppPasswordName>, Unavailable>>;
}
