//! Who somebody is and what he may send: accounts, verification, throttle, logins and permits.

mod account;
mod authority;
mod clock;
mod hash;
mod login;

pub use account::Account;
pub use authority::{
    Allowance, Attempt, Chain, Permit, Refusal, Ruling, RulingObserver, Settlement, SmtpAuth,
    SubmissionAuthority, authorize,
};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use hash::StoredHash;
pub use login::{Answer, Channel, Login, LoginObserver, Service};
