//! The rehearsal: retire in a copy, build what is left, run its tests, look for leftovers.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde::Serialize;

use super::{Plan, PlanError};
use super::{copy, touched};
use crate::metadata;

/// How to rehearse.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The workspace; it is only read.
    pub root: PathBuf,
    /// Where cargo builds the copy. Kept, so that the next rehearsal has the libraries built.
    pub target: PathBuf,
    /// Build only.
    pub skip_tests: bool,
    /// Leave out packages that the retirement does not change and that depend on none it does.
    pub only_touched: bool,
    /// Leave the copy in place and say where.
    pub keep: bool,
    /// Keep cargo's output to ourselves.
    pub quiet: bool,
    /// What to hand on to `cargo test`.
    pub test_arguments: Vec<OsString>,
}

/// What happened.
#[derive(Debug, Serialize)]
pub struct RehearsalReport {
    /// What went.
    pub plan: Plan,
    /// Where the copy is, if it was kept.
    pub kept: Option<PathBuf>,
}

/// Why the rehearsal failed.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// Git could not tell which files there are.
    #[error("git ls-files: {0}")]
    Git(String),
    /// Cargo could not tell which packages there are.
    #[error("{0}")]
    Metadata(String),
    /// The copy could not be made.
    #[error("copying the workspace: {0}")]
    Copy(#[from] io::Error),
    /// See [`PlanError`].
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A cargo command failed in what is left.
    #[error(
        "without the bridge, `{command}` failed ({status}); run again with --keep to look at the copy"
    )]
    Step {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// What is left still names what is gone.
    #[error("still named after it is gone (mark these lines or files):\n{}", .0.join("\n"))]
    Leftovers(Vec<String>),
}

impl Rehearsal {
    /// What would go, without doing anything.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub fn plan(&self) -> Result<Plan, RehearsalError> {
        Ok(Plan::of(&self.root, &copy::list(&self.root)?)?)
    }

    /// Rehearses. Cargo's output goes where this process's goes, unless it is to be quiet.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub fn run(&self) -> Result<RehearsalReport, RehearsalError> {
        let directory = tempfile::Builder::new().prefix("lastpost-retired-").tempdir()?;
        let copy = directory.path();
        let mut files = copy::copy(&self.root, &copy::list(&self.root)?, copy)?;
        let kept = if self.keep { Some(directory.path().to_owned()) } else { None };
        let plan = Plan::of(copy, &files)?;
        plan.carry_out(copy)?;

        let outcome = self.check(&plan, copy, &mut files);
        if self.keep {
            let _ = directory.keep();
        }
        outcome.map(|()| RehearsalReport { plan, kept })
    }

    fn check(
        &self,
        plan: &Plan,
        copy: &Path,
        files: &mut std::collections::BTreeSet<String>,
    ) -> Result<(), RehearsalError> {
        // The lock file changes with the build.
        let lock = files.take("Cargo.lock");
        for named in plan.leftovers(copy, files)? {
            if !self.quiet {
                eprintln!("still named: {named}");
            }
        }
        let mut left_out = Vec::new();
        if self.only_touched {
            let packages = metadata::read(&self.root).map_err(RehearsalError::Metadata)?;
            for name in touched::untouched(plan, &packages) {
                left_out.extend(["--exclude".into(), OsString::from(name)]);
            }
        }
        self.cargo(copy, &["build", "--workspace", "--all-targets"], &left_out)?;
        if !self.skip_tests {
            left_out.extend(self.test_arguments.iter().cloned());
            self.cargo(copy, &["test", "--workspace"], &left_out)?;
        }
        files.extend(lock);
        let found = plan.leftovers(copy, files)?;
        if found.is_empty() { Ok(()) } else { Err(RehearsalError::Leftovers(found)) }
    }

    fn cargo(
        &self,
        directory: &Path,
        arguments: &[&str],
        more: &[OsString],
    ) -> Result<(), RehearsalError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = || if self.quiet { Stdio::null() } else { Stdio::inherit() };
        let status = Command::new(cargo)
            .args(arguments)
            .args(more)
            .current_dir(directory)
            .env("CARGO_TARGET_DIR", &self.target)
            .stdout(output())
            .stderr(output())
            .status()?;
        if status.success() {
            return Ok(());
        }
        let command = format!("cargo {}", arguments.join(" "));
        Err(RehearsalError::Step { command, status })
    }
}
