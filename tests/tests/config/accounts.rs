//! `lastpost account` and `lastpost hash` as an administrator types them, and the page about
//! passwd-files: its example works as it stands there, only places are others.

mod sqlite_page;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use auth::{AccountsConfig, Directory, StoredHash};

/// A configuration, and the program by its own name.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// With `accounts` as the section [accounts] and what follows it.
    fn new(accounts: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        let text = format!(
            "hostname = \"mail.example.net\"\ndata_directory = \"state\"\n{accounts}\n\
             [spool]\ndirectory = \"spool\"\n[relay.next_hop]\naddress = \"mx.example.net:25\"\n"
        );
        std::fs::write(place.path("lastpost.toml"), text).unwrap();
        std::fs::create_dir(place.path("state")).unwrap();
        std::fs::create_dir(place.path("bin")).unwrap();
        let program = env!("CARGO_BIN_EXE_lastpost-under-test");
        std::os::unix::fs::symlink(program, place.path("bin/lastpost")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a line of a shell.
    fn shell(&self, line: &str, input: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh")
            .args(["-c", line])
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("LASTPOST_CONFIG", self.path("lastpost.toml"))
            .env_remove("LASTPOST_PROGRAM")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = shell.stdin.take().unwrap();
        // Whoever takes no input may have ended already.
        let _ = pipe.write_all(input.as_bytes());
        drop(pipe);
        shell.wait_with_output().unwrap()
    }

    /// What the line prints; it must succeed.
    fn prints(&self, line: &str, input: &str) -> String {
        let output = self.shell(line, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the line complains of; it must fail with `status`.
    fn fails(&self, line: &str, input: &str, status: i32) -> String {
        let output = self.shell(line, input);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {errors}");
        errors
    }
}

fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/accounts/passwd-file.md");
    let text = std::fs::read_to_string(page).unwrap();
    let opening = format!("\n```{language}\n");
    let blocks = text.split(&opening).skip(1);
    let blocks: Vec<_> = blocks.map(|rest| rest.split("\n```").next().unwrap().into()).collect();
    assert!(!blocks.is_empty(), "no {language}");
    blocks
}

#[test]
fn the_example_of_the_page_works() {
    let [accounts] = &blocks("toml")[..] else { panic!("one configuration") };
    let place = Place::new(&accounts.replace("/etc/lastpost/passwd", "passwd"));
    let [table] = &blocks("passwd")[..] else { panic!("one table") };
    std::fs::write(place.path("passwd"), format!("{table}\n")).unwrap();
    let config = AccountsConfig {
        passwd_file: place.path("passwd"),
        default_domain: "example.net".to_owned(),
        ..AccountsConfig::default()
    };
    let account = |login: &str| {
        let directory = Directory::load(&config).unwrap();
        directory.blocking().find(&directory.key(login).unwrap()).unwrap().unwrap()
    };
    for (login, password) in
        [("ann", "correct horse"), ("ben", "correct horse"), ("cleo@example.org", "battery staple")]
    {
        assert!(account(login).hash().unwrap().verify(password.as_bytes()), "{login}");
    }
    assert!(account("cleo@example.org").must_change());
    assert_eq!(account("ben").cohort(), Some("north"));
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        place.prints(line, "");
    }
    assert!(account("dora").hash().unwrap().verify(b"a new secret"));
    assert!(account("ben").hash().unwrap().verify(b"another one"));
    assert!(!account("ann").is_disabled());
    let changed = place.text("passwd");
    assert!(changed.starts_with(table.lines().next().unwrap()));
    assert!(changed.contains(table.lines().nth(3).unwrap()), "cleo's line is as it was");

    std::fs::write(place.path("users"), "erna:{SHA512-CRYPT}$6$lastpostexample$K9HVrD5zNRkB8xfGBkYCa5pMaEm85fu6mxxbuS6v9AjkY/oDQebIFN8zia84G3.tpTUZ6gY/XRB66QEFgmbce0:5000:5000::/srv/mail/erna::\n").unwrap();
    let import: Vec<String> = blocks("sh-import");
    for line in import[0].lines() {
        place.prints(&line.replace("/etc/dovecot/users", "\"${LASTPOST_CONFIG%/*}/users\""), "");
    }
    assert!(account("erna").hash().unwrap().verify(b"battery staple"));
    let (_, command) = import[1].split_once(" | ").unwrap();
    place.prints(command, "login\tpassword\thome\nfred@example.net\t{PLAIN}x\t/srv/mail/fred\n");
    assert!(account("fred").hash().unwrap().verify(b"x"));

    let [source] = &blocks("toml-source")[..] else { panic!("one source") };
    let place = Place::new(&source.replace("/etc/lastpost/staff", "staff"));
    let added = place.prints("lastpost account add gerd@example.net --home /srv/gerd", "pw\n");
    assert!(
        added.trim().is_empty() && place.text("staff").starts_with("gerd@example.net:{ARGON2ID}")
    );
}

#[test]
fn hashes_are_made_and_verified() {
    let place = Place::new("[accounts]\n[auth]\nargon2_memory_kib = 64\nargon2_passes = 1");
    let cheap = "--rounds 4096";
    for (arguments, begins) in [
        (String::new(), "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$"),
        ("--scheme blf-crypt --rounds 4".to_owned(), "{BLF-CRYPT}$2b$04$"),
        ("--scheme SHA512-CRYPT --rounds 1000".to_owned(), "{SHA512-CRYPT}$6$rounds=1000$"),
        ("--scheme YESCRYPT --rounds 8".to_owned(), "{YESCRYPT}$y$j5T$"),
        (format!("--scheme SCRAM-SHA-256 {cheap}"), "{SCRAM-SHA-256}4096,"),
        (format!("--scheme SCRAM-SHA-1 {cheap}"), "{SCRAM-SHA-1}4096,"),
    ] {
        let hash = place.prints(&format!("lastpost hash {arguments}"), "kennwört\n");
        let hash = hash.trim();
        assert!(hash.starts_with(begins), "{hash}");
        assert!(StoredHash::parse(hash).unwrap().verify("kennwört".as_bytes()));
        let said = place.prints(&format!("lastpost hash --verify '{hash}'"), "kennwört\n");
        assert!(said.starts_with("right: it is the "), "{said}");
        let said = place.fails(&format!("lastpost hash --verify '{hash}'"), "kennwort\n", 1);
        assert!(said.contains("wrong: it is no ") && !said.contains("kennw"), "{said}");
    }
    let json = "lastpost --json hash --verify '{PLAIN}x'";
    let said: serde_json::Value = serde_json::from_str(&place.prints(json, "x")).unwrap();
    assert_eq!((&said["scheme"], &said["right"]), (&"PLAIN".into(), &true.into()));
    for (arguments, says) in [
        ("--scheme SSHA", "no new hashes are made in SSHA"),
        ("--scheme ROT13", "expected one of ARGON2ID"),
        ("--scheme BLF-CRYPT --rounds 16", "a cost from 4 to 15"),
        ("--verify '{ROT13}x'", "unknown password scheme"),
        ("--verify x --scheme ARGON2ID", "cannot be used with"),
    ] {
        let said = place.fails(&format!("lastpost hash {arguments}"), "x\n", 2);
        assert!(said.contains(says), "{arguments}: {said}");
    }
}

#[test]
fn accounts_of_a_chain_are_changed_where_they_are() {
    let place = Place::new(
        "[accounts]\ndefault_domain = \"example.net\"\n\
         [[accounts.source]]\nname = \"staff\"\nkind = \"passwd-file\"\n\
         [accounts.source.passwd_file]\npath = \"staff\"\n\
         [[accounts.source]]\nname = \"customers\"\nkind = \"sqlite\"\n\
         [accounts.source.sqlite]\npath = \"customers.db\"\n\
         [auth]\nargon2_memory_kib = 64\nargon2_passes = 1\n",
    );
    place.prints("lastpost account add ann --home /srv/ann", "one\n");
    place.prints(
        "lastpost account add bob --source customers --home /srv/bob --must-change",
        "two\n",
    );
    let said = place.fails("lastpost account add ann --source customers --home /srv/x", "x\n", 1);
    assert!(said.contains("there is an account ann@example.net already"), "{said}");
    let said = place.fails("lastpost account add x --source nowhere --home /srv/x", "x\n", 2);
    assert!(said.contains("there is no source \"nowhere\""), "{said}");
    let listed = || -> serde_json::Value {
        serde_json::from_str(&place.prints("lastpost account list --json", "")).unwrap()
    };
    let bob = &listed()[1];
    assert_eq!((&bob["login"], &bob["must_change"]), (&"bob@example.net".into(), &true.into()));
    place.prints("lastpost account passwd bob", "three\n");
    place.prints("lastpost account passwd ann", "four\n");
    place.prints("lastpost account disable bob", "");
    let bob = &listed()[1];
    assert_eq!((&bob["must_change"], &bob["disabled"]), (&false.into(), &true.into()));
    let said = place.fails("lastpost account passwd nobody", "x\n", 1);
    assert!(said.contains("no source has an account nobody@example.net"), "{said}");
    let schemes = place.prints("lastpost account schemes --json", "");
    let schemes: serde_json::Value = serde_json::from_str(&schemes).unwrap();
    assert_eq!(schemes["accounts"], 2);
    assert_eq!(schemes["schemes"][0]["scheme"], "ARGON2ID");
    let table = "login;password;home\ncarl;{PLAIN}x;/srv/carl\nbob;{PLAIN}y;/srv/bob\n";
    let import = "lastpost account import --from csv --source customers";
    let said = place.fails(import, table, 1);
    assert!(said.contains("1 lines cannot be taken over, so nothing was written"), "{said}");
    let said = place.prints(&format!("{import} --existing replace"), table);
    assert!(said.contains("1 added, 1 replaced, 0 skipped, 0 bad: taken over"), "{said}");
    assert_eq!(listed().as_array().unwrap().len(), 3);
}

#[test]
fn a_weak_hash_is_refused_with_its_place_until_it_is_let_in() {
    let accounts = "[accounts]\npasswd_file = \"passwd\"\ndefault_domain = \"example.net\"";
    let place = Place::new(accounts);
    std::fs::write(place.path("passwd"), "# old\nann:{CRYPT}ab/z7EXUyF0fk::::/srv/ann\n").unwrap();
    let said = place.fails("lastpost check", "", 2);
    assert!(said.contains("passwd:2:5: CRYPT hashes are weak"), "{said}");
    assert!(said.contains("auth.weak_schemes") && !said.contains("EXUyF0fk"), "{said}");
    // What is refused can still be put right.
    place.prints("lastpost account passwd ann", "better\n");
    place.prints("lastpost check", "");
    let place = Place::new(&format!("{accounts}\n[auth]\nweak_schemes = [\"CRYPT\"]"));
    std::fs::write(place.path("passwd"), "ann:{CRYPT}ab/z7EXUyF0fk::::/srv/ann\n").unwrap();
    place.prints("lastpost check", "");
    let place = Place::new(&format!("{accounts}\n[auth]\nweak_schemes = [\"SSHA\"]"));
    let said = place.fails("lastpost check", "", 2);
    assert!(said.contains("\"SSHA\" is no weak scheme; expected some of SHA512"), "{said}");
}

#[test]
fn a_source_that_is_away_is_a_warning_and_keeps_no_start_from_happening() {
    let source = "[accounts]\n[[accounts.source]]\nname = \"far\"\nkind = \"postgresql\"\n\
                  [accounts.source.postgresql]\nserver = \"nowhere.sock\"\n";
    let place = Place::new(&source.replace("nowhere", "/nonexistent/nowhere"));
    let said = place.prints("lastpost check", "");
    assert!(said.contains("warning: account source far: /nonexistent/nowhere.sock"), "{said}");
    assert!(said.contains("logins and mail are put off"), "{said}");
}

#[test]
fn a_check_reads_the_masters_and_the_key_that_is_shared() {
    let accounts = "[accounts]\npasswd_file = \"passwd\"\n";
    let masters = "[auth.master]\npasswd_file = \"masters\"\nnetworks = [\"192.0.2.0/24\"]\n";
    let place = Place::new(&format!("{accounts}{masters}"));
    std::fs::write(place.path("passwd"), "").unwrap();
    let said = place.fails("lastpost check", "", 2);
    assert!(said.contains("auth.master.passwd_file") && said.contains("masters"), "{said}");
    std::fs::write(place.path("masters"), "help:{PLAIN}x\n").unwrap();
    let said = place.prints("lastpost check", "");
    assert!(said.contains("masters:1: {PLAIN} shows the password"), "{said}");
    assert!(!said.contains("no address to send as"), "{said}");

    let place = Place::new(&format!("{accounts}[auth.share]\nkey_file = \"passwd\"\n"));
    std::fs::write(place.path("passwd"), "").unwrap();
    let said = place.fails("lastpost check", "", 2);
    assert!(said.contains("auth.share.key_file"), "{said}");
}
