//! What would go, and doing it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{is_whole_crate, is_whole_file, without_marked_lines};

/// Files that go on naming what is gone, each with its reason.
const REMEMBERING: &[(&str, &str)] = &[(
    "crates/lastpost/src/config/retired.rs",
    "it tells whoever still has the old configuration file what to do with it",
)];

/// Why a plan could not be made or carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file could not be read, written or removed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing is marked, so there is nothing to rehearse, or the mark was lost.
    #[error(
        "no manifest says `# retire: whole crate`: mark the crate that is to go, or forget about \
         retiring it"
    )]
    NoCrate,
}

/// What goes.
#[derive(Debug, Default, Serialize)]
pub struct Plan {
    /// Packages that go with their folders.
    pub crates: Vec<Retiring>,
    /// Files outside of those folders that go whole.
    pub files: Vec<String>,
    /// Files that lose lines, and how many.
    pub lines: Vec<(String, usize)>,
}

/// A package that goes.
#[derive(Debug, Serialize)]
pub struct Retiring {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the root.
    pub folder: String,
}

impl Plan {
    /// Looks for marks in `files`, which are paths relative to `root`.
    ///
    /// # Errors
    /// [`PlanError::NoCrate`] if no crate is marked, and what the file system says.
    pub fn of(root: &Path, files: &BTreeSet<String>) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for path in files.iter().filter(|path| path.ends_with("/Cargo.toml")) {
            let manifest = read(&root.join(path))?.unwrap_or_default();
            if is_whole_crate(&manifest) {
                let folder = path.trim_end_matches("/Cargo.toml").to_owned();
                plan.crates.push(Retiring { name: package_name(&manifest, &folder), folder });
            }
        }
        if plan.crates.is_empty() {
            return Err(PlanError::NoCrate);
        }
        let folders: Vec<_> = plan.crates.iter().map(|retiring| retiring.folder.clone()).collect();
        let goes = |path: &str| folders.iter().any(|folder| Path::new(path).starts_with(folder));
        for path in files.iter().filter(|path| !goes(path)) {
            let Some(text) = read(&root.join(path))? else { continue };
            if is_whole_file(&text) {
                plan.files.push(path.clone());
            } else {
                let (_, gone) = without_marked_lines(&text);
                if gone > 0 {
                    plan.lines.push((path.clone(), gone));
                }
            }
        }
        Ok(plan)
    }

    /// Number of marked lines in files that stay.
    #[must_use]
    pub fn marked_lines(&self) -> usize {
        self.lines.iter().map(|(_, count)| count).sum()
    }

    /// Does it, below `root`.
    ///
    /// # Errors
    /// What the file system says; the tree is half done then.
    pub fn carry_out(&self, root: &Path) -> Result<(), PlanError> {
        for retiring in &self.crates {
            let folder = root.join(&retiring.folder);
            fs::remove_dir_all(&folder).map_err(at(&folder))?;
        }
        for file in &self.files {
            let path = root.join(file);
            fs::remove_file(&path).map_err(at(&path))?;
            remove_empty_folders(root, &path);
        }
        for (file, _) in &self.lines {
            let path = root.join(file);
            let text = read(&path)?.unwrap_or_default();
            fs::write(&path, without_marked_lines(&text).0).map_err(at(&path))?;
        }
        Ok(())
    }

    /// Where code, manifests and the lock file still name what is gone: `path:line: text`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn leftovers(
        &self,
        root: &Path,
        files: &BTreeSet<String>,
    ) -> Result<Vec<String>, PlanError> {
        let names: Vec<String> = self
            .crates
            .iter()
            .flat_map(|retiring| [retiring.name.clone(), retiring.name.replace('-', "_")])
            .collect();
        let speaks = |path: &str| [".rs", ".toml", ".lock"].iter().any(|end| path.ends_with(end));
        let mut found = Vec::new();
        for path in files.iter().filter(|path| speaks(path)) {
            if REMEMBERING.iter().any(|(remembering, _)| remembering == path) {
                continue;
            }
            // What went with the plan cannot be read any more.
            let Some(text) = read(&root.join(path))? else { continue };
            for (index, line) in text.lines().enumerate() {
                if names.iter().any(|name| line.contains(name)) {
                    found.push(format!("{path}:{}: {}", index + 1, line.trim()));
                }
            }
        }
        Ok(found)
    }
}

/// The text of a file; `None` if it is gone or is no text.
fn read(path: &Path) -> Result<Option<String>, PlanError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => Ok(None),
            _ => Err(at(path)(error)),
        },
    }
}

fn package_name(manifest: &str, folder: &str) -> String {
    let name = manifest.lines().find_map(|line| {
        let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?;
        Some(value.trim().trim_matches('"').to_owned())
    });
    name.unwrap_or_else(|| folder.rsplit('/').next().unwrap_or(folder).to_owned())
}

fn remove_empty_folders(root: &Path, file: &Path) {
    for folder in file.ancestors().skip(1).take_while(|folder| *folder != root) {
        // Ends at the first that still has something in it.
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PlanError + use<> {
    let path = path.to_owned();
    move |source| PlanError::Io { path, source }
}
