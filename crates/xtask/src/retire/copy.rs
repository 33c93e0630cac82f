//! A copy of the workspace as git sees it: tracked files and new ones that are not ignored.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::RehearsalError;

/// The workspace's files, relative to `root`.
pub(super) fn list(root: &Path) -> Result<BTreeSet<String>, RehearsalError> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| RehearsalError::Git(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(RehearsalError::Git(text));
    }
    let names = output.stdout.split(|&octet| octet == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
}

/// Copies `files` to `target`; those that git lists and are not there any more are left out of
/// the answer.
pub(super) fn copy(
    root: &Path,
    files: &BTreeSet<String>,
    target: &Path,
) -> io::Result<BTreeSet<String>> {
    let mut copied = BTreeSet::new();
    for file in files {
        let from = root.join(file);
        match fs::symlink_metadata(&from) {
            Ok(metadata) if metadata.is_file() => {
                let to = target.join(file);
                if let Some(folder) = to.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::copy(&from, &to)?;
                copied.insert(file.clone());
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(copied)
}
