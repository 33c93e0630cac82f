//! A disk for tests: fails when told, keeps a journal of all that was done to it, and can
//! make of the journal what a power cut would have left.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rustix::io::Errno;

use super::{Allocation, Disk, Free, Layer};

/// Something done to the disk. Files are known by numbers that do not come again (inodes do),
/// paths relative to the spool.
#[derive(Clone, Debug)]
enum Done {
    Create {
        file: u64,
        path: PathBuf,
    },
    Allocate {
        file: u64,
        size: u64,
    },
    Write {
        file: u64,
        at: u64,
        octets: Vec<u8>,
    },
    Sync {
        file: u64,
    },
    /// It failed: what it was to flush is on the medium or lost, and no later flush tells.
    LostSync {
        file: u64,
    },
    SyncDirectory {
        path: PathBuf,
    },
    LostSyncDirectory {
        path: PathBuf,
    },
    Rename {
        file: u64,
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With this error; of a write, half is done.
    Error(Errno),
    /// A write does half of it and says so; other calls do not fail.
    Short,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Number of the first call that fails, from 0.
    pub(crate) at: usize,
    /// Whether all later ones fail too.
    pub(crate) lasting: bool,
    pub(crate) how: How,
}

impl Fault {
    pub(crate) fn once(at: usize, errno: Errno) -> Self {
        Self { at, lasting: false, how: How::Error(errno) }
    }

    pub(crate) fn lasting(at: usize, errno: Errno) -> Self {
        Self { at, lasting: true, how: How::Error(errno) }
    }
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    failed: usize,
    fault: Option<Fault>,
    /// Free octets and inodes that the file system claims to have.
    free: Option<Free>,
    /// What was there before the journal begins.
    base: Vec<(PathBuf, u64, Vec<u8>)>,
    /// The numbers of files, by inode.
    numbers: HashMap<u64, u64>,
    last_number: u64,
    journal: Vec<Done>,
}

impl State {
    /// The number of a file that is seen for the first time.
    fn number(&mut self, inode: u64) -> u64 {
        self.last_number += 1;
        self.numbers.insert(inode, self.last_number);
        self.last_number
    }
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

    /// A disk on which there is a spool already.
    pub(crate) fn with_content(root: &Path) -> Self {
        let new = Self::new(root);
        let mut base = Vec::new();
        for directory in [root.to_path_buf(), root.join(crate::shared::BIG)] {
            for file in fs::read_dir(directory).unwrap() {
                let path = file.unwrap().path();
                if path.is_file() {
                    let number = new.lock().number(inode(&File::open(&path).unwrap()));
                    base.push((new.relative(&path), number, fs::read(&path).unwrap()));
                }
            }
        }
        new.lock().base = base;
        new
    }

    /// From now on the file system claims to have this much room.
    pub(crate) fn pretend(&self, free: Free) {
        self.lock().free = Some(free);
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

    /// Counts a call; says how it fails if it is its turn.
    fn turn(&self) -> Option<How> {
        let mut state = self.lock();
        let call = state.calls;
        state.calls += 1;
        let fault = state.fault.filter(|f| call == f.at || (f.lasting && call > f.at))?;
        state.failed += 1;
        Some(fault.how)
    }

    /// Counts a call that is no write; fails if it is its turn.
    fn count(&self) -> io::Result<()> {
        match self.turn() {
            Some(How::Error(errno)) => Err(errno.into()),
            _ => Ok(()),
        }
    }

    fn note(&self, done: Done) {
        self.lock().journal.push(done);
    }

    fn number(&self, file: &File) -> u64 {
        self.lock().numbers[&inode(file)]
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
        for (path, file, octets) in &state.base {
            names.insert(path.clone(), *file);
            files.insert(*file, Content { octets: octets.clone(), loose: Vec::new() });
        }
        let mut pending: Vec<&Done> = Vec::new();
        for done in &state.journal[..entries] {
            match done {
                Done::Create { file, .. } => {
                    files.insert(*file, Content::default());
                    pending.push(done);
                }
                Done::Rename { .. } | Done::Remove { .. } => pending.push(done),
                Done::Allocate { file, size } => {
                    // Zeros or nothing: a write of no octets at the end says as much.
                    files.get_mut(file).unwrap().loose.push((*size, &[]));
                }
                Done::Write { file, at, octets } => {
                    files.get_mut(file).unwrap().loose.push((*at, octets));
                }
                Done::Sync { file } => files.get_mut(file).unwrap().settle(&mut || true),
                Done::LostSync { file } => files.get_mut(file).unwrap().settle(keep),
                Done::SyncDirectory { path } | Done::LostSyncDirectory { path } => {
                    let lost = matches!(done, Done::LostSyncDirectory { .. });
                    let (now, later): (Vec<_>, Vec<_>) =
                        pending.into_iter().partition(|done| directory_of(done) == path);
                    now.into_iter()
                        .take_while(|_| !lost || keep())
                        .for_each(|done| rename(&mut names, done));
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
        Done::Rename { file, from, to } => {
            names.remove(from);
            names.insert(to.clone(), *file);
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
            if rest.is_empty() && keep() {
                self.octets.resize(self.octets.len().max(at), 0);
            }
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
        let number = self.lock().number(inode(&file));
        self.note(Done::Create { file: number, path: self.relative(path) });
        Ok(file)
    }

    fn allocate(&self, file: &File, size: u64) -> io::Result<Allocation> {
        self.count()?;
        file.set_len(size)?;
        self.note(Done::Allocate { file: self.number(file), size });
        Ok(Allocation::Reserved)
    }

    /// A write that fails has written some of it.
    fn write_at(&self, file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let turn = self.turn();
        let mut octets: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        if turn.is_some() {
            octets.truncate(octets.len().div_ceil(2));
        }
        Disk.write_at(file, &[IoSlice::new(&octets)], offset)?;
        let written = octets.len();
        self.note(Done::Write { file: self.number(file), at: offset, octets });
        match turn {
            Some(How::Error(errno)) => Err(errno.into()),
            _ => Ok(written),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.count().inspect_err(|_| self.note(Done::LostSync { file: self.number(file) }))?;
        // Nothing here depends on the machine's own medium.
        self.note(Done::Sync { file: self.number(file) });
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = self.relative(path);
        self.count().inspect_err(|_| self.note(Done::LostSyncDirectory { path: path.clone() }))?;
        self.note(Done::SyncDirectory { path });
        Ok(())
    }

    fn free(&self, path: &Path) -> io::Result<Free> {
        let pretended = self.lock().free;
        pretended.map_or_else(|| Disk.free(path), Ok)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count()?;
        let file = self.number(&File::open(from)?);
        Disk.rename(from, to)?;
        self.note(Done::Rename { file, from: self.relative(from), to: self.relative(to) });
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
