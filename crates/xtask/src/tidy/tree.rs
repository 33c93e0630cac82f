//! The workspace's own text files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Path relative to the root, and content.
pub(super) type Files = BTreeMap<String, String>;

const EXTENSIONS: [&str; 4] = [".rs", ".toml", ".md", ".sh"];

/// Reads all text files that a rule speaks of; what git or cargo keeps is not among them.
pub(super) fn files(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    collect(root, "", &mut files)?;
    Ok(files)
}

fn collect(directory: &Path, prefix: &str, files: &mut Files) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let visible = !name.starts_with('.') || [".ci", ".cargo", ".github"].contains(&&*name);
            if visible && name != "target" {
                collect(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file() && EXTENSIONS.iter().any(|extension| name.ends_with(extension)) {
            match fs::read_to_string(entry.path()) {
                Ok(text) => {
                    files.insert(path, text);
                }
                // An editor's file that came and went.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
            }
        }
    }
    Ok(())
}
