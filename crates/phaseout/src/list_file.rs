//! List files: one account a line.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use address::{AccountKey, Domain};

/// No list file is longer; a larger one is a wrong path. At 25 octets an address this is
/// well over a million of accounts.
pub(crate) const OCTETS_MAX: u64 = 64 << 20;

/// Reads the accounts of a list file. Blank lines and lines that begin with `#` are skipped.
///
/// # Errors
/// What is wrong, with the line.
pub(crate) fn read(
    path: &Path,
    default_domain: Option<&Domain>,
) -> Result<HashSet<AccountKey>, String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    if metadata.len() > OCTETS_MAX {
        return Err(format!("{shown} is larger than {} MiB", OCTETS_MAX >> 20));
    }
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?.take(OCTETS_MAX));
    let mut accounts = HashSet::new();
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        // A line that is no account must not be held whole, however long it is.
        let bound = AccountKey::LENGTH_MAX as u64 + 64;
        let read = (&mut lines).take(bound).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| format!("{shown}:{number}: the line is not UTF-8"))?
            .trim();
        if text.starts_with('#') {
            skip_rest(&mut lines, &line).map_err(unreadable)?;
        } else if !text.is_empty() {
            let key = AccountKey::parse(text, default_domain)
                .map_err(|error| format!("{shown}:{number}: not an account name: {error}"))?;
            accounts.insert(key);
        }
    }
    Ok(accounts)
}

/// A comment may be longer than an account name.
fn skip_rest(lines: &mut impl BufRead, line: &[u8]) -> std::io::Result<()> {
    if !line.ends_with(b"\n") {
        lines.skip_until(b'\n')?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &[u8]) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list.txt");
        std::fs::write(&path, text).unwrap();
        let domain = Domain::parse("isp.example").unwrap();
        let accounts = read(&path, Some(&domain))
            .map_err(|e| e.replace(&directory.path().display().to_string(), "DIR"))?;
        let mut names: Vec<_> = accounts.iter().map(ToString::to_string).collect();
        names.sort();
        Ok(names)
    }

    #[test]
    fn accounts_comments_blanks_and_both_line_ends() {
        let long_comment = format!("# {}\n", "x".repeat(10_000));
        let text = format!("Alice@North.Example\r\n\n{long_comment}  bob  \n# end");
        assert_eq!(list(text.as_bytes()).unwrap(), ["alice@north.example", "bob@isp.example"]);
        assert_eq!(list(b"").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn mistakes_name_the_line() {
        let bad = list(b"a@x.example\nb c\n").unwrap_err();
        assert_eq!(
            bad,
            "DIR/list.txt:2: not an account name: it holds a character no account name may hold"
        );
        assert!(list(b"a\n\xff\n").unwrap_err().starts_with("DIR/list.txt:2: the line is not"));
        let long = list("x".repeat(1_000_000).as_bytes()).unwrap_err();
        assert!(long.starts_with("DIR/list.txt:1: not an account name: it is longer"), "{long}");
    }

    #[test]
    fn a_huge_file_and_a_device_are_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("huge");
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(read(&path, None).unwrap_err().ends_with("is larger than 64 MiB"));
        assert!(read(Path::new("/dev/zero"), None).unwrap_err().ends_with("not a regular file"));
        assert!(read(directory.path(), None).unwrap_err().ends_with("not a regular file"));
        assert!(read(&directory.path().join("none"), None).unwrap_err().contains("cannot be read"));
    }
}
