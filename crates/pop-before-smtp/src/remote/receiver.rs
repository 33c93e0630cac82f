//! The side that owns the window.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth::{Clock, Directory, Login, LoginObserver, Moment};
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::frame::{FRAME_MAX, Frame, RemoteLogin};
use crate::config::SocketConfig;

/// POP3 processes that may be connected at once.
const CONNECTIONS_MAX: usize = 32;
/// How long an acknowledgement may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// A login that took longer to arrive makes no grant: nobody waits for it any more, and the
/// address may have another holder.
const AGE_MAX: SignedDuration = SignedDuration::from_secs(30);
/// How long to wait after `accept` failed, as when descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the socket could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// Another process receives there.
    #[error("{}: another process receives grants there", .0.display())]
    InUse(PathBuf),
    /// Something that is not a socket lies there.
    #[error("{}: a file that is not a socket lies there; move it away", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Receives logins and shows them to an observer, usually the bridge.
pub struct GrantReceiver {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that only our own socket is removed.
    identity: Option<(u64, u64)>,
    shared: Arc<Shared>,
}

struct Shared {
    observer: Arc<dyn LoginObserver>,
    directory: Directory,
    clock: Arc<dyn Clock>,
    users: Vec<u32>,
}

impl GrantReceiver {
    /// Takes the socket of `config`, mode 0660; one that a dead process left is replaced.
    /// Within a runtime.
    ///
    /// # Errors
    /// If a living process has it, or it can't be made.
    pub fn bind(
        config: &SocketConfig,
        observer: Arc<dyn LoginObserver>,
        directory: Directory,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReceiverError> {
        let path = config.path.clone();
        make_sure_it_is_free(&path)?;
        let listener = bind_by_renaming(&path)
            .map_err(|source| ReceiverError::Io { path: path.clone(), source })?;
        let mut users = config.users.clone();
        users.push(rustix::process::geteuid().as_raw());
        let shared = Arc::new(Shared { observer, directory, clock, users });
        let identity = identity_of(&path);
        Ok(Self { listener, path, identity, shared })
    }

    /// Receives until it is dropped.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = tokio::task::JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a publisher of grants could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if !self.shared.trusts(&stream) {
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!(max = CONNECTIONS_MAX, "too many publishers of grants");
                continue;
            };
            let shared = Arc::clone(&self.shared);
            connections.spawn(async move {
                let _place = place;
                shared.serve(stream).await;
            });
        }
    }
}

impl Drop for GrantReceiver {
    fn drop(&mut self) {
        if self.identity.is_some() && identity_of(&self.path) == self.identity {
            // If it stays, the next start replaces it.
            let _removed = std::fs::remove_file(&self.path);
        }
    }
}

impl std::fmt::Debug for GrantReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrantReceiver").field("path", &self.path).finish_non_exhaustive()
    }
}

fn make_sure_it_is_free(path: &Path) -> Result<(), ReceiverError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ReceiverError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ReceiverError::InUse(path.to_owned())),
        // Nobody listens: it is stale, and binding replaces it.
        Err(_) => Ok(()),
    }
}

/// Binds under another name, sets the mode, and only then lets the socket be found: there is
/// no moment at which everybody could connect.
fn bind_by_renaming(path: &Path) -> io::Result<UnixListener> {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    let hidden = PathBuf::from(hidden);
    match std::fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&hidden)?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o660))
        .and_then(|()| std::fs::rename(&hidden, path))
        .inspect_err(|_| {
            let _removed = std::fs::remove_file(&hidden);
        })?;
    Ok(listener)
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Shared {
    fn trusts(&self, stream: &UnixStream) -> bool {
        match stream.peer_cred() {
            Ok(peer) if self.users.contains(&peer.uid()) => true,
            Ok(peer) => {
                tracing::warn!(
                    uid = peer.uid(),
                    pid = peer.pid(),
                    "a process of another user tried to publish grants; add it to socket.users \
                     if it may"
                );
                false
            }
            Err(error) => {
                tracing::warn!(%error, "a publisher of grants did not show who it is");
                false
            }
        }
    }

    /// Reads logins until the other side goes or talks nonsense.
    async fn serve(&self, mut stream: UnixStream) {
        let mut input = Vec::with_capacity(FRAME_MAX);
        let mut output = Vec::new();
        let mut piece = [0; 4096];
        loop {
            loop {
                match Frame::take(&mut input) {
                    Ok(Some(Frame::Login(login))) => {
                        self.show(&login).await;
                        Frame::Acknowledgement(login.id).write(&mut output);
                    }
                    Ok(Some(Frame::Ping(id))) => Frame::Acknowledgement(id).write(&mut output),
                    Ok(None) => break,
                    Ok(Some(Frame::Acknowledgement(_))) | Err(_) => {
                        tracing::warn!("a publisher of grants talks nonsense; it is cut off");
                        return;
                    }
                }
            }
            if !output.is_empty() {
                let written = tokio::time::timeout(WRITE_TIMEOUT, stream.write_all(&output)).await;
                if !matches!(written, Ok(Ok(()))) {
                    return;
                }
                output.clear();
            }
            // Less than one frame is kept, and what one read brings.
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(read) => input.extend(piece.iter().take(read)),
            }
        }
    }

    async fn show(&self, remote: &RemoteLogin) {
        let now = self.clock.now();
        let age = now.wall.duration_since(remote.at).max(SignedDuration::ZERO);
        if age > AGE_MAX {
            tracing::warn!(account = %remote.account, ?age, "a login came too late for a grant");
            return;
        }
        let account = match self.directory.find(&remote.account).await {
            Ok(Some(account)) => account,
            Ok(None) => {
                tracing::warn!(account = %remote.account, "a login of an account unknown here");
                return;
            }
            Err(problem) => {
                tracing::warn!(account = %remote.account, %problem, "a login gives no grant");
                return;
            }
        };
        let mono = now.mono.saturating_sub(Duration::try_from(age).unwrap_or_default());
        let login = Login {
            account,
            client: remote.client,
            channel: remote.channel,
            at: Moment { wall: remote.at, mono },
            // The publisher tells of customers alone.
            acting: None,
        };
        self.observer.on_login(&login).await;
    }
}
