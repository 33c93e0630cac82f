//! A directory server of OpenLDAP in a folder of its own, on a port of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for the server, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const SUFFIX: &str = "dc=example,dc=net";

const CONFIGURATION: &str = r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'mailAlternateAddress'
  EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'accountStatus'
  EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'mailQuota'
  EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.1.904 NAME 'mailCustomer' SUP top AUXILIARY
  MAY ( mail $ mailAlternateAddress $ accountStatus $ mailQuota ) )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
sizelimit 50
"#;

const DATABASE: &str = r#"
database mdb
suffix dc=example,dc=net
rootdn cn=admin,dc=example,dc=net
rootpw admin-secret
index uid,mail eq
"#;

const ACCESS: &str = r#"
limits dn.exact="cn=mail,dc=example,dc=net" size.soft=50 size.hard=unlimited size.prtotal=unlimited
access to attrs=userPassword
  by dn.exact="cn=mail,dc=example,dc=net" read
  by anonymous auth
  by * none
access to *
  by dn.exact="cn=mail,dc=example,dc=net" read
  by * none
"#;

/// The entries that every test has: the tree, and whom the mail system searches as.
const TREE: &str = "\
dn: dc=example,dc=net
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=mail,dc=example,dc=net
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: mail
userPassword: mail-secret

dn: ou=people,dc=example,dc=net
objectClass: organizationalUnit
ou: people

";

/// Whether the server is installed. Where it must be (`LASTPOST_REQUIRE_CLIENTS`), its absence
/// fails the test; elsewhere the test says that it was skipped.
pub(crate) fn is_installed() -> bool {
    let found = ["/usr/sbin/slapd", "/usr/sbin/slapadd", "/usr/bin/ldapmodify"]
        .iter()
        .all(|program| Path::new(program).exists());
    if !found {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "slapd and ldap-utils are not installed");
        eprintln!("skipped: slapd or ldap-utils is not installed");
    }
    found
}

pub(crate) struct Slapd {
    folder: TempDir,
    child: Child,
    port: u16,
    tls_port: Option<u16>,
}

impl Slapd {
    /// A server with these entries below the tree.
    pub(crate) fn start(entries: &str) -> Self {
        Self::with(&format!("{TREE}{entries}"), ACCESS, None)
    }

    /// One that keeps account of logins and locks (slapo-ppolicy(5)).
    pub(crate) fn with_policy(entries: &str) -> Self {
        let policy = format!(
            "dn: cn=policy,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\n\
             cn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 3\n\
             pwdLockoutDuration: 3600\n\n"
        );
        let overlay =
            format!("lastbind on\n{ACCESS}overlay ppolicy\nppolicy_default cn=policy,{SUFFIX}\n");
        Self::with(&format!("{TREE}{policy}{entries}"), &overlay, None)
    }

    /// One with this certificate and key (PEM), which listens for `ldaps://` as well.
    pub(crate) fn start_tls(entries: &str, certificate: &str, key: &str) -> Self {
        Self::with(&format!("{TREE}{entries}"), ACCESS, Some((certificate, key)))
    }

    /// One with these entries and no others, and these rules about who may see them.
    pub(crate) fn with(entries: &str, access: &str, tls: Option<(&str, &str)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("db")).unwrap();
        let mut configuration = format!("{CONFIGURATION}pidfile {}\n", path("pid").display());
        if let Some((certificate, key)) = tls {
            std::fs::write(path("c.pem"), certificate).unwrap();
            std::fs::write(path("k.pem"), key).unwrap();
            configuration += &format!("TLSCertificateFile {}\n", path("c.pem").display());
            configuration += &format!("TLSCertificateKeyFile {}\n", path("k.pem").display());
        }
        configuration += &format!("{DATABASE}directory {}\n{access}\n", path("db").display());
        std::fs::write(path("slapd.conf"), configuration).unwrap();
        std::fs::write(path("entries.ldif"), entries).unwrap();
        let added = Command::new("/usr/sbin/slapadd")
            .arg("-q")
            .arg("-f")
            .arg(path("slapd.conf"))
            .arg("-l")
            .arg(path("entries.ldif"))
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let (port, tls_port) = (free_port(), tls.map(|_| free_port()));
        let child = run(folder.path(), port, tls_port);
        let mut server = Self { folder, child, port, tls_port };
        for _ in 0..10 {
            if server.is_up() {
                return server;
            }
            // Somebody took a port meanwhile.
            server.port = free_port();
            server.tls_port = tls.map(|_| free_port());
            server.child = run(server.folder.path(), server.port, server.tls_port);
        }
        panic!("slapd does not start");
    }

    fn is_up(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port.unwrap())
    }

    pub(crate) fn socket_url(&self) -> String {
        format!("ldapi://{}", self.socket().display())
    }

    /// A file with the password of whom the mail system searches as.
    pub(crate) fn password_file(&self) -> PathBuf {
        let file = self.folder.path().join("password");
        std::fs::write(&file, "mail-secret\n").unwrap();
        file
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("ldapi")
    }

    /// Changes entries as the directory's own administrator.
    pub(crate) fn modify(&self, ldif: &str) {
        let file = self.folder.path().join("change.ldif");
        std::fs::write(&file, ldif).unwrap();
        let socket = self.socket().display().to_string().replace('/', "%2F");
        let changed = Command::new("/usr/bin/ldapmodify")
            .args(["-x", "-H", &format!("ldapi://{socket}")])
            .args(["-D", &format!("cn=admin,{SUFFIX}"), "-w", "admin-secret", "-f"])
            .arg(file)
            .output()
            .unwrap();
        assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Makes it stand still: connections are accepted by the kernel, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
        let start = Instant::now();
        while !self.stands_still() {
            assert!(start.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether all its threads have stopped.
    fn stands_still(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.flatten().all(|task| {
            let state = std::fs::read_to_string(task.path().join("stat")).unwrap();
            state.rsplit_once(") ").unwrap().1.starts_with('T')
        })
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub(crate) fn resume(&mut self) {
        for _ in 0..100 {
            self.child = run(self.folder.path(), self.port, self.tls_port);
            if self.is_up() {
                return;
            }
        }
        panic!("slapd does not start again");
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(folder: &Path, port: u16, tls_port: Option<u16>) -> Child {
    let socket = folder.join("ldapi").display().to_string().replace('/', "%2F");
    let mut listen = format!("ldap://127.0.0.1:{port} ldapi://{socket}");
    if let Some(tls_port) = tls_port {
        listen += &format!(" ldaps://127.0.0.1:{tls_port}");
    }
    Command::new("/usr/sbin/slapd")
        .arg("-f")
        .arg(folder.join("slapd.conf"))
        // In the foreground.
        .args(["-h", &listen, "-d", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
