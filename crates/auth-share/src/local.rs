//! The daemons of one host: datagrams through sockets in a directory of their user.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

/// A socket of our own, and where the other daemon has its.
pub(crate) struct Local {
    socket: UnixDatagram,
    /// Has no name and is asked no questions: whether there is room at the other daemon is seen
    /// by sending alone, and no event tells when there is again.
    sender: std::os::unix::net::UnixDatagram,
    path: PathBuf,
    /// Device and inode, so that only our own socket is removed.
    identity: Option<(u64, u64)>,
    peer: PathBuf,
}

impl Local {
    /// Takes the socket `own` in `directory`, which is made for its owner alone; one that another
    /// process left is replaced. Within a runtime.
    pub(crate) fn bind(directory: &Path, own: &str, peer: &str) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::set_permissions(directory, Permissions::from_mode(0o700))?,
        }
        let path = directory.join(own);
        // Bound under another name, closed to others, and only then put in its place.
        let new = directory.join(format!("{own}.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let sender = std::os::unix::net::UnixDatagram::unbound()?;
        sender.set_nonblocking(true)?;
        let socket = UnixDatagram::bind(&new)?;
        fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        fs::rename(&new, &path)?;
        let identity = identity_of(&path);
        Ok(Self { socket, sender, path, identity, peer: directory.join(peer) })
    }

    /// Sends, if the other daemon is there and has room; whether it could.
    pub(crate) fn tell(&self, frame: &[u8]) -> bool {
        self.sender.send_to(frame, &self.peer).is_ok()
    }

    /// The next datagram, as much of it as `room` takes.
    pub(crate) async fn hear(&self, room: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(room).await
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.identity.is_some() && identity_of(&self.path) == self.identity {
            // If it stays, the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
