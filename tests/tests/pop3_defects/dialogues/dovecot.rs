//! Dovecot 2.3, where `LASTPOST_TRANSCRIPTS_AGAINST=dovecot` asks for it: in a directory of its
//! own, as root, for it changes its users.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lastpost_tests::eventually;

use super::{Account, Manner, Server, account, play, speaks_of_tls, transcripts};
use crate::kit::PATIENCE;
use crate::transcript::Message;

/// Where Dovecot 2.3.19 is known to say something else, and what it says.
const DEVIATES: &[(&str, &str)] = &[
    ("first_octet_dot", "does not double a dot that is the message's first octet"),
    ("one_reply_for_each_line", "ends by an assertion at a colon"),
    ("sizes_are_of_the_wire", "does not count the line end that it adds at the end"),
    ("stls_drops_plaintext", "takes plaintext behind STLS for a broken handshake, and closes"),
    ("stls_forgets_user", "keeps the name of USER across STLS"),
    ("utf8_after_login", "refuses UTF8"),
];

/// Whose files the mail is: nobody's.
const OWNER: u32 = 65534;

struct Dovecot {
    child: Child,
    directory: tempfile::TempDir,
    ports: [u16; 2],
}

impl Dovecot {
    fn start(accounts: &[Account]) -> Self {
        let directory = tempfile::Builder::new().prefix("dovecot").tempdir_in("/var/tmp").unwrap();
        let path = directory.path();
        // Its users are others than the one who made the directory.
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, all).unwrap();
        for folder in ["run", "state", "mail"] {
            std::fs::create_dir(path.join(folder)).unwrap();
        }
        chown(path.join("mail"), Some(OWNER), Some(OWNER)).unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(path.join("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(path.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let line = |account: &Account| {
            let password = std::str::from_utf8(&account.password).unwrap();
            format!("{}:{{PLAIN}}{password}\n", account.login)
        };
        std::fs::write(path.join("users"), accounts.iter().map(line).collect::<String>()).unwrap();
        let ports = free_ports();
        let file = path.join("dovecot.conf");
        std::fs::write(&file, configuration(path, ports)).unwrap();
        let mut command = Command::new("dovecot");
        command.args(["-F", "-c"]).arg(file).stdin(Stdio::null());
        let child = command.spawn().expect("dovecot is asked for and must be installed");
        eventually(PATIENCE, "dovecot to listen", || {
            ports.iter().all(|&port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
        });
        Self { child, directory, ports }
    }
}

fn free_ports() -> [u16; 2] {
    let held = [0, 0].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn configuration(directory: &Path, [pop3, pop3s]: [u16; 2]) -> String {
    let dir = directory.display();
    format!(
        "base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
instance_name = lastpost-tests
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/certificate.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_max_userip_connections = 0
mail_location = maildir:~/Maildir:INDEX=MEMORY
pop3_uidl_format = %f
pop3_lock_session = yes
pop3_no_flag_updates = yes
first_valid_uid = {OWNER}
first_valid_gid = {OWNER}
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={OWNER} gid={OWNER} home={dir}/mail/%u allow_all_users=yes
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"
    )
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its master ends its children when asked to, and not when it is killed.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

impl Server for Dovecot {
    fn furnish(&self, account: &Account, messages: &[&Message]) {
        let home = self.directory.path().join("mail").join(&account.login);
        let _ = std::fs::remove_dir_all(&home);
        let maildir = home.join("Maildir");
        maildrop::create(&maildir).unwrap();
        for message in messages {
            let file = maildir.join("new").join(&message.uidl);
            std::fs::write(&file, &message.stored).unwrap();
            chown(&file, Some(OWNER), Some(OWNER)).unwrap();
        }
        for folder in ["", "Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp"] {
            chown(home.join(folder), Some(OWNER), Some(OWNER)).unwrap();
        }
    }

    fn maildir(&self, account: &Account) -> PathBuf {
        self.directory.path().join("mail").join(&account.login).join("Maildir")
    }

    fn address(&self, tls: bool) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[usize::from(tls)]))
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// Until it has no session left: each is a process that bears the directory's name in none of
    /// its arguments, but the lock of the maildrop in its files.
    fn settle(&self) {
        let mail = self.directory.path().join("mail");
        eventually(PATIENCE, "dovecot's sessions to end", || !is_open_below(&mail));
    }
}

/// Whether a process has its working directory or a file below `directory`.
fn is_open_below(directory: &Path) -> bool {
    let below = |link: PathBuf| std::fs::read_link(link).is_ok_and(|to| to.starts_with(directory));
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.map(|entry| entry.path()).any(|process| {
        let open = std::fs::read_dir(process.join("fd")).into_iter().flatten();
        below(process.join("cwd")) || open.filter_map(Result::ok).any(|fd| below(fd.path()))
    })
}

#[test]
fn dovecot_says_what_is_written_but_for_its_defects() {
    if std::env::var_os("LASTPOST_TRANSCRIPTS_AGAINST").is_none_or(|peer| peer != "dovecot") {
        eprintln!("skipped: LASTPOST_TRANSCRIPTS_AGAINST=dovecot plays against Dovecot");
        return;
    }
    let transcripts = transcripts();
    let mut accounts: Vec<Account> = transcripts.iter().map(account).collect();
    accounts.sort_by(|one, other| one.login.cmp(&other.login));
    accounts.dedup_by(|one, other| one.login == other.login);
    let dovecot = Dovecot::start(&accounts);
    let mut unexpected = Vec::new();
    for transcript in &transcripts {
        let known = DEVIATES.iter().find(|(name, _)| *name == transcript.name);
        for tls in [false, true] {
            if tls && speaks_of_tls(transcript) {
                continue;
            }
            match (play(&dovecot, transcript, Manner { tls, piece: usize::MAX }), known) {
                (Err(deviation), None) => unexpected.push(deviation),
                (Err(deviation), Some((_, what))) => println!("known: {what}: {deviation}"),
                (Ok(()), Some((name, what))) => println!("no longer: {name}: {what}"),
                (Ok(()), None) => {}
            }
        }
    }
    assert!(unexpected.is_empty(), "\n{}", unexpected.join("\n"));
}
