//! `lastpost hash`: a hash for a table that somebody writes, and whether one is a password's.

use auth::{HashRecipe, Scheme, StoredHash};
use clap::Args;
use serde::Serialize;

use super::account::PasswordArgs;
use super::{CliError, CommonArgs};
use crate::config::Config;

/// What `hash` can be told.
#[derive(Debug, Args)]
pub(crate) struct HashArgs {
    /// The scheme, such as ARGON2ID or SCRAM-SHA-256; default: that of the configuration.
    #[arg(long, value_parser = parse_scheme)]
    scheme: Option<Scheme>,
    /// The cost: that of BLF-CRYPT, the rounds of SHA512-CRYPT, the iterations of SCRAM, the
    /// logarithm of YESCRYPT's blocks. ARGON2ID has its cost from the configuration.
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<u32>,
    /// Tell whether HASH, {SCHEME} and all, is that of the password. Exit status 1: it is not.
    #[arg(long, value_name = "HASH", conflicts_with_all = ["scheme", "rounds"])]
    verify: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Serialize)]
struct Verified {
    scheme: &'static str,
    right: bool,
}

/// Reads the name of a scheme.
pub(crate) fn parse_scheme(name: &str) -> Result<Scheme, String> {
    Scheme::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = Scheme::every().map(Scheme::as_str).collect();
        format!("expected one of {}", known.join(", "))
    })
}

pub(crate) fn run(args: &HashArgs, common: &CommonArgs) -> Result<(), CliError> {
    if let Some(field) = &args.verify {
        return verify(field, args, common);
    }
    // Without a configuration the default cost serves.
    let config = Config::load(&common.config).map(|config| config.auth).unwrap_or_default();
    let mut recipe = config.new_hashes().map_err(CliError::failed)?;
    if let Some(scheme) = args.scheme {
        let cost = config.argon2().map_err(CliError::failed)?;
        let made = HashRecipe::new(scheme, cost);
        recipe = made.map_err(|error| CliError::Usage(format!("--scheme: {error}")))?;
    }
    if let Some(rounds) = args.rounds {
        let made = recipe.with_rounds(rounds);
        recipe = made.map_err(|error| CliError::Usage(format!("--rounds: {error}")))?;
    }
    let password = args.password.read_new()?;
    let hash = recipe.make(password.as_bytes()).map_err(CliError::failed)?;
    common.output().show(&*hash.to_field(), Clone::clone)
}

fn verify(field: &str, args: &HashArgs, common: &CommonArgs) -> Result<(), CliError> {
    let hash =
        StoredHash::parse(field).map_err(|error| CliError::Usage(format!("--verify: {error}")))?;
    let password = args.password.read_existing()?;
    let right = hash.verify(password.as_bytes());
    let verified = Verified { scheme: hash.scheme().as_str(), right };
    if right || common.output().is_json() {
        let said = format!("right: it is the {} hash of this password", verified.scheme);
        common.output().show(&verified, |_| said)?;
    }
    if right {
        return Ok(());
    }
    Err(CliError::Failed(format!("wrong: it is no {} hash of this password", verified.scheme)))
}
