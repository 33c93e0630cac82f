//! How long functions are.

use super::Finding;
use super::mask::mask;

/// No function is longer than this.
const LINES_MAX: usize = 150;
/// A function longer than this is listed as worth a look.
const LINES_GOOD: usize = 70;

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
struct Function<'a> {
    name: &'a str,
    /// Line of its `fn`, from 1.
    line: usize,
    /// From `fn` to the closing brace.
    lines: usize,
}

pub(super) fn too_long(path: &str, text: &str) -> Vec<Finding> {
    longer_than(path, text, LINES_MAX, usize::MAX)
}

pub(super) fn longish(path: &str, text: &str) -> Vec<Finding> {
    longer_than(path, text, LINES_GOOD, LINES_MAX)
}

fn longer_than(path: &str, text: &str, least: usize, most: usize) -> Vec<Finding> {
    let masked = mask(text);
    functions(&masked)
        .into_iter()
        .filter(|function| function.lines > least && function.lines <= most)
        .map(|Function { name, line, lines }| {
            let message = format!("`{name}` has {lines} lines; {least} are enough");
            Finding::new(path, line, "function-length", message)
        })
        .collect()
}

fn functions(masked: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = masked[from..].find("fn ").map(|at| from + at) {
        from = start + 3;
        let before = masked[..start].chars().next_back();
        let inside_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '#');
        let rest = masked[from..].trim_start();
        let name_length =
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        // `fn(u8)` without a name is a type.
        if inside_a_word || name_length == 0 {
            continue;
        }
        if let Some(end) = body_end(masked, from) {
            let line = 1 + newlines(&masked[..start]);
            let lines = 1 + newlines(&masked[start..end]);
            found.push(Function { name: &rest[..name_length], line, lines });
        }
    }
    found
}

/// Where the body of the function whose head begins at `from` ends; `None` without a body.
fn body_end(masked: &str, from: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, octet) in masked.bytes().enumerate().skip(from) {
        match octet {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&octet| octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(source: &str) -> Vec<(String, usize, usize)> {
        let masked = mask(source);
        functions(&masked).into_iter().map(|f| (f.name.to_owned(), f.line, f.lines)).collect()
    }

    #[test]
    fn functions_are_measured_from_head_to_brace() {
        let source = "\
//! fn not_this() {
fn a() {}
pub(crate) async fn b<'x>(
    y: [u8; 3],
) -> &'x str {
    let z = \"}\"; // }
    if true { '}' } else { '{' }
}
trait T { fn c(&self) -> [u8; 4]; fn d(&self) {
    fn inner() {
    }
} }
type F = fn (u8);
";
        let expected = [("a", 2, 1), ("b", 3, 6), ("d", 9, 4), ("inner", 10, 2)];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, line, lines)| (name.to_owned(), line, lines))
            .collect();
        assert_eq!(measured(source), expected);
    }

    #[test]
    fn long_functions_are_found() {
        let source = |lines: usize| format!("fn f() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        assert!(longish("a.rs", &source(LINES_GOOD)).is_empty());
        assert_eq!(longish("a.rs", &source(LINES_GOOD + 1)).len(), 1);
        assert!(too_long("a.rs", &source(LINES_MAX)).is_empty());
        assert_eq!(too_long("a.rs", &source(LINES_MAX + 1)).len(), 1);
        assert!(longish("a.rs", &source(LINES_MAX + 1)).is_empty());
    }
}
