//! `lastpost check`: everything that a start would read, read now.

use std::net::SocketAddr;
use std::sync::Arc;

use address::Mailbox;
use serde::Serialize;

use super::{CliError, CommonArgs};
use crate::cli::accounts::Accounts;
use crate::config::{Config, warn_of_retired_files};
use crate::service::check_authorities;

#[derive(Serialize)]
struct Checked {
    file: String,
    accounts: Option<usize>,
    warnings: Vec<String>,
}

pub(crate) fn run(common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let accounts = Accounts::open(&config)?;
    #[allow(unused_mut, reason = "the bridge adds its own")]
    let mut warnings = warnings(&config, &accounts)?;
    #[allow(unused_mut, reason = "the bridge adds its own")]
    let mut authorities = vec![auth::SmtpAuth::NAME];
    #[cfg(feature = "pop-before-smtp")] // retire
    crate::bridge::check(&config, &accounts, &mut authorities, &mut warnings)?; // retire
    check_authorities(&config, &authorities)?;
    let checked = Checked {
        file: config.file.display().to_string(),
        accounts: accounts.directory().count(),
        warnings,
    };
    common.output().show(&checked, |checked| {
        let mut text: String =
            checked.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
        text += &format!("{}: fine", checked.file);
        if let Some(accounts) = checked.accounts {
            text += &format!(", {accounts} accounts");
        }
        text
    })
}

fn warnings(config: &Config, accounts: &Accounts) -> Result<Vec<String>, CliError> {
    if let Some(tls) = &config.tls {
        netio::Tls::load(tls).map_err(|error| config.mistake("tls", error.to_string()))?;
    }
    let mut warnings = accounts.directory().warnings();
    warnings.extend(config.submission.warnings());
    warnings.extend(config.signer()?.warnings());
    config.header_options()?;
    let clock: Arc<dyn auth::Clock> = Arc::new(auth::SystemClock::new());
    crate::service::token_verifier(config, &clock)?;
    warnings.extend(unavailable(accounts));
    // Those of a source that is away, of which the warnings speak already, are looked at next time.
    let listed = accounts.all().unwrap_or_default();
    warnings.extend(crate::service::limits_warnings(config, &listed));
    warnings.extend(config.auth.sasl.warnings(listed.iter().map(|account| &**account)));
    warnings.extend(warn_of_retired_files(&config.file));
    warnings.extend(config.relay_settings()?.warnings());
    if let Some(limits) = &config.limits {
        let key = "limits.shared_password_file";
        limits.shared_password().map_err(|error| config.mistake(key, error.to_string()))?;
    }
    crate::service::share_password(config)?;
    crate::service::check_share_key(config)?;
    let masters = config.auth.master.warnings();
    let key = "auth.master.passwd_file";
    warnings.extend(masters.map_err(|error| config.mistake(key, error.to_string()))?);
    crate::logging::filter(&config.log).map_err(|message| config.mistake("log.filter", message))?;
    check_addresses(config)?;
    Ok(warnings)
}

/// What each source that is away, or that refuses its queries, says to a login and to mail. Mail
/// starts without it, and this command stands before each start: so none of it is a mistake.
fn unavailable(accounts: &Accounts) -> Vec<String> {
    const NOBODY: &str = "lastpost-check@check.invalid";
    let (Ok(login), Ok(address)) = (accounts.directory().key(NOBODY), Mailbox::parse(NOBODY))
    else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    for source in accounts.directory().sources() {
        let answer = accounts.wait(async {
            source.find(&login).await?;
            source.owners(&address).await?;
            source.page(None, 1).await
        });
        if let Err(away) = answer {
            warnings.push(format!("{away}; until it can say, logins and mail are put off"));
        }
    }
    warnings
}

/// Whether two listeners of different sections want the same address.
fn check_addresses(config: &Config) -> Result<(), CliError> {
    let mut taken: Vec<(SocketAddr, &str)> = config
        .submission
        .listen
        .iter()
        .map(|listen| (listen.address, "a submission listener"))
        .collect();
    let mut claim = |key: String, address: SocketAddr, whose: &'static str| {
        let holder = taken.iter().find(|(other, _)| *other == address && address.port() != 0);
        if let Some((_, holder)) = holder {
            let message = format!("{address} is the address of {holder}; expected one of its own");
            return Err(config.mistake(&key, message));
        }
        taken.push((address, whose));
        Ok(())
    };
    for (index, listen) in config.pop3.listen.iter().enumerate() {
        claim(format!("pop3.listen[{index}].address"), listen.address, "a POP3 listener")?;
    }
    if let Some(address) = config.control.listen {
        claim("control.listen".to_owned(), address, "the control side")?;
    }
    if let Some(address) = config.control.listen_pop3d {
        claim("control.listen_pop3d".to_owned(), address, "the control side of lastpost-pop3d")?;
    }
    Ok(())
}
