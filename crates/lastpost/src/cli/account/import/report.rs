//! What an import did, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::entry::Remark;
use super::{ImportArgs, Schemes};

/// Problems and remarks that are shown one by one; all are counted.
const SHOWN_MAX: usize = 1000;

#[derive(Serialize)]
pub(super) struct Report {
    file: String,
    dry_run: bool,
    /// Whether the accounts are where they were to go.
    pub(super) written: bool,
    pub(super) added: u64,
    pub(super) replaced: u64,
    pub(super) skipped: u64,
    /// Lines that no account can be made of.
    pub(super) bad: usize,
    /// The first of them.
    pub(super) problems: Vec<Remark>,
    /// What was left out of good lines, or passed over: how often.
    remarked: usize,
    pub(super) remarks: Vec<Remark>,
    /// How the good ones' passwords are stored.
    passwords: Schemes,
}

impl Report {
    pub(super) fn new(
        args: &ImportArgs,
        mut problems: Vec<Remark>,
        mut remarks: Vec<Remark>,
        passwords: Schemes,
    ) -> Self {
        let (bad, remarked) = (problems.len(), remarks.len());
        problems.truncate(SHOWN_MAX);
        remarks.truncate(SHOWN_MAX);
        Self {
            file: args.name(),
            dry_run: args.dry_run,
            written: false,
            added: 0,
            replaced: 0,
            skipped: 0,
            bad,
            problems,
            remarked,
            remarks,
            passwords,
        }
    }

    /// Lines that no account can be made of.
    pub(super) fn troubled(&self) -> usize {
        self.bad
    }

    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        let mut show = |remarks: &[Remark], all: usize, what: &str| {
            for Remark { line, column, problem } in remarks {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}:{line}:{column}: {what}{problem}", self.file);
            }
            if all > remarks.len() {
                let _ = writeln!(text, "{}: … and {} more", self.file, all - remarks.len());
            }
        };
        show(&self.problems, self.bad, "");
        show(&self.remarks, self.remarked, "note: ");
        if !text.is_empty() {
            text.push('\n');
        }
        let Self { added, replaced, skipped, bad, .. } = self;
        let done = match (self.written, self.dry_run) {
            (true, _) => "taken over",
            (false, true) => "would be taken over",
            (false, false) => "nothing was written",
        };
        let _ = writeln!(
            text,
            "{added} added, {replaced} replaced, {skipped} skipped, {bad} bad: {done}\n"
        );
        text + &self.passwords.describe()
    }
}
