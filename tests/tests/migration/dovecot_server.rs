//! A Dovecot 2.3 in a directory of its own, which serves one customer's Maildir by POP3.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lastpost_tests::{Talk, eventually};

use crate::kit::LOGIN;

const PATIENCE: Duration = Duration::from_secs(60);

/// Dovecot does not serve root's mail.
const UID: u32 = 65534;

pub(crate) const PASSWORD: &str = "dovecot's own";

/// Whether this test can have one: it must be installed, and only root can start it.
pub(crate) fn is_there() -> bool {
    let version = Command::new("dovecot").arg("--version").output();
    let fits = version.is_ok_and(|output| output.stdout.starts_with(b"2.3."));
    let pop3 = Path::new("/usr/lib/dovecot/pop3").exists();
    let root = fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    });
    fits && pop3 && root
}

/// A Maildir for Dovecot, and the server while it runs.
pub(crate) struct Dovecot {
    directory: tempfile::TempDir,
    running: Option<Child>,
    address: SocketAddr,
}

impl Dovecot {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("lp-dovecot-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        for name in ["run", "state", "mail", "mail/Maildir"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        for name in ["cur", "new", "tmp"] {
            fs::create_dir(directory.path().join("mail/Maildir").join(name)).unwrap();
        }
        fs::write(directory.path().join("users"), format!("{LOGIN}:{{PLAIN}}{PASSWORD}\n"))
            .unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { directory, running: None, address: free }
    }

    pub(crate) fn maildir(&self) -> PathBuf {
        self.directory.path().join("mail/Maildir")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it, or starts it again, with further settings.
    pub(crate) fn start(&mut self, settings: &str) {
        self.stop();
        let path = self.directory.path();
        own(&path.join("mail"));
        let (dir, port) = (path.display(), self.address.port());
        let configuration = format!(
            "base_dir = {dir}/run\nstate_dir = {dir}/state\nlog_path = {dir}/log\n\
             instance_name = lastpost-migration-{port}\nprotocols = pop3\nlisten = 127.0.0.1\n\
             ssl = no\ndisable_plaintext_auth = no\nauth_mechanisms = plain\n\
             mail_location = maildir:~/Maildir\nfirst_valid_uid = {UID}\nfirst_valid_gid = {UID}\n\
             passdb {{\n  driver = passwd-file\n  args = username_format=%u {dir}/users\n}}\n\
             userdb {{\n  driver = static\n  args = uid={UID} gid={UID} home={dir}/mail\n}}\n\
             service pop3-login {{\n  inet_listener pop3 {{\n    port = {port}\n  }}\n  \
             inet_listener pop3s {{\n    port = 0\n  }}\n}}\n{settings}\n"
        );
        let file = path.join("dovecot.conf");
        fs::write(&file, configuration).unwrap();
        let output = fs::File::create(path.join("output")).unwrap();
        let child = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        self.running = Some(child);
        eventually(PATIENCE, "Dovecot to listen", || {
            let ended = self.running.as_mut().unwrap().try_wait().unwrap().is_some();
            assert!(!ended, "{}", self.log());
            TcpStream::connect(self.address).is_ok()
        });
    }

    /// Ends it and waits for its end.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        // Its master ends its other processes when it is asked to end, not when it is killed.
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let _ = child.wait();
    }

    /// A session that is logged in.
    pub(crate) fn session(&self) -> Talk {
        let mut talk = Talk::connect(self.address);
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {LOGIN}"), "+OK");
        let reply = talk.ask(&format!("PASS {PASSWORD}"));
        assert!(reply.starts_with("+OK"), "{reply}\n{}", self.log());
        talk
    }

    /// The lines of LIST or UIDL.
    pub(crate) fn listing(&self, command: &str) -> Vec<String> {
        let mut talk = self.session();
        talk.expect(command, "+OK");
        let lines = talk.multiline();
        talk.expect("QUIT", "+OK");
        String::from_utf8(lines).unwrap().lines().map(str::to_owned).collect()
    }

    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        read("output") + &read("log")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Gives everything at and below `path` to Dovecot's user.
fn own(path: &Path) {
    chown(path, Some(UID), Some(UID)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path());
        }
    }
}
