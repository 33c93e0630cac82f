//! Who somebody is and what he may send: accounts, verification, throttle, logins and permits.
//!
//! [`Directory`] holds the accounts, [`Authenticator`] verifies passwords against it, and
//! [`authorize`] turns an attempt to send into a [`Permit`] by asking a [`Chain`] of
//! authorities. [`PasswdEditor`] is the writer's side of the table of accounts.

mod account;
mod app_password;
mod attack;
mod authenticator;
mod authority;
mod bounded;
mod cache;
mod clock;
mod config;
mod conversation;
mod decoy_sample;
mod directory;
mod domains;
mod hash;
mod last_login;
mod likeness;
mod login;
mod maildir_template;
mod master;
mod passwd_editor;
mod passwd_file;
mod passwd_source;
mod policy;
mod pool;
mod queue;
mod sasl_config;
mod seal;
mod secret_source;
mod share;
mod source;
mod statistics;
#[cfg(test)]
mod testing;
mod throttle;
mod token;
mod upgrade;

pub use account::{Account, Credential, Delegation};
pub use app_password::{AppPasswordName, AppPasswords};
pub use attack::{AttackConfig, AttackEvent, AttackEventKind, AttackedAccount, Block, BlockReason};
pub use authenticator::{AuthError, Authenticator, Denied, Origin};
pub use authority::{
    Allowance, Attempt, Chain, Permit, Refusal, Ruling, RulingObserver, Settlement, SmtpAuth,
    SubmissionAuthority, authorize,
};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use config::{AccountsConfig, AuthConfig, ConfigError};
pub use conversation::{Conversation, TlsFacts, Turn};
pub use decoy_sample::DecoySample;
pub use directory::{Blocking, Directory, Reload, Walk};
pub use domains::{DomainSet, domain_in_ascii};
pub use hash::{
    Argon2Params, CramMd5Secret, HashError, HashRecipe, PASSWORD_MAX, Scheme, ScramHash, ScramKeys,
    StoredHash, WeakSchemes, hash_new, saslprep,
};
pub use last_login::{LastLogin, LastLoginError, LastLogins};
pub use likeness::address_key;
pub use login::{Answer, Channel, Login, LoginObserver, Service};
pub use maildir_template::MaildirTemplate;
pub use master::MasterConfig;
pub use passwd_editor::{EditError, NewAccount, PasswdEditor};
pub use passwd_file::{AccountsError, parse_cohort, parse_password_field};
pub use passwd_source::PasswdSource;
pub use policy::{
    AccountPolicy, PolicySpread, Quota, RetentionDays, Spread, parse_login_delay, parse_sessions,
};
pub use sasl_config::SaslConfig;
pub use secret_source::SecretSource;
pub use share::{
    AccountTag, FailureEvent, FailureShare, Happening, SHARE_KEY_OCTETS, ShareConfig, ShareKey,
};
pub use source::{AccountSource, Unavailable};
pub use statistics::Statistics;
pub use token::{TokenError, TokenIdentity, TokenVerifier};
pub use upgrade::{UpgradeCounts, Upgrader};
