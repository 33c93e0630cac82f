//! The house rules that the compiler does not know: who may name whom, how long a file or a
//! function may be, that every file says what it is, that documented paths exist, and that the
//! number of lines marked for retirement only falls.

mod docs;
mod edges;
mod functions;
mod lengths;
mod mask;
mod tree;

use std::fmt;
use std::path::Path;

use crate::{metadata, retire};

/// Most lines marked `retire` in the whole workspace. It may only fall.
pub const RETIRE_LINES_MAX: usize = 40;

/// A rule that is broken somewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the root of the workspace.
    pub path: String,
    /// Counted from 1; 0 where the whole file or package is meant.
    pub line: usize,
    /// The rule in a word.
    pub rule: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, rule: &'static str, message: String) -> Self {
        Self { path: path.into(), line, rule, message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}: {}", self.rule, self.message)
    }
}

/// Checks the workspace at `root`. An empty answer: all rules hold. What cannot be checked (a
/// file that cannot be read, a manifest that does not parse) is a finding too.
#[must_use]
pub fn run(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    match metadata::read(root) {
        Ok(packages) => findings.extend(edges::check(&packages)),
        Err(error) => findings.push(Finding::new("Cargo.toml", 0, "metadata", error)),
    }
    match tree::files(root) {
        Ok(files) => {
            for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
                findings.extend(lengths::check(path, text));
                findings.extend(functions::too_long(path, text));
            }
            findings.extend(docs::check(root, &files));
            findings.extend(check_retire_lines(&files));
        }
        Err(error) => findings.push(Finding::new(".", 0, "tree", error.to_string())),
    }
    findings.sort();
    findings
}

/// What is allowed and yet worth a look: functions longer than they ought to be.
#[must_use]
pub fn advice(root: &Path) -> Vec<Finding> {
    let files = tree::files(root).unwrap_or_default();
    let sources = files.iter().filter(|(path, _)| path.ends_with(".rs"));
    let mut findings: Vec<_> =
        sources.flat_map(|(path, text)| functions::longish(path, text)).collect();
    findings.sort();
    findings
}

fn check_retire_lines(files: &tree::Files) -> Option<Finding> {
    let count: usize = files
        .iter()
        .filter(|(_, text)| !retire::is_whole_file(text))
        .map(|(_, text)| text.lines().filter(|line| retire::is_marked(line)).count())
        .sum();
    (count > RETIRE_LINES_MAX).then(|| {
        let message =
            format!("{count} lines are marked `retire`, at most {RETIRE_LINES_MAX} may be");
        Finding::new(".", 0, "retire-lines", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_a_compiler_s() {
        let finding = Finding::new("a/b.rs", 3, "rule", "text".into());
        assert_eq!(finding.to_string(), "a/b.rs:3: rule: text");
        assert_eq!(Finding::new("a", 0, "r", "t".into()).to_string(), "a: r: t");
    }

    #[test]
    fn retire_lines_have_a_ceiling() {
        let line = ["x; // ", "retire\n"].concat();
        let files: tree::Files = [("a.rs".to_owned(), line.repeat(RETIRE_LINES_MAX))].into();
        assert_eq!(check_retire_lines(&files), None);
        let files: tree::Files = [("a.rs".to_owned(), line.repeat(RETIRE_LINES_MAX + 1))].into();
        assert!(check_retire_lines(&files).is_some());
        let whole = format!("// {}\n", ["retire:", " whole file"].concat());
        let files: tree::Files =
            [("a.rs".to_owned(), whole + &line.repeat(RETIRE_LINES_MAX + 1))].into();
        assert_eq!(check_retire_lines(&files), None);
    }
}
