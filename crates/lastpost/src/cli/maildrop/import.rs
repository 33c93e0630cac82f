//! `lastpost maildrop import-uidl`: takes over what another server gave customers' messages.

mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use maildrop::import::{IdFormat, ImportError, Recipe, Source, gather};
use maildrop::{AdoptError, AdoptOptions, OpenError, adopt};

use self::report::{Line, Report};
use super::crowd::{cannot_open, go_over, patiently, wrong_user};
use super::places::{Place, Places};
use crate::cli::{CliError, CommonArgs};

/// Whose ids, and for which maildrops.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The server that gave the ids.
    #[arg(long, value_enum)]
    from: From,
    /// How that server makes ids: Dovecot's pop3_uidl_format (default %08Xu%08Xv), Cyrus's
    /// uidl_format (default cyrus), or qmail for tpop3d with uidl-style qmail.
    #[arg(long, value_name = "FORMAT")]
    uidl_format: Option<String>,
    /// The server's record, where it is not in the Maildir; with %u for the login, %n and %d for
    /// its parts before and behind the @.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The mailbox's UIDVALIDITY, for listings that do not have it (Cyrus).
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    uidvalidity: Option<u32>,
    /// Only tell what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Also give new ids to messages that clients of this server may have seen under others.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    places: Places,
}

/// A server that can be migrated from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// dovecot-uidlist.
    Dovecot,
    /// courierpop3dsizelist.
    Courier,
    /// A listing of uid and file name (--file).
    Cyrus,
    /// The file names (qmail-pop3d, vpopmail).
    Qmail,
    /// The MD5 of the file names.
    Tpop3d,
    /// A list of file name, TAB, id (--file).
    Map,
}

pub(crate) fn run(args: &ImportArgs, common: &CommonArgs) -> Result<(), CliError> {
    let recipe = args.recipe()?;
    let places = args.places.find(common)?;
    if places.is_empty() {
        return Err(CliError::Failed("there is no Maildir".to_owned()));
    }
    let lines = go_over(&places, |place| args.import(place, &recipe));
    let report = Report::new(args.dry_run, lines);
    common.output().show(&report, Report::describe)?;
    match report.troubled() {
        0 => Ok(()),
        some => Err(CliError::Failed(format!(
            "not everything could be taken over in {some} of {} maildrops",
            places.len()
        ))),
    }
}

impl ImportArgs {
    fn recipe(&self) -> Result<Recipe, CliError> {
        let usage = |what: &str| Err(CliError::Usage(what.to_owned()));
        let mistake =
            |error: &dyn std::fmt::Display| CliError::Usage(format!("--uidl-format: {error}"));
        let mut source = match self.from {
            From::Dovecot => Source::Dovecot,
            From::Courier => Source::Courier,
            From::Cyrus => Source::Cyrus,
            From::Qmail => Source::Qmail,
            From::Tpop3d => Source::Tpop3d,
            From::Map => Source::Map,
        };
        let mut format = None;
        match (self.from, self.uidl_format.as_deref()) {
            (_, None) | (From::Tpop3d, Some("tpop3d")) => {}
            (From::Tpop3d, Some("qmail")) => source = Source::Qmail,
            (From::Dovecot, Some(text)) => {
                format = Some(
                    text.parse()
                        .map_err(|error: maildrop::import::IdFormatError| mistake(&error))?,
                );
            }
            (From::Cyrus, Some(text)) => {
                let expected = "expected uidonly, cyrus, dovecot or courier, as in imapd.conf";
                format = Some(IdFormat::cyrus(text).ok_or_else(|| mistake(&expected))?);
            }
            _ => return usage("--uidl-format: ids of this server have one format only"),
        }
        let by_names = matches!(source, Source::Qmail | Source::Tpop3d);
        match &self.file {
            Some(_) if by_names => return usage("--file: ids of this server are the file names"),
            None if matches!(source, Source::Cyrus | Source::Map) => {
                return usage("ids of this server come from a file: name it with --file");
            }
            Some(file) if self.places.are_many() && !has_variable(file) => {
                return usage("--file: it serves many maildrops only with %u, %n or %d in it");
            }
            _ => {}
        }
        if self.uidvalidity.is_some() && source != Source::Cyrus {
            return usage("--uidvalidity: this server's record has its own");
        }
        Ok(Recipe { source, format, validity: self.uidvalidity, file: None })
    }

