//! `lastpost dkim`: the keys that sign messages, and what DNS must say of them.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use address::Domain;
use clap::{Args, Subcommand, ValueEnum};
use dkim::{DkimError, Record};
use mx::{Kind, Lookup};
use serde::Serialize;

use super::{CliError, CommonArgs};
use crate::config::Config;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum DkimCommand {
    /// Make a key; print the record that DNS must have, and what the configuration must say.
    Keygen(KeygenArgs),
    /// Ask the DNS whether it has the records of the configured keys; fails if it has not.
    Check {
        /// Those of this domain alone.
        #[arg(long)]
        domain: Option<Domain>,
    },
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
    kind: Type,
    /// Where to write it; default: dkim/DOMAIN.SELECTOR.pem beside the configuration file.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Type {
    /// RSA of 2048 bits, which every verifier knows.
    #[default]
    Rsa2048,
    /// RSA of 4096 bits.
    Rsa4096,
    /// Ed25519: short and fast; for a second signature beside an RSA one.
    Ed25519,
}

impl From<Type> for dkim::KeyType {
    fn from(kind: Type) -> Self {
        match kind {
            Type::Rsa2048 => Self::Rsa2048,
            Type::Rsa4096 => Self::Rsa4096,
            Type::Ed25519 => Self::Ed25519,
        }
    }
}

pub(crate) fn run(command: &DkimCommand, common: &CommonArgs) -> Result<(), CliError> {
    match command {
        DkimCommand::Keygen(args) => keygen(args, common),
        DkimCommand::Check { domain } => check(domain.as_ref(), common),
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
    let records = records(&common.load()?, domain)?;
    let records: Vec<Shown> = records.into_iter().map(Shown::from).collect();
    common.output().show(&records, |records| {
        if records.is_empty() {
            return "no keys: add a [[dkim.key]] (`lastpost dkim keygen` makes one)".to_owned();
        }
        records.iter().map(|record| record.zone.as_str()).collect()
    })
}

fn records(config: &Config, domain: Option<&Domain>) -> Result<Vec<Record>, CliError> {
    let mut records = config.signer()?.records();
    if let Some(domain) = domain {
        let end = format!("._domainkey.{domain}");
        records.retain(|record| record.name.ends_with(&end));
    }
    Ok(records)
}

/// What the DNS has in the place of a record.
#[derive(Serialize)]
struct Published {
    name: String,
    /// What is wrong; nothing if the record is there.
    problem: Option<String>,
}

fn check(domain: Option<&Domain>, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let records = records(&config, domain)?;
    let published = crate::daemon::runtime()?.block_on(async {
        let dns = mx::Dns::new(&config.relay.mx).map_err(CliError::failed)?;
        Ok::<_, CliError>(published(&records, &dns).await)
    })?;
    common.output().show(&published, |published| {
        let line = |record: &Published| match &record.problem {
            None => format!("{}: fine\n", record.name),
            Some(problem) => format!("{}: {problem}\n", record.name),
        };
        published.iter().map(line).collect()
    })?;
    match published.iter().filter(|record| record.problem.is_some()).count() {
        0 => Ok(()),
        wrong => Err(CliError::Failed(format!("DNS lacks {wrong} of {} records", records.len()))),
    }
}

async fn published(records: &[Record], dns: &dyn Lookup) -> Vec<Published> {
    let mut published = Vec::with_capacity(records.len());
    for record in records {
        let problem = match dns.lookup(&record.name.to_lowercase(), Kind::Txt).await {
            Err(error) => Some(format!("DNS cannot be asked: {error}")),
            Ok(answer) => problem(record, &answer.records),
        };
        published.push(Published { name: record.name.clone(), problem });
    }
    published
}

fn problem(record: &Record, found: &[mx::Record]) -> Option<String> {
    let texts = found.iter().filter_map(|found| match found {
        mx::Record::Txt(text) => Some(text.as_slice()),
        _ => None,
    });
    let texts: Vec<&[u8]> = texts.collect();
    match texts.as_slice() {
        [] => Some("DNS has no such record".to_owned()),
        [text] => record.agrees_with(text).err(),
        _ => Some("DNS has several records there, and verifiers may take any of them".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use mx::{Answer, Looking, LookupError};

    use super::*;

    /// Answers by the first letter of the name.
    #[derive(Debug)]
    struct Told(Record);

    impl Lookup for Told {
        fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
            assert_eq!(kind, Kind::Txt);
            let text = |text: &str| mx::Record::Txt(text.as_bytes().to_vec());
            let records = match name.as_bytes()[0] {
                b'a' => vec![text(&self.0.text)],
                b'b' => vec![text("v=DKIM1; p=")],
                b'c' => Vec::new(),
                b'd' => vec![text(&self.0.text), text(&self.0.text)],
                _ => return Box::pin(std::future::ready(Err(LookupError::Timeout))),
            };
            Box::pin(std::future::ready(Ok(Answer { records, ..Answer::default() })))
        }
    }

    #[tokio::test]
    async fn dns_is_compared_with_the_keys() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        let domain = Domain::parse("example.net").unwrap();
        let made = dkim::generate(&domain, "A", dkim::KeyType::Ed25519, &file).unwrap();
        let named = |name: &str| Record { name: name.to_owned(), ..made.clone() };
        let records = ["A.x", "b.x", "c.x", "d.x", "e.x"].map(named);
        let found = published(&records, &Told(made.clone())).await;
        let problems: Vec<_> = found.iter().map(|p| p.problem.as_deref().unwrap_or("")).collect();
        assert_eq!(problems[0], "");
        for (problem, says) in
            problems[1..].iter().zip(["type rsa", "no such record", "several", "no answer in time"])
        {
            assert!(problem.contains(says), "{problem}");
        }
    }
}
