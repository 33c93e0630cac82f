//! Taking the bridge out: what is marked for it, and a rehearsal in a copy of the workspace.
//!
//! Three marks, wherever they stand:
//! - a manifest with the comment `retire: whole crate`: its whole folder goes;
//! - a file with the comment `retire: whole file` among its first three lines: it goes;
//! - a line that ends in `retire` as a comment of its own: it goes.

mod copy;
mod plan;
mod rehearsal;
mod touched;

pub use plan::{Plan, PlanError};
pub use rehearsal::{Rehearsal, RehearsalError, RehearsalReport};

/// How comments begin; longer forms first.
const COMMENTS: [&str; 4] = ["//!", "//", "#", "<!--"];

/// How a marked line ends: Rust, TOML and shell, Markdown.
const LINE_MARKS: [&str; 3] = ["// retire", "# retire", "<!-- retire -->"];

/// How many lines of a file are looked at for its own mark.
const HEAD_LINES: usize = 3;

/// Whether this line goes.
#[must_use]
pub fn is_marked(line: &str) -> bool {
    let line = line.trim_end();
    LINE_MARKS.iter().any(|mark| line.ends_with(mark))
}

/// Whether the file with this content goes as a whole.
#[must_use]
pub fn is_whole_file(text: &str) -> bool {
    text.lines().take(HEAD_LINES).any(|line| is_comment(line, "retire: whole file"))
}

/// Whether the folder of the manifest with this content goes as a whole.
#[must_use]
pub fn is_whole_crate(manifest: &str) -> bool {
    manifest.lines().any(|line| is_comment(line, "retire: whole crate"))
}

/// The text without its marked lines, and how many there were.
#[must_use]
pub fn without_marked_lines(text: &str) -> (String, usize) {
    let mut kept = String::with_capacity(text.len());
    let mut gone = 0;
    for line in text.split_inclusive('\n') {
        if is_marked(line) {
            gone += 1;
        } else {
            kept.push_str(line);
        }
    }
    (kept, gone)
}

fn is_comment(line: &str, says: &str) -> bool {
    let line = line.trim_start();
    let comment = COMMENTS.iter().find_map(|leader| line.strip_prefix(leader));
    comment.is_some_and(|text| text.trim_start().starts_with(says))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_at_the_end_of_a_line() {
        for marked in
            ["x; // retire", "a = 1 # retire ", "# retire", "| a | <!-- retire -->", "//// retire"]
        {
            assert!(is_marked(marked), "{marked}");
        }
        for other in ["x; // retired", "// retire x", "retire", "x /* retire */", "//retire"] {
            assert!(!is_marked(other), "{other}");
        }
    }

    #[test]
    fn a_file_is_marked_in_its_head() {
        let mark = "retire: whole file";
        for text in [
            format!("//! {mark}\n"),
            format!("//! Subject.\n// {mark}, with the bridge\n"),
            format!("# {mark}\n"),
            format!("\n\n<!-- {mark} -->"),
        ] {
            assert!(is_whole_file(&text), "{text}");
        }
        for text in [
            format!("{mark}\n"),
            format!("let x = \"// {mark}\";\n"),
            format!("\n\n\n// {mark}\n"),
            format!("// see {mark}\n"),
        ] {
            assert!(!is_whole_file(&text), "{text}");
        }
    }

    #[test]
    fn a_crate_is_marked_in_its_manifest() {
        assert!(is_whole_crate("[package]\n# retire: whole crate\nname = \"x\"\n"));
        assert!(!is_whole_crate("description = \"retire: whole crate\"\n"));
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let text = "a\r\nb // retire\r\nc # retire\nd";
        assert_eq!(without_marked_lines(text), ("a\r\nd".to_owned(), 2));
        assert_eq!(without_marked_lines("a\n"), ("a\n".to_owned(), 0));
    }
}
