//! `lastpost dkim`: the keys that sign messages, and what DNS must say of them.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use address::Domain;
use clap::{Args, Subcommand, ValueEnum};
use dkim::{DkimError, Record};
use serde::Serialize;

use super::{CliError, CommonArgs};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum DkimCommand {
    /// Make a key; print the record that DNS must have, and what the configuration must say.
    Keygen(KeygenArgs),
    /// Print the records of the configured keys.
    Show {
        /// Those of this domain alone.
        #[arg(long)]
        domain: Option<Domain>,
    },
}

/// What a new key is for.
#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// The domain whose messages it will sign.
    #[arg(long)]
    domain: Domain,
    /// Its name in DNS: letters, digits and hyphens.
    #[arg(long)]
    selector: String,
    /// What kind of key.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t)]
    kind: Kind,
    /// Where to write it; default: dkim/DOMAIN.SELECTOR.pem beside the configuration file.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Kind {
    /// RSA of 2048 bits, which every verifier knows.
    #[default]
    Rsa2048,
    /// RSA of 4096 bits.
    Rsa4096,
    /// Ed25519: short and fast; for a second signature beside an RSA one.
    Ed25519,
}

impl From<Kind> for dkim::KeyType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Rsa2048 => Self::Rsa2048,
            Kind::Rsa4096 => Self::Rsa4096,
            Kind::Ed25519 => Self::Ed25519,
        }
    }
}

pub(crate) fn run(command: &DkimCommand, common: &CommonArgs) -> Result<(), CliError> {
    match command {
        DkimCommand::Keygen(args) => keygen(args, common),
        DkimCommand::Show { domain } => show(domain.as_ref(), common),
    }
}

#[derive(Serialize)]
struct Shown {
    name: String,
    text: String,
    zone: String,
}

impl From<Record> for Shown {
    fn from(record: Record) -> Self {
        let zone = record.to_zone_file();
        Self { name: record.name, text: record.text, zone }
    }
}

#[derive(Serialize)]
struct Made {
    file: String,
    configuration: String,
    record: Shown,
}

fn keygen(args: &KeygenArgs, common: &CommonArgs) -> Result<(), CliError> {
    let KeygenArgs { domain, selector, kind, file } = args;
    let base = common.config.parent().unwrap_or(Path::new(""));
    let shown = match file {
        Some(file) => std::path::absolute(file).map_err(CliError::failed)?,
        None => Path::new("dkim").join(format!("{domain}.{selector}.pem")),
    };
    let path = base.join(&shown);
    if file.is_none() {
        make_directory(&base.join("dkim"))?;
    }
    let record = dkim::generate(domain, selector, (*kind).into(), &path).map_err(failure)?;
    let configuration = format!(
        "[[dkim.key]]\ndomain = \"{domain}\"\nselector = \"{selector}\"\nfile = {:?}\n",
        shown.display().to_string()
    );
    let made = Made { file: path.display().to_string(), configuration, record: record.into() };
    common.output().show(&made, |made| {
        format!(
            "{} is written, for its owner alone: the daemons' user must be able to read it.\n\n\
             DNS must have this before the key signs:\n\n{}\n\
             Then add this to the configuration:\n\n{}",
            made.file, made.record.zone, made.configuration
        )
    })
}

fn make_directory(directory: &Path) -> Result<(), CliError> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(directory).map_err(|error| {
        CliError::Failed(format!("{}: it cannot be made: {error}", directory.display()))
    })
}

/// A word of the command line that is wrong, or a failure.
fn failure(error: DkimError) -> CliError {
    match error {
        DkimError::Config { .. } => CliError::Usage(error.to_string()),
        _ => CliError::failed(error),
    }
}

fn show(domain: Option<&Domain>, common: &CommonArgs) -> Result<(), CliError> {
    let signer = common.load()?.signer()?;
    let end = domain.map(|domain| format!("._domainkey.{domain}"));
    let records: Vec<Shown> = signer
        .records()
        .into_iter()
        .filter(|record| end.as_ref().is_none_or(|end| record.name.ends_with(end)))
        .map(Shown::from)
        .collect();
    common.output().show(&records, |records| {
        if records.is_empty() {
            return "no keys: add a [[dkim.key]] (`lastpost dkim keygen` makes one)".to_owned();
        }
        records.iter().map(|record| record.zone.as_str()).collect()
    })
}
