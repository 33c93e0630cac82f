//! Dovecot beside ours: the same accounts, hashes and mail, measured in turns on one machine.
//!
//! Dovecot 2.3 must be installed, and this program must run as root, because Dovecot changes its
//! user. It gets copies of the Maildirs, few long-lived login processes (its "high-performance"
//! mode) and no flag updates: the settings that suit POP3 best.
//!
//! Dovecot checks a hash of a passwd-file anew at each login, in its one authentication process,
//! while we remember for a while that a password was right. That is another policy and not only
//! faster code, so `--plain` gives Dovecot plain passwords and leaves hashing out of its side.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::load::{LoadArgs, Report};
use super::target::{Account, Demo, Target, Tls};
use super::{BenchError, pop3, print_json};

/// Arguments of `peers`.
#[derive(Debug, Args)]
pub struct PeersArgs {
    /// A directory made by `lastpost demo --dir`, whose daemons are running now.
    #[arg(long)]
    demo: PathBuf,
    /// Process of our daemon.
    #[arg(long)]
    pid: u32,
    /// Pairs of runs; the result is the median of their ratios.
    #[arg(long, default_value_t = 3)]
    pairs: usize,
    /// Seconds of a run.
    #[arg(long, default_value_t = 5)]
    duration: u64,
    /// Sessions at a time.
    #[arg(short, long, default_value_t = 16)]
    connections: u64,
    /// Give Dovecot plain passwords instead of the same hashes.
    #[arg(long)]
    plain: bool,
    /// User id that Dovecot reads the copied mail as.
    #[arg(long, default_value_t = 65534)]
    uid: u32,
}

/// Ours divided by Dovecot's, medians over the pairs.
#[derive(Debug, Serialize)]
struct Ratio {
    what: &'static str,
    tls: bool,
    per_second: f64,
    server_cpu_per_operation: f64,
    p99: f64,
    errors: u64,
}

pub(super) async fn run(args: &PeersArgs) -> Result<bool, BenchError> {
    let demo = Demo::read(&args.demo)?;
    let dovecot = Dovecot::start(args, &demo)?;
    let accounts: Vec<Account> = demo.accounts.iter().map(|a| a.account.clone()).collect();
    let mut good = true;
    for (what, fetch) in [("login", false), ("fetch", true)] {
        for (tls, ours, theirs) in [
            (Tls::None, demo.port("pop3")?, dovecot.pop3),
            (Tls::Implicit, demo.port("pop3s")?, dovecot.pop3s),
        ] {
            let sides = [(ours, args.pid, "ours"), (theirs, dovecot.process.id(), "dovecot")];
            let mut pairs = Vec::new();
            // One more than asked for: the first one warms caches and is left out.
            for _ in 0..=args.pairs.max(1) {
                let mut reports = Vec::new();
                for (addr, pid, name) in sides {
                    let target = Target::new(addr, tls, accounts.clone());
                    let title = format!("{name} {what} {tls:?}");
                    let report = measure(args, target, fetch, pid, &title).await?;
                    eprintln!("{report}");
                    reports.push(report);
                }
                pairs.extend(<[Report; 2]>::try_from(reports).ok());
            }
            let ratio = ratio(what, tls != Tls::None, pairs.get(1..).unwrap_or_default());
            good &= ratio.errors == 0;
            print_json(&ratio);
        }
    }
    Ok(good)
}

async fn measure(
    args: &PeersArgs,
    target: Target,
    fetch: bool,
    pid: u32,
    what: &str,
) -> Result<Report, BenchError> {
    let load = LoadArgs {
        connections: args.connections,
        duration: args.duration,
        sessions: None,
        pid: vec![pid],
        session_timeout: 60,
    };
    if fetch {
        pop3::fetch_from(target, 1, &load, what).await
    } else {
        pop3::login_to(target, &load, what).await
    }
}

fn ratio(what: &'static str, tls: bool, pairs: &[[Report; 2]]) -> Ratio {
    let median = |value: fn(&Report) -> f64| {
        let mut ratios: Vec<f64> = pairs
            .iter()
            .map(|[ours, theirs]| value(ours) / value(theirs))
            .filter(|ratio| ratio.is_finite())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(0.0)
    };
    Ratio {
        what,
        tls,
        per_second: median(|report| report.per_second),
        server_cpu_per_operation: median(|report| report.server_cpu_ms_per_operation),
        p99: median(|report| report.p99_ms),
        errors: pairs.iter().flatten().map(|report| report.errors).sum(),
    }
}