    fn import(&self, place: &Place, recipe: &Recipe) -> Line {
        let file = match self.file.as_ref().map(|file| expand(file, place.login.as_deref())) {
            Some(Err(problem)) => return Line::failed(place.name(), problem),
            Some(Ok(file)) => Some(file),
            None => None,
        };
        let recipe = Recipe { file, ..recipe.clone() };
        if place.login.is_some() && place.is_missing() {
            return Line::empty(place.name());
        }
        // A dry run takes the lock too, and a lock file of root's would stay.
        if let Some(problem) = wrong_user(&place.path) {
            return Line::failed(place.name(), problem);
        }
        let in_use = |error: &Failure| {
            matches!(error, Failure::Adopt(AdoptError::Open(OpenError::InUse { .. })))
        };
        // What the other server wrote is read again each time: it may be from that very session.
        let done = patiently(|| self.take_over(place, &recipe), in_use);
        match done {
            Ok((imported, report)) => {
                let file = recipe.file_for(&place.path);
                Line::new(place, file.as_deref(), &imported, report)
            }
            // An account that never had mail has never been recorded either.
            Err(Failure::Import(ImportError::Missing { .. })) if place.is_empty() => {
                Line::empty(place.name())
            }
            Err(Failure::Import(error)) => Line::failed(place.name(), error.to_string()),
            Err(Failure::Adopt(AdoptError::Open(error))) => {
                Line::failed(place.name(), cannot_open(&error))
            }
            Err(Failure::Adopt(error)) => Line::failed(place.name(), error.to_string()),
        }
    }

    fn take_over(
        &self,
        place: &Place,
        recipe: &Recipe,
    ) -> Result<(maildrop::import::Imported, maildrop::AdoptReport), Failure> {
        let imported = gather(&place.path, recipe).map_err(Failure::Import)?;
        let options = AdoptOptions { dry_run: self.dry_run, replace: self.replace };
        let report = adopt(&place.path, &imported.ids, imported.counters, &options);
        Ok((imported, report.map_err(Failure::Adopt)?))
    }
}

enum Failure {
    Import(ImportError),
    Adopt(AdoptError),
}

fn has_variable(file: &std::path::Path) -> bool {
    let text = file.to_string_lossy();
    ["%u", "%n", "%d"].iter().any(|variable| text.contains(variable))
}

/// Puts the login's parts for `%u`, `%n` and `%d`.
fn expand(file: &std::path::Path, login: Option<&str>) -> Result<PathBuf, String> {
    if !has_variable(file) {
        return Ok(file.to_owned());
    }
    let login = login.ok_or("--file: %u, %n and %d stand for accounts, not for directories")?;
    if login.contains('/') {
        return Err("--file: this login has a slash in it".to_owned());
    }
    let (local, domain) = login.rsplit_once('@').unwrap_or((login, ""));
    let text = file.to_str().ok_or("--file: it is not UTF-8")?;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let value = match rest.as_bytes().get(1) {
            Some(b'u') => login,
            Some(b'n') => local,
            Some(b'd') => domain,
            _ => {
                out.push('%');
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
        };
        out.push_str(value);
        rest = rest.get(2..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_stand_in_for_variables() {
        let expanded = |file: &str, login| expand(file.as_ref(), login).unwrap();
        let login = Some("aiko@open.example");
        assert_eq!(expanded("/c/%d/%n/x", login), PathBuf::from("/c/open.example/aiko/x"));
        assert_eq!(expanded("/c/%u", login), PathBuf::from("/c/aiko@open.example"));
        assert_eq!(expanded("/c/100%/%x%u%", Some("a")), PathBuf::from("/c/100%/%xa%"));
        assert_eq!(expanded("/c/x", None), PathBuf::from("/c/x"));
        assert!(expand("/c/%u".as_ref(), None).is_err());
        assert!(expand("/c/%u".as_ref(), Some("../etc")).is_err());
    }
}
