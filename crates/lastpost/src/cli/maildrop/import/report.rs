//! What an import did, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use maildrop::AdoptReport;
use maildrop::import::Imported;
use serde::Serialize;

use super::super::places::Place;
use crate::cli::output::table;

/// Remarks about all maildrops together that are kept; all are counted.
const REMARKS_MAX: usize = 1000;

/// Maildrops up to which all are in the table, not only those with something to say.
const ALL_SHOWN: usize = 50;

/// What was done, or would be done, in one maildrop.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    maildrop: String,
    /// Messages in the maildrop.
    messages: usize,
    /// Messages that got the id on record now.
    adopted: usize,
    /// Messages that had it already.
    already_right: usize,
    /// Messages that are not on record and keep the id they have.
    without_record: usize,
    /// Records of messages that are gone.
    gone: usize,
    /// Sizes taken over.
    sizes: usize,
    /// Ids on record that could not be given.
    conflicts: usize,
    /// Lines of the record that could not be read.
    problems: u64,
    /// Why nothing was done at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// Conflicts and problems one by one, as far as they are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

impl Line {
    pub(super) fn new(
        place: &Place,
        file: Option<&Path>,
        imported: &Imported,
        report: AdoptReport,
    ) -> Self {
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        let problems = imported.problems.iter();
        let mut remarks: Vec<String> =
            problems.map(|problem| format!("{file}:{}: {}", problem.line, problem.what)).collect();
        remarks.extend(report.named_conflicts.iter().map(|conflict| {
            let (base, given) = (conflict.base.escape_debug(), conflict.given.escape_debug());
            format!("{}: {base}: id {given} is not given: {}", place.name(), conflict.reason)
        }));
        Self {
            maildrop: place.name(),
            messages: report.messages,
            adopted: report.changed,
            already_right: report.adopted - report.changed.min(report.adopted),
            without_record: report.unlisted,
            gone: report.missing,
            sizes: report.sizes,
            conflicts: report.conflicts,
            problems: imported.problem_count,
            failure: None,
            remarks,
        }
    }

    /// An account that never had mail.
    pub(super) fn empty(maildrop: String) -> Self {
        Self { maildrop, ..Self::default() }
    }

    pub(super) fn failed(maildrop: String, failure: String) -> Self {
        Self { maildrop, failure: Some(failure), ..Self::default() }
    }

    fn is_troubled(&self) -> bool {
        self.failure.is_some() || self.conflicts > 0 || self.problems > 0
    }
}

/// What was done in all maildrops.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    dry_run: bool,
    messages: usize,
    adopted: usize,
    already_right: usize,
    without_record: usize,
    conflicts: usize,
    problems: u64,
    failures: usize,
    maildrops: Vec<Line>,
}

impl Report {
    pub(super) fn new(dry_run: bool, mut lines: Vec<Line>) -> Self {
        let mut report = Self { dry_run, ..Self::default() };
        let mut room = REMARKS_MAX;
        for line in &mut lines {
            report.messages += line.messages;
            report.adopted += line.adopted;
            report.already_right += line.already_right;
            report.without_record += line.without_record;
            report.conflicts += line.conflicts;
            report.problems = report.problems.saturating_add(line.problems);
            report.failures += usize::from(line.failure.is_some());
            line.remarks.truncate(room);
            room -= line.remarks.len();
        }
        report.maildrops = lines;
        report
    }

    /// Maildrops in which not everything could be taken over.
    pub(super) fn troubled(&self) -> usize {
        self.maildrops.iter().filter(|line| line.is_troubled()).count()
    }

    pub(super) fn describe(&self) -> String {
        let all = self.maildrops.len() <= ALL_SHOWN;
        let shown = self.maildrops.iter().filter(|line| all || line.is_troubled());
        let mut rows: Vec<Vec<String>> = shown.map(Line::row).collect();
        let mut text = String::new();
        if !rows.is_empty() {
            rows.sort();
            text = table(
                &[
                    "maildrop",
                    "messages",
                    "adopted",
                    "already right",
                    "without record",
                    "conflicts",
                    "problems",
                    "failure",
                ],
                rows,
            );
        }
        for remark in self.maildrops.iter().flat_map(|line| &line.remarks) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{remark}");
        }
        let Self { messages, adopted, already_right, without_record, .. } = self;
        let _ = write!(
            text,
            "{} maildrops, {messages} messages: {adopted} {}, {already_right} had their id \
             already, {without_record} are not on record",
            self.maildrops.len(),
            if self.dry_run { "would get their id" } else { "got their id" },
        );
        text
    }
}

impl Line {
    fn row(&self) -> Vec<String> {
        vec![
            self.maildrop.clone(),
            self.messages.to_string(),
            self.adopted.to_string(),
            self.already_right.to_string(),
            self.without_record.to_string(),
            self.conflicts.to_string(),
            self.problems.to_string(),
            self.failure.clone().unwrap_or_default(),
        ]
    }
}
