//! Paths that the documentation names exist.

use std::path::Path;

use super::Finding;
use super::tree::Files;

/// The page that tells where things are.
const PAGE: &str = "docs/architecture.md";

/// What a path of this workspace begins with.
const BEGINNINGS: [&str; 6] = ["crates/", "tests/", "docs/", "config/", ".ci/", ".cargo/"];

pub(super) fn check(root: &Path, files: &Files) -> Vec<Finding> {
    let Some(text) = files.get(PAGE) else {
        return vec![Finding::new(PAGE, 0, "docs", "this page is missing".to_owned())];
    };
    named_paths(text)
        .filter(|(_, path)| !root.join(path).exists())
        .map(|(line, path)| Finding::new(PAGE, line, "docs", format!("`{path}` does not exist")))
        .collect()
}

/// Paths between back quotes, with their lines.
fn named_paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        let quoted = line.split('`').skip(1).step_by(2);
        quoted
            .filter(|path| BEGINNINGS.iter().any(|beginning| path.starts_with(beginning)))
            .filter(|path| !path.contains([' ', '*', '{', '<']))
            .map(move |path| (index + 1, path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_between_back_quotes() {
        let text = "see `crates/a` and crates/b\n`auth::x` `docs/y.md`, `crates/*/src` `cargo x`\n";
        let found: Vec<_> = named_paths(text).collect();
        assert_eq!(found, [(1, "crates/a"), (2, "docs/y.md")]);
    }

    #[test]
    fn a_missing_path_or_page_is_found() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("crates/here")).unwrap();
        let page = (PAGE.to_owned(), "`crates/here` `crates/gone`".to_owned());
        let findings = check(root.path(), &[page].into());
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("crates/gone"));
        assert_eq!(check(root.path(), &Files::new()).len(), 1);
    }
}
