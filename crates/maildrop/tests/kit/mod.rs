//! A Maildir to test with, and what a client would see of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use maildrop::{Maildrop, OpenOptions};
use textproto::DotStuffer;

/// The time of every update that does not care.
pub(crate) const NOW: i64 = 1_800_000_000;

/// A Maildir in a directory that goes away with it.
pub(crate) struct Box {
    _directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Box {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("Maildir");
        maildrop::create(&path).unwrap();
        Self { _directory: directory, path }
    }

    /// Writes a message file such as `new/1.a`.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path.join(name), content).unwrap();
        self
    }

    pub(crate) fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.path.join(name)).unwrap();
        self
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> &Self {
        fs::rename(self.path.join(from), self.path.join(to)).unwrap();
        self
    }

    pub(crate) fn open(&self) -> Maildrop {
        open(&self.path, &OpenOptions::default())
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("lastpost-state")
    }

    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path.join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Opens a maildrop that no session has. A process that another test starts has copies of all
/// locks until it runs its program, so that takes some patience.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Maildrop {
    for _ in 0..1000 {
        match Maildrop::open(path, options) {
            Err(maildrop::OpenError::InUse { .. }) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other.unwrap(),
        }
    }
    panic!("{} is in use", path.display());
}

/// Long enough for a state taken afterwards to be taken for current.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(3100));
}

pub(crate) fn uidls(maildrop: &Maildrop) -> Vec<String> {
    maildrop.messages().map(|message| message.uidl.to_owned()).collect()
}

pub(crate) fn sizes(maildrop: &Maildrop) -> Vec<u64> {
    maildrop.messages().map(|message| message.octets).collect()
}

/// The message as stored.
pub(crate) fn read(maildrop: &Maildrop, index: usize) -> Vec<u8> {
    let mut reader = maildrop.retrieve(index).unwrap();
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert_eq!((out.len() as u64, 0), (reader.size(), reader.left()));
    reader.note_octets(textproto::measure(&out));
    out
}

/// Octets that RETR sends, counted as RFC 1939 section 11 does.
pub(crate) fn octets_sent(maildrop: &Maildrop, index: usize) -> u64 {
    let mut stuffer = DotStuffer::new();
    let mut reader = maildrop.retrieve(index).unwrap();
    let (mut block, mut wire) = ([0; 10_000], Vec::new());
    while let read @ 1.. = reader.read(&mut block).unwrap() {
        stuffer.stuff(&block[..read], &mut wire);
    }
    stuffer.finish(&mut wire);
    assert!(wire.ends_with(b".\r\n"));
    reader.note_octets(stuffer.wire_octets());
    stuffer.wire_octets()
}

/// Runs `work` as a user who is not root and owns nothing, if this process may become one.
/// `false`: it is not root, so rights apply to it anyway.
pub(crate) fn as_nobody(path: &Path, work: impl FnOnce() + Send) {
    let open_up = |path: &Path| {
        for ancestor in path.ancestors().take_while(|p| p.starts_with(std::env::temp_dir())) {
            if ancestor != std::env::temp_dir() {
                let rights = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                fs::set_permissions(ancestor, rights).unwrap();
            }
        }
    };
    open_up(path);
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                if rustix::process::geteuid().is_root() {
                    // Of this thread alone.
                    let nobody = rustix::process::Uid::from_raw(65534);
                    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
                }
                work();
            })
            .join()
            .unwrap();
    });
}
