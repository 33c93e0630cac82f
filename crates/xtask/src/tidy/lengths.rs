//! Every source file says what it is, and stays short enough to have one subject.

use super::Finding;

/// Most lines of a file.
const LINES_MAX: usize = 400;

/// Files that may be longer, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        let message = "the first line must be a `//!` that says what this file is".to_owned();
        findings.push(Finding::new(path, 1, "subject", message));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX && !EXCEPTIONS.iter().any(|(exempt, _)| *exempt == path) {
        let message =
            format!("{lines} lines, at most {LINES_MAX} may be: which second subject is in it?");
        findings.push(Finding::new(path, 0, "file-length", message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_its_subject() {
        assert!(check("a.rs", "//! A.\n").is_empty());
        assert_eq!(check("a.rs", "// A.\n")[0].rule, "subject");
        assert_eq!(check("a.rs", "")[0].rule, "subject");
    }

    #[test]
    fn a_file_has_a_limit() {
        let lines = |n: usize| format!("//! A.\n{}", "x\n".repeat(n - 1));
        assert!(check("a.rs", &lines(LINES_MAX)).is_empty());
        assert_eq!(check("a.rs", &lines(LINES_MAX + 1))[0].rule, "file-length");
    }
}
