//! A disk for tests: fails when told, keeps a journal of all that was done to it, and can
//! make of the journal what a power cut would have left.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rustix::io::Errno;

use super::{Disk, Layer};

/// Something done to the disk. Files are known by inode, paths relative to the spool.
#[derive(Clone, Debug)]
enum Done {
    Create { file: u64, path: PathBuf },
    Write { file: u64, at: u64, octets: Vec<u8> },
    Sync { file: u64 },
    SyncDirectory { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
}

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Number of the first call that fails, from 0.
    pub(crate) at: usize,
    /// Whether all later ones fail too.
    pub(crate) lasting: bool,
    pub(crate) errno: Errno,
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    failed: usize,
    fault: Option<Fault>,
    journal: Vec<Done>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Faulty {
    root: PathBuf,
    state: Mutex<State>,
}

impl Faulty {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), state: Mutex::default() }
    }

    /// From now on this fails; numbers count from the layer's first call.
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    pub(crate) fn calls(&self) -> usize {
        self.lock().calls
    }

    /// How many calls have failed.
    pub(crate) fn failed(&self) -> usize {
        self.lock().failed
    }

    /// Entries of the journal so far.
    pub(crate) fn journal(&self) -> usize {
        self.lock().journal.len()
    }

    /// How many segments were set aside to be used again.
    pub(crate) fn renewed(&self) -> usize {
        let renews = |done: &Done| match done {
            Done::Rename { from, .. } => from.extension().is_some_and(|e| e == "seg"),
            _ => false,
        };
        self.lock().journal.iter().filter(|done| renews(done)).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a call; fails if it is its turn.
    fn count(&self) -> io::Result<()> {
        let mut state = self.lock();
        let call = state.calls;
        state.calls += 1;
        match state.fault {
            Some(f) if call == f.at || (f.lasting && call > f.at) => {
                state.failed += 1;
                Err(f.errno.into())
            }
            _ => Ok(()),
        }
    }

    fn note(&self, done: Done) {
        self.lock().journal.push(done);
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap().to_path_buf()
    }

    /// Builds in `to` what may be left if the power goes after `entries` of the journal: what
    /// was flushed, and of the rest whatever `keep` says: for file contents block by block,
    /// for names of a directory up to some point.
    pub(crate) fn after_power_cut(
        &self,
        entries: usize,
        to: &Path,
        keep: &mut dyn FnMut() -> bool,
    ) {
        let state = self.lock();
        let mut files: HashMap<u64, Content> = HashMap::new();
        let mut names: BTreeMap<PathBuf, u64> = BTreeMap::new();
        let mut pending: Vec<&Done> = Vec::new();
        for done in &state.journal[..entries] {
            match done {
                Done::Create { file, .. } => {
                    files.insert(*file, Content::default());
                    pending.push(done);
                }
                Done::Rename { .. } | Done::Remove { .. } => pending.push(done),
                Done::Write { file, at, octets } => {
                    files.get_mut(file).unwrap().loose.push((*at, octets));
                }
                Done::Sync { file } => files.get_mut(file).unwrap().settle(&mut || true),
                Done::SyncDirectory { path } => {
                    let (now, later): (Vec<_>, Vec<_>) =
                        pending.into_iter().partition(|done| directory_of(done) == path);
                    now.into_iter().for_each(|done| rename(&mut names, done));
                    pending = later;
                }
            }
        }
        for done in pending {
            if !keep() {
                break;
            }
            rename(&mut names, done);
        }
        fs::create_dir_all(to.join(crate::shared::BIG)).unwrap();
        for (path, file) in names {
            let content = files.get_mut(&file).unwrap();
            content.settle(keep);
            fs::write(to.join(path), &content.octets).unwrap();
        }
    }
}

fn directory_of(done: &Done) -> &Path {
    match done {
        Done::Create { path, .. } | Done::Remove { path } | Done::Rename { to: path, .. } => {
            path.parent().unwrap()
        }
        _ => unreachable!("{done:?}"),
    }
}

fn rename(names: &mut BTreeMap<PathBuf, u64>, done: &Done) {
    match done {
        Done::Create { file, path } => {
            names.insert(path.clone(), *file);
        }
        Done::Remove { path } => {
            names.remove(path);
        }
        Done::Rename { from, to } => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        _ => unreachable!("{done:?}"),
    }
}

/// A file: what is on the medium, and what is only in the cache.
#[derive(Debug, Default)]
struct Content<'a> {
    octets: Vec<u8>,
    loose: Vec<(u64, &'a [u8])>,
}

impl Content<'_> {
    /// Brings cached writes to the medium, each 512-octet sector if `keep` says so.
    fn settle(&mut self, keep: &mut dyn FnMut() -> bool) {
        for (at, octets) in std::mem::take(&mut self.loose) {
            let mut at = usize::try_from(at).unwrap();
            let mut rest = octets;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(512 - at % 512));
                if keep() {
                    let end = at + now.len();
                    self.octets.resize(self.octets.len().max(end), 0);
                    self.octets[at..end].copy_from_slice(now);
                }
                (at, rest) = (at + now.len(), later);
            }
        }
    }
}

fn inode(file: &File) -> u64 {
    use std::os::unix::fs::MetadataExt;
    file.metadata().unwrap().ino()
}

impl Layer for Faulty {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.count()?;
        let file = Disk.create(path)?;
        self.note(Done::Create { file: inode(&file), path: self.relative(path) });
        Ok(file)
    }

    /// A write that fails has written some of it.
    fn write_at(&self, file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let turn = self.count();
        let mut octets: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        if turn.is_err() {
            octets.truncate(octets.len() / 2);
        }
        Disk.write_at(file, &[IoSlice::new(&octets)], offset)?;
        let written = octets.len();
        self.note(Done::Write { file: inode(file), at: offset, octets });
        turn.map(|()| written)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.count()?;
        // Nothing here depends on the machine's own medium.
        self.note(Done::Sync { file: inode(file) });
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.count()?;
        self.note(Done::SyncDirectory { path: self.relative(path) });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count()?;
        Disk.rename(from, to)?;
        self.note(Done::Rename { from: self.relative(from), to: self.relative(to) });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.count()?;
        let there = path.exists();
        Disk.remove(path)?;
        if there {
            self.note(Done::Remove { path: self.relative(path) });
        }
        Ok(())
    }
}