/// A Dovecot of our own, in a directory that goes away with it.
struct Dovecot {
    process: Child,
    pop3: SocketAddr,
    pop3s: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its master ends its children when it is asked to end, not when it is killed.
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

impl Dovecot {
    fn start(args: &PeersArgs, demo: &Demo) -> Result<Self, BenchError> {
        check_version()?;
        let directory = tempfile::Builder::new()
            .prefix("lastpost-dovecot-")
            .tempdir_in("/var/tmp")
            .map_err(BenchError::io("making a directory"))?;
        let (pop3, pop3s) = (free_port()?, free_port()?);
        prepare(args, demo, directory.path(), pop3, pop3s)
            .map_err(BenchError::io("preparing Dovecot's directory"))?;
        let process = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(directory.path().join("dovecot.conf"))
            .stdin(Stdio::null())
            .spawn()
            .map_err(BenchError::io("starting dovecot"))?;
        let mut dovecot = Self { process, pop3, pop3s, _directory: directory };
        dovecot.wait_until_it_listens()?;
        Ok(dovecot)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), BenchError> {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            if TcpStream::connect(self.pop3).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(BenchError::Usage(format!("dovecot ended at once: {status}")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(BenchError::Usage("dovecot does not listen after ten seconds".into()))
    }
}

fn check_version() -> Result<(), BenchError> {
    let output = Command::new("dovecot")
        .arg("--version")
        .output()
        .map_err(BenchError::io("dovecot --version (is it installed?)"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if version.starts_with("2.3.") {
        eprintln!("dovecot {version}");
        return Ok(());
    }
    Err(BenchError::Usage(format!("dovecot {version}: the configuration written here is for 2.3")))
}

fn free_port() -> Result<SocketAddr, BenchError> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(BenchError::io("looking for a free port"))
}

fn prepare(
    args: &PeersArgs,
    demo: &Demo,
    directory: &Path,
    pop3: SocketAddr,
    pop3s: SocketAddr,
) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    for folder in ["mail", "index", "control", "run", "state"] {
        fs::create_dir(directory.join(folder))?;
        std::os::unix::fs::chown(directory.join(folder), Some(args.uid), Some(args.uid))?;
    }
    for folder in ["run", "state"] {
        std::os::unix::fs::chown(directory.join(folder), Some(0), Some(0))?;
    }
    for account in &demo.accounts {
        let home = directory.join("mail").join(&account.account.login);
        copy_tree(&account.maildir, &home.join("Maildir"), args.uid)?;
        std::os::unix::fs::chown(&home, Some(args.uid), Some(args.uid))?;
    }
    fs::write(directory.join("users"), passwords(args, demo)?)?;
    fs::set_permissions(directory.join("users"), fs::Permissions::from_mode(0o644))?;
    for file in ["certificate.pem", "key.pem"] {
        fs::copy(args.demo.join(file), directory.join(file))?;
    }
    fs::write(directory.join("dovecot.conf"), configuration(directory, args.uid, pop3, pop3s))
}

/// A passwd-file of login and hash only.
fn passwords(args: &PeersArgs, demo: &Demo) -> io::Result<String> {
    if args.plain {
        let line = |account: &Account| format!("{}:{{PLAIN}}{}\n", account.login, account.password);
        return Ok(demo.accounts.iter().map(|account| line(&account.account)).collect());
    }
    let users = fs::read_to_string(args.demo.join("users"))?;
    let lines = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some(format!("{}:{}\n", fields.next()?, fields.next()?))
    });
    Ok(lines.collect())
}

fn copy_tree(from: &Path, to: &Path, uid: u32) -> io::Result<()> {
    fs::create_dir_all(to)?;
    std::os::unix::fs::chown(to, Some(uid), Some(uid))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target, uid)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), &target)?;
            std::os::unix::fs::chown(&target, Some(uid), Some(uid))?;
        }
    }
    Ok(())
}

fn configuration(directory: &Path, uid: u32, pop3: SocketAddr, pop3s: SocketAddr) -> String {
    let dir = directory.display();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (pop3, pop3s) = (pop3.port(), pop3s.port());
    format!(
        "base_dir = {dir}/run
state_dir = {dir}/state
instance_name = lastpost-bench
log_path = {dir}/log
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/certificate.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 64M
auth_cache_verify_password_with_worker = yes
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
mail_location = maildir:~/Maildir:INDEX={dir}/index/%u:CONTROL={dir}/control/%u
mail_max_userip_connections = 0
maildir_very_dirty_syncs = yes
pop3_no_flag_updates = yes
default_vsz_limit = 1G
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
service auth-worker {{
  service_count = 0
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(per_second: f64, cpu: f64, errors: u64) -> Report {
        Report {
            what: String::new(),
            connections: 1,
            seconds: 1.0,
            operations: 1,
            per_second,
            megabytes_per_second: 0.0,
            p50_ms: 1.0,
            p99_ms: 2.0,
            max_ms: 3.0,
            errors,
            error_kinds: Default::default(),
            server_cpu_seconds: cpu,
            server_cpu_ms_per_operation: cpu,
            client_cpu_seconds: 0.0,
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_pairs() {
        let pair = |ours, theirs| [report(ours, 1.0, 0), report(theirs, 4.0, 1)];
        let ratio = ratio("x", false, &[pair(100.0, 50.0), pair(900.0, 1.0), pair(10.0, 10.0)]);
        assert_eq!((ratio.per_second, ratio.server_cpu_per_operation), (2.0, 0.25));
        assert_eq!((ratio.p99, ratio.errors), (1.0, 3));
        assert_eq!(super::ratio("x", true, &[]).per_second, 0.0);
    }

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
