//! Postfix in a directory of its own, as submission server with a next hop.
//!
//! Its queue lies beside the demo's directory, so that both sides wait for the same disk. It is
//! as durable as it always is; what slows clients down by intention (`in_flow_delay`, the limits
//! that `anvil` counts for) is off, and so is what costs and serves nobody here: looking up names
//! of clients, SMTPUTF8, chroots.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::{self, Daemon};
use super::dovecot::Logins;
use crate::bench::BenchError;

const NAME: &str = "postfix";
/// More sessions at a time than are measured, each of which has a process.
const PROCESSES: u32 = 200;

/// A submission server. Its fields end in this order.
pub(super) struct Postfix {
    daemon: Daemon,
    logins: Logins,
    pub(super) submission: SocketAddr,
    pub(super) submissions: SocketAddr,
}

impl Postfix {
    /// Starts it beside `demo`, with the demo's certificate.
    pub(super) async fn start(
        demo: &Path,
        logins: Logins,
        next_hop: SocketAddr,
    ) -> Result<Self, BenchError> {
        check_version()?;
        let demo = fs::canonicalize(demo).map_err(BenchError::peer(NAME))?;
        let directory = daemon::directory(NAME, demo.parent().unwrap_or(&demo))?;
        let [submission, submissions] = daemon::free_ports()?;
        let site = Site { directory: directory.path(), logins: &logins.socket, next_hop };
        site.check_names()?;
        site.prepare(&demo, submission, submissions).map_err(BenchError::peer(NAME))?;
        let pid_file = site.queue().join("pid/master.pid");
        let mut command = Command::new("postfix");
        command.arg("-c").arg(site.configuration()).arg("start-fg");
        let mut daemon = Daemon::start(NAME, command, directory, Some(pid_file))?;
        daemon.wait_until_it_listens(submission).await?;
        Ok(Self { daemon, logins, submission, submissions })
    }

    /// The processes from which all others of this side descend.
    pub(super) fn pids(&self) -> Vec<u32> {
        vec![self.daemon.pid(), self.logins.daemon.pid()]
    }
}

fn check_version() -> Result<(), BenchError> {
    let version =
        daemon::version(NAME, Command::new("postconf").args(["-d", "-h", "mail_version"]))?;
    if is_known(&version) {
        return Ok(());
    }
    let why = "the configuration written here is for 3.6 and later".to_owned();
    Err(BenchError::Peer { name: NAME, why })
}

fn is_known(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    numbers.next() == Some(3) && numbers.next() >= Some(6)
}

/// Where its files are, and whom it talks to.
struct Site<'a> {
    directory: &'a Path,
    logins: &'a Path,
    next_hop: SocketAddr,
}

impl Site<'_> {
    fn queue(&self) -> PathBuf {
        self.directory.join("queue")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("etc")
    }

    /// Its scripts and lists know no quotes.
    fn check_names(&self) -> Result<(), BenchError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
        match [self.directory, self.logins].map(|path| path.display().to_string()) {
            paths if paths.iter().all(|path| path.chars().all(plain)) => Ok(()),
            [directory, _] => Err(BenchError::Peer {
                name: NAME,
                why: format!("{directory}: only letters, digits and ._-+ may be in its path"),
            }),
        }
    }

    fn prepare(
        &self,
        demo: &Path,
        submission: SocketAddr,
        submissions: SocketAddr,
    ) -> io::Result<()> {
        // Folders inside, and the one of its data, it makes itself with the right owners.
        for folder in [self.queue(), self.configuration()] {
            fs::create_dir(folder)?;
        }
        for file in ["certificate.pem", "key.pem"] {
            fs::copy(demo.join(file), self.directory.join(file))?;
        }
        let etc = self.configuration();
        fs::write(etc.join("main.cf"), self.main())?;
        fs::write(etc.join("master.cf"), services(submission, submissions))?;
        // Kinds of tables that are not built in: none is used.
        fs::write(etc.join("dynamicmaps.cf"), "")
    }

    fn main(&self) -> String {
        let dir = self.directory.display();
        let queue = self.queue();
        let (queue, logins) = (queue.display(), self.logins.display());
        let (host, port) = (self.next_hop.ip(), self.next_hop.port());
        format!(
            "compatibility_level = 3.6
queue_directory = {queue}
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = submission.bench.example
inet_interfaces = 127.0.0.1
inet_protocols = all
mydestination =
mynetworks =
local_recipient_maps =
alias_maps =
alias_database =
smtputf8_enable = no

relayhost = [{host}]:{port}
smtp_dns_support_level = disabled
smtp_tls_security_level = none

smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {logins}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {dir}/key.pem, {dir}/certificate.pem
smtpd_tls_session_cache_database =
smtpd_peername_lookup = no

in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
smtpd_client_new_tls_session_rate_limit = 0
smtpd_client_auth_rate_limit = 0
default_process_limit = {PROCESSES}
max_use = 1000
"
        )
    }
}

/// `master.cf`: name, kind, private, unprivileged, chroot, wake-up, processes, command.
fn services(submission: SocketAddr, submissions: SocketAddr) -> String {
    format!(
        "{submission} inet n - n - - smtpd
{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup     unix       n - n 60    1 pickup
cleanup    unix       n - n -     0 cleanup
qmgr       unix       n - n 300   1 qmgr
tlsmgr     unix       - - n 1000? 1 tlsmgr
rewrite    unix       - - n -     - trivial-rewrite
bounce     unix       - - n -     0 bounce
defer      unix       - - n -     0 bounce
trace      unix       - - n -     0 bounce
verify     unix       - - n -     1 verify
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n -     - proxymap
proxywrite unix       - - n -     1 proxymap
smtp       unix       - - n -     - smtp
relay      unix       - - n -     - smtp
showq      unix       n - n -     - showq
error      unix       - - n -     - error
retry      unix       - - n -     - error
discard    unix       - - n -     - discard
local      unix       - n n -     - local
virtual    unix       - n n -     - virtual
lmtp       unix       - - n -     - lmtp
anvil      unix       - - n -     1 anvil
scache     unix       - - n -     1 scache
postlog    unix-dgram n - n -     1 postlogd
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        assert!(["3.6.4", "3.7.11", "3.10"].iter().all(|version| is_known(version)));
        assert!(!["3.5.25", "2.11.3", "4.0", "", "?"].iter().any(|version| is_known(version)));
    }

    #[test]
    fn a_site_says_where_mail_goes_and_refuses_blanks() {
        let next_hop = SocketAddr::from(([127, 0, 0, 1], 2525));
        let site = Site { directory: Path::new("/a/b"), logins: Path::new("/c/logins"), next_hop };
        site.check_names().unwrap();
        let main = site.main();
        for line in ["relayhost = [127.0.0.1]:2525", "queue_directory = /a/b/queue"] {
            assert!(main.lines().any(|found| found == line), "{main}");
        }
        assert!(services(next_hop, next_hop).starts_with("127.0.0.1:2525 inet"));
        let site = Site { directory: Path::new("/a b"), ..site };
        assert!(site.check_names().unwrap_err().to_string().contains("/a b"));
    }
}
