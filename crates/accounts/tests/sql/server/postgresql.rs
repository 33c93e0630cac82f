//! PostgreSQL in a folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{absent, as_user, done};

/// The user that Lastpost connects as; its password is `PASSWORD`.
pub(super) const WELCOME: &str = "CREATE ROLE lastpost LOGIN PASSWORD 'it''s a \"secret\" ü';";

const ACCESS: &str = "\
local   all all                trust
hostssl all all 127.0.0.1/32   scram-sha-256
";

/// The newest server that is installed.
pub(super) fn program() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin/postgres"));
    let program = programs.filter(|program| program.exists()).max();
    if program.is_none() {
        absent("postgresql");
    }
    program
}

pub(super) fn install(program: &Path, folder: &Path) {
    let data = folder.join("data");
    let mut initdb = as_user(&program.with_file_name("initdb"), "postgres");
    initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8"]);
    done(initdb.arg("--locale=C.UTF-8").arg("-D").arg(&data));
    std::fs::write(data.join("pg_hba.conf"), ACCESS).unwrap();
}

pub(super) fn command(program: &Path, folder: &Path, port: u16) -> Command {
    let mut command = as_user(program, "postgres");
    command.arg("-D").arg(folder.join("data"));
    let set = |name: &str, value: &str| format!("{name}={value}");
    for setting in [
        set("port", &port.to_string()),
        set("unix_socket_directories", &folder.display().to_string()),
        set("listen_addresses", "127.0.0.1"),
        set("ssl", "on"),
        set("ssl_cert_file", &folder.join("cert.pem").display().to_string()),
        set("ssl_key_file", &folder.join("key.pem").display().to_string()),
        set("fsync", "off"),
        set("max_connections", "100"),
        set("log_min_messages", "fatal"),
    ] {
        command.arg("-c").arg(setting);
    }
    command.stderr(std::fs::File::create(folder.join("log")).unwrap());
    command
}

pub(super) fn client(folder: &Path, port: u16, database: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
    psql.args(["--set", "ON_ERROR_STOP=1", "--username", "postgres", "--host"]).arg(folder);
    psql.args(["--port", &port.to_string()]);
    psql.args(["--dbname", if database.is_empty() { "postgres" } else { database }]);
    psql.stdin(std::process::Stdio::null()).env("PGCLIENTENCODING", "UTF8");
    psql
}
