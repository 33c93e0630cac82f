//! Dovecot 2.3 in a directory of its own: as POP3 server with copies of the demo's mail, and as
//! the one that checks logins for Postfix.
//!
//! For POP3 it has few long-lived login processes (its "high-performance" mode) and makes no flag
//! updates.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::{self, Daemon};
use crate::bench::BenchError;
use crate::bench::target::{Account, Demo};

const NAME: &str = "dovecot";
/// On a real disk, as the demo's mail should be.
const PLACE: &str = "/var/tmp";

/// Where its accounts and its mail come from.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Origin {
    /// A demo's directory.
    pub(in crate::bench) demo: PathBuf,
    /// User id that it reads the copied mail as.
    pub(in crate::bench) uid: u32,
    /// Plain passwords instead of the demo's hashes.
    pub(in crate::bench) plain: bool,
}

/// A POP3 server.
pub(in crate::bench) struct Pop3 {
    pub(in crate::bench) daemon: Daemon,
    pub(in crate::bench) pop3: SocketAddr,
    pub(in crate::bench) pop3s: SocketAddr,
    directory: PathBuf,
}

impl Pop3 {
    pub(in crate::bench) async fn start(args: &Origin, demo: &Demo) -> Result<Self, BenchError> {
        check_version()?;
        let directory = daemon::directory(NAME, Path::new(PLACE))?;
        let [pop3, pop3s] = daemon::free_ports()?;
        let path = directory.path();
        let prepared = prepare(path, args, demo).and_then(|()| copy_mail(path, args, demo));
        prepared.map_err(BenchError::peer(NAME))?;
        let configuration = pop3_configuration(path, args.uid, pop3, pop3s);
        let path = path.to_owned();
        let mut daemon = start(directory, &configuration)?;
        daemon.wait_until_it_listens(pop3).await?;
        Ok(Self { daemon, pop3, pop3s, directory: path })
    }

    /// Its Maildir of an account.
    pub(in crate::bench) fn maildir(&self, login: &str) -> PathBuf {
        self.directory.join("mail").join(login).join("Maildir")
    }

    /// The folders in which it keeps what it has learnt of an account's mail.
    pub(in crate::bench) fn learnt(&self, login: &str) -> Vec<PathBuf> {
        ["index", "control"].iter().map(|folder| self.directory.join(folder).join(login)).collect()
    }
}

/// A server of logins at a Unix socket, which anybody may connect to.
pub(super) struct Logins {
    pub(super) daemon: Daemon,
    pub(super) socket: PathBuf,
}

impl Logins {
    pub(super) async fn start(args: &Origin, demo: &Demo) -> Result<Self, BenchError> {
        check_version()?;
        let directory = daemon::directory(NAME, Path::new(PLACE))?;
        let path = directory.path();
        prepare(path, args, demo).map_err(BenchError::peer(NAME))?;
        let socket = path.join("logins");
        let configuration = login_configuration(path, args.uid, &socket);
        let mut daemon = start(directory, &configuration)?;
        daemon.wait_until(|| socket.exists()).await?;
        Ok(Self { daemon, socket })
    }
}

fn start(directory: tempfile::TempDir, configuration: &str) -> Result<Daemon, BenchError> {
    let file = directory.path().join("dovecot.conf");
    fs::write(&file, configuration).map_err(BenchError::peer(NAME))?;
    let mut command = Command::new("dovecot");
    command.args(["-F", "-c"]).arg(file);
    Daemon::start(NAME, command, directory, None)
}

fn check_version() -> Result<(), BenchError> {
    let version = daemon::version(NAME, Command::new("dovecot").arg("--version"))?;
    if version.starts_with("2.3.") {
        return Ok(());
    }
    Err(BenchError::Peer { name: NAME, why: "the configuration written here is for 2.3".into() })
}

