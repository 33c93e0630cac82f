//! MariaDB in a folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{absent, as_user, done};

/// The user that Lastpost connects as; its password is `PASSWORD`.
pub(super) const WELCOME: &str = "\
SET NAMES utf8mb4;
CREATE USER lastpost@localhost IDENTIFIED BY 'it''s a \"secret\" ü';
CREATE USER lastpost@'127.0.0.1' IDENTIFIED BY 'it''s a \"secret\" ü' REQUIRE SSL;
";

pub(super) fn program() -> Option<PathBuf> {
    let program = PathBuf::from("/usr/sbin/mariadbd");
    if program.exists() && Path::new("/usr/bin/mariadb-install-db").exists() {
        return Some(program);
    }
    absent("mariadb-server");
    None
}

pub(super) fn install(folder: &Path) {
    let mut install = as_user(Path::new("/usr/bin/mariadb-install-db"), "mysql");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
    install.args(["--skip-test-db", "--skip-name-resolve"]);
    done(install.arg(format!("--datadir={}", folder.join("data").display())));
}

pub(super) fn command(program: &Path, folder: &Path, port: u16) -> Command {
    let mut command = as_user(program, "mysql");
    let path = |name: &str| folder.join(name).display().to_string();
    command.arg("--no-defaults").args([
        format!("--datadir={}", path("data")),
        format!("--socket={}", path("server.sock")),
        format!("--pid-file={}", path("pid")),
        format!("--log-error={}", path("log")),
        format!("--ssl-cert={}", path("cert.pem")),
        format!("--ssl-key={}", path("key.pem")),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--innodb-flush-log-at-trx-commit=0".to_owned(),
        "--innodb-buffer-pool-size=16M".to_owned(),
    ]);
    command.stderr(std::process::Stdio::null());
    command
}

pub(super) fn client(folder: &Path, database: &str) -> Command {
    let mut mariadb = Command::new("mariadb");
    mariadb.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
    mariadb.arg("--default-character-set=utf8mb4");
    mariadb.arg(format!("--socket={}", folder.join("server.sock").display()));
    if !database.is_empty() {
        mariadb.arg(database);
    }
    mariadb.stdin(std::process::Stdio::null());
    mariadb
}
