//! Who somebody is and what he may send: accounts, verification, throttle, logins and permits.
//!
//! [`Directory`] holds the accounts, [`Authenticator`] verifies passwords against it, and
//! [`authorize`] turns an attempt to send into a [`Permit`] by asking a [`Chain`] of
//! authorities. [`PasswdEditor`] is the writer's side of the table of accounts.

mod account;
mod app_password;
mod authenticator;
mod authority;
mod bounded;
mod cache;
mod clock;
mod config;
mod conversation;
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
mod seal;
mod secret_source;
mod source;
mod statistics;
#[cfg(test)]
mod testing;
mod throttle;
mod token;

pub use account::{Account, Credential, Delegation};
pub use app_password::{AppPasswordName, AppPasswords};
pub use authenticator::{AuthError, Authenticator, Denied, Origin};
pub use authority::{
    Allowance, Attempt, Chain, Permit, Refusal, Ruling, RulingObserver, Settlement, SmtpAuth,
    SubmissionAuthority, authorize,
};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use config::{AccountsConfig, AuthConfig, ConfigError};
pub use conversation::{Conversation, TlsFacts, Turn};
pub use directory::{Blocking, Directory, Reload, Walk};
pub use domains::{DomainSet, domain_in_ascii};
pub use hash::{Argon2Params, HashError, PASSWORD_MAX, Scheme, StoredHash, hash_new};
pub use last_login::{LastLogin, LastLoginError, LastLogins};
pub use login::{Answer, Channel, Login, LoginObserver, Service};
pub use maildir_template::MaildirTemplate;
pub use master::MasterConfig;
pub use passwd_editor::{EditError, NewAccount, PasswdEditor};
pub use passwd_file::AccountsError;
pub use passwd_source::PasswdSource;
pub use policy::{
    AccountPolicy, PolicySpread, Quota, RetentionDays, Spread, parse_login_delay, parse_sessions,
};
pub use secret_source::SecretSource;
pub use source::{AccountSource, Unavailable};
pub use statistics::Statistics;
pub use token::{TokenError, TokenIdentity, TokenVerifier};