fn prepare(directory: &Path, args: &Origin, demo: &Demo) -> io::Result<()> {
    for folder in ["run", "state"] {
        fs::create_dir(directory.join(folder))?;
    }
    for file in ["certificate.pem", "key.pem"] {
        fs::copy(args.demo.join(file), directory.join(file))?;
    }
    // Its authentication process is not root, so everybody may read this.
    fs::write(directory.join("users"), passwords(args, demo)?)
}

fn copy_mail(directory: &Path, args: &Origin, demo: &Demo) -> io::Result<()> {
    for folder in ["mail", "index", "control"] {
        fs::create_dir(directory.join(folder))?;
        chown(directory.join(folder), Some(args.uid), Some(args.uid))?;
    }
    for account in &demo.accounts {
        let home = directory.join("mail").join(&account.account.login);
        copy_tree(&account.maildir, &home.join("Maildir"), args.uid)?;
        chown(&home, Some(args.uid), Some(args.uid))?;
    }
    Ok(())
}

/// A passwd-file of login and hash only.
fn passwords(args: &Origin, demo: &Demo) -> io::Result<String> {
    if args.plain {
        let line = |account: &Account| format!("{}:{{PLAIN}}{}\n", account.login, account.password);
        return Ok(demo.accounts.iter().map(|account| line(&account.account)).collect());
    }
    let users = fs::read_to_string(args.demo.join("users"))?;
    let lines = users.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split(':');
        Some(format!("{}:{}\n", fields.next()?, fields.next()?))
    });
    Ok(lines.collect())
}

fn copy_tree(from: &Path, to: &Path, uid: u32) -> io::Result<()> {
    fs::create_dir_all(to)?;
    chown(to, Some(uid), Some(uid))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target, uid)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), &target)?;
            chown(&target, Some(uid), Some(uid))?;
        }
    }
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What both servers have in common: who may log in.
fn accounts_configuration(directory: &Path, uid: u32) -> String {
    let dir = directory.display();
    // Not as many checks of passwords at a time as are asked for: each needs its memory.
    let workers = cores() * 2;
    format!(
        "base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 64M
auth_cache_verify_password_with_worker = yes
auth_worker_max_count = {workers}
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={dir}/mail/%u allow_all_users=yes
}}
first_valid_uid = {uid}
first_valid_gid = {uid}
default_vsz_limit = 1G
service auth-worker {{
  service_count = 0
}}
"
    )
}

fn login_configuration(directory: &Path, uid: u32, socket: &Path) -> String {
    let socket = socket.display();
    accounts_configuration(directory, uid)
        + &format!(
            "instance_name = lastpost-bench-logins
protocols =
ssl = no
service auth {{
  client_limit = 5000
  unix_listener {socket} {{
    mode = 0666
  }}
}}
"
        )
}

fn pop3_configuration(directory: &Path, uid: u32, pop3: SocketAddr, pop3s: SocketAddr) -> String {
    let dir = directory.display();
    let (pop3, pop3s, cores) = (pop3.port(), pop3s.port(), cores());
    accounts_configuration(directory, uid)
        + &format!(
            "instance_name = lastpost-bench-pop3
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/certificate.pem
ssl_key = <{dir}/key.pem
mail_location = maildir:~/Maildir:INDEX={dir}/index/%u:CONTROL={dir}/control/%u
mail_max_userip_connections = 0
maildir_very_dirty_syncs = yes
pop3_no_flag_updates = yes
service pop3-login {{
  service_count = 0
  process_min_avail = {cores}
  process_limit = {cores}
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service pop3 {{
  service_count = 1000
  process_min_avail = 8
}}
"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_without_links() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        fs::create_dir_all(from.join("new")).unwrap();
        fs::write(from.join("new/1.a"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("new/2.b")).unwrap();
        let to = directory.path().join("to/Maildir");
        let me = rustix::process::getuid().as_raw();
        copy_tree(&from, &to, me).unwrap();
        assert_eq!(fs::read(to.join("new/1.a")).unwrap(), b"x");
        assert!(!to.join("new/2.b").exists());
    }
}
