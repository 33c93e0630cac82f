//! `lastpost maildrop repair`: goes over maildrops and puts right what is remembered of them.

use clap::Args;
use maildrop::{OpenError, OpenOptions, RepairReport};
use serde::Serialize;

use super::crowd::{cannot_open, go_over, patiently, wrong_user};
use super::places::{Place, Places};
use crate::cli::output::table;
use crate::cli::{CliError, CommonArgs};

/// Which maildrops.
#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    places: Places,
}

/// What was found in one maildrop.
#[derive(Serialize)]
struct Line {
    maildrop: String,
    #[serde(flatten)]
    report: Option<RepairReport>,
    /// Why it could not be gone over.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) fn run(args: &RepairArgs, common: &CommonArgs) -> Result<(), CliError> {
    let options = common.load()?.pop3.open_options();
    let places = args.places.find(common)?;
    let lines: Vec<Line> = go_over(&places, |place| look(place, &options));
    common.output().show(&lines, |lines| describe(lines))?;
    match lines.iter().filter(|line| line.problem.is_some()).count() {
        0 => Ok(()),
        some => Err(CliError::Failed(format!("{some} maildrops could not be gone over"))),
    }
}

fn look(place: &Place, options: &OpenOptions) -> Line {
    let line = |report, problem| Line { maildrop: place.name(), report, problem };
    if place.login.is_some() && place.is_missing() {
        return line(None, None);
    }
    if let Some(problem) = wrong_user(&place.path) {
        return line(None, Some(problem));
    }
    let in_use = |error: &OpenError| matches!(error, OpenError::InUse { .. });
    match patiently(|| maildrop::repair(&place.path, options), in_use) {
        Ok(report) => line(Some(report), None),
        Err(error) => line(None, Some(cannot_open(&error))),
    }
}

fn describe(lines: &[Line]) -> String {
    let rows = lines.iter().map(|line| match (&line.report, &line.problem) {
        (Some(report), _) => vec![
            line.maildrop.clone(),
            report.messages.to_string(),
            report.sizes_corrected.to_string(),
            findings(report).join(", "),
        ],
        (None, Some(problem)) => {
            vec![line.maildrop.clone(), "-".into(), "-".into(), problem.clone()]
        }
        (None, None) => {
            vec![line.maildrop.clone(), "0".into(), "0".into(), "no Maildir yet".into()]
        }
    });
    table(&["maildrop", "messages", "sizes corrected", "found"], rows)
}

/// What was not in order, in words.
fn findings(report: &RepairReport) -> Vec<String> {
    let scan = &report.scan;
    let mut findings = Vec::new();
    if let maildrop::StateUse::Rejected(reason) = scan.state {
        findings.push(format!("the state was damaged ({reason}) and is made anew"));
    }
    for (count, what) in [
        (scan.lines_damaged, "damaged lines in the record of ids"),
        (scan.files_renamed, "files renamed, because two had one base name"),
        (scan.files_unreadable, "files that cannot be read"),
        (scan.messages_withheld, "messages not shown, because their ids cannot be recorded"),
    ] {
        if count > 0 {
            findings.push(format!("{count} {what}"));
        }
    }
    if !scan.state_written {
        findings.push("nothing could be written".to_owned());
    }
    findings
}
