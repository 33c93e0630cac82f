//! Other servers' tables: what is taken over, and what is said of the rest.

use clap::Parser;

use super::entry::Remark;
use super::*;
use crate::cli::account::AccountCommand;
use crate::cli::{Cli, Command};

/// A configuration and its table of accounts.
struct House {
    directory: tempfile::TempDir,
    config: Config,
}

impl House {
    fn new(accounts: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let text = format!(
            "hostname = \"mail.example.net\"\ndata_directory = \"data\"\n\
             [accounts]\ndefault_domain = \"example.net\"\n{more}\n\
             [spool]\ndirectory = \"spool\"\n[relay.next_hop]\naddress = \"mx.example.net:25\"\n"
        );
        std::fs::create_dir(at.join("data")).unwrap();
        std::fs::write(at.join("passwd"), accounts).unwrap();
        std::fs::write(at.join("lastpost.toml"), text).unwrap();
        let config = Config::load(&at.join("lastpost.toml")).unwrap_or_else(|e| panic!("{e}"));
        Self { directory, config }
    }

    /// With the passwd-file alone.
    fn with(accounts: &str) -> Self {
        Self::new(accounts, "passwd_file = \"passwd\"")
    }

    fn import(&self, arguments: &str, input: &str) -> Report {
        let report = args(arguments).import(input.as_bytes(), &self.config);
        match report {
            Ok(report) => report,
            Err(CliError::Failed(error) | CliError::Usage(error)) => panic!("{error}"),
        }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("passwd")).unwrap()
    }
}

fn args(arguments: &str) -> ImportArgs {
    let line = format!("lastpost account import {arguments}");
    match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
        Command::Account(AccountCommand::Import(args)) => args,
        _ => panic!("another command"),
    }
}

fn problems(report: &Report) -> Vec<String> {
    let said = |Remark { line, column, problem }: &Remark| format!("{line}:{column}: {problem}");
    report.problems.iter().map(said).collect()
}

fn remarks(report: &Report) -> String {
    report.remarks.iter().map(|r| format!("{}:{}: {}\n", r.line, r.column, r.problem)).collect()
}

const MD5: &str = "$1$saltstri$osaUc8jmwPHVGeSG8VY2g.";

#[test]
fn dovecots_table_becomes_ours() {
    let house = House::with("zoe:{PLAIN}x::::/home/zoe\n");
    let table = "# customers\n\nann:{SSHA}mbPMnA3frGHkE4dpJdKHiG99s+XFJGLt:5000:5000::/srv/ann::\
                 userdb_quota_rule=*:storage=1G:messages=500 allow_nets= userdb_uid=5000\n";
    let refused = house.import("--from passwd-file", table);
    assert_eq!(problems(&refused), ["3:109: \"allow_nets\" is not obeyed here"]);
    assert!(!refused.written && house.text() == "zoe:{PLAIN}x::::/home/zoe\n");

    let table = format!(
        "{}bob@example.org:!{MD5}::::/srv/bob::userdb_mail=maildir:/srv/mail/bob:INDEX=x nologin\n\
         carl:{MD5}:::::: userdb_home=/srv/carl addresses=carl@example.net,c@example.net\n",
        table.replace(" allow_nets=", "")
    );
    let report = house.import("--from passwd-file", &table);
    assert_eq!((report.added, report.bad, report.written), (3, 0, true));
    assert_eq!(remarks(&report), "3:109: \"userdb_uid\" is not taken over\n");
    assert_eq!(
        house.text(),
        format!(
            "zoe:{{PLAIN}}x::::/home/zoe\n\
             ann@example.net:{{SSHA}}mbPMnA3frGHkE4dpJdKHiG99s+XFJGLt::::/srv/ann::quota=1G,500\n\
             bob@example.org:{{MD5-CRYPT}}{MD5}::::/srv/bob::maildir=/srv/mail/bob disabled=yes\n\
             carl@example.net:{{MD5-CRYPT}}{MD5}::::/srv/carl::addresses=carl@example.net,c@example.net\n"
        )
    );
    auth::Directory::load(&house.config.accounts.passwd().unwrap()).unwrap();
}

#[test]
fn every_bad_line_is_named_with_its_place_and_none_is_written() {
    let house = House::with("ann:{PLAIN}x::::/home/ann\n");
    let table = "nobody\n\
                 ann:{PLAIN}secretword::::/srv/ann\n\
                 bob:{ROT13}secretword::::/srv/bob\n\
                 a b:{PLAIN}secretword::::/srv/ab\n\
                 carl:{PLAIN}secretword::::srv/carl\n\
                 dora:{CRYPT}ab/z7EXUyF0fk::::/srv/dora\n\
                 erna:{PLAIN}secretword::::/srv/erna::quota=much\n\
                 fred:{PLAIN}secretword::::/srv/fred\n\
                 fred:{PLAIN}secretword::::/srv/fred\n\
                 gerd:{PLAIN}secretword\n";
    let report = house.import("--from passwd-file", table);
    let said = problems(&report);
    let expected = [
        "1:1: expected a colon",
        "2:1: there is an account ann@example.net already",
        "3:5: password: unknown password scheme \"ROT13\"",
        "4:1: login: ",
        "5:27: home: expected an absolute path",
        "6:6: password: CRYPT hashes are weak",
        "7:38: quota: ",
        "9:1: fred@example.net stands in line 8 already",
        "10:1: maildir: ",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said} / {expected}");
        assert!(!said.contains("secretword"), "{said}");
    }
    assert!(!report.written);
    assert_eq!(house.text(), "ann:{PLAIN}x::::/home/ann\n");
    let text = report.describe();
    assert!(text.contains("stdin:3:5: password") && text.contains("nothing was written"), "{text}");

    let partial = house.import("--from passwd-file --partial --existing skip", table);
    assert_eq!((partial.added, partial.skipped, partial.bad), (1, 1, 8));
    assert!(partial.written && house.text().contains("fred@example.net:{PLAIN}secretword"));
}

#[test]
fn accounts_that_exist_stay_or_go_as_told() {
    let house = House::with("# kept\nann:{PLAIN}old::::/home/ann::quota=1G\n");
    let table = "login,password,home\nann,{PLAIN}new,/srv/ann\nbob,{PLAIN}new,/srv/bob\n";
    let report = house.import("--from csv --existing skip", table);
    assert_eq!((report.added, report.replaced, report.skipped), (1, 0, 1));
    assert!(house.text().contains("ann:{PLAIN}old"));
    let dry = house.import("--from csv --existing replace --dry-run", table);
    assert_eq!((dry.added, dry.replaced, dry.written), (0, 2, false));
    assert!(house.text().contains("ann:{PLAIN}old"), "a dry run writes nothing");
    let report = house.import("--from csv --existing replace", table);
    assert_eq!((report.added, report.replaced, report.written), (0, 2, true));
    assert_eq!(
        house.text(),
        "# kept\nann@example.net:{PLAIN}new::::/srv/ann::\nbob@example.net:{PLAIN}new::::/srv/bob::\n"
    );
}

#[test]
fn csv_is_read_as_databases_write_it() {
    let house = House::with("");
    let table = "\u{feff}Email;Hash;Home;addresses;must-change;cohort\r\n\
                 ann@example.net;8fac6ea0084eed0d2633ec10dd2393a6;/srv/ann;\
                 \"ann@example.net, a@example.net\";1;north\r\n\
                 \r\n\
                 bob@example.net;\"{PLAIN}semi;\"\"quoted\";\"/srv/b\";;0;\r\n";
    let refused = house.import("--from csv", table);
    assert_eq!(
        problems(&refused)[0],
        "2:17: password: no password scheme; expected \
        {ARGON2ID}, {SHA512-CRYPT}, {BLF-CRYPT}, {SSHA} or the like before the hash, or a hash \
        beginning with $argon2id$, $6$, $5$, $2b$, $y$, $pbkdf2-sha256$ or $1$"
    );
    let house = House::new("", "passwd_file = \"passwd\"\n[auth]\nweak_schemes = [\"LDAP-MD5\"]");
    let report = house.import("--from csv --scheme PLAIN-MD5", table);
    assert_eq!(problems(&report), Vec::<String>::new());
    assert_eq!(
        house.text(),
        "ann@example.net:{LDAP-MD5}j6xuoAhO7Q0mM+wQ3SOTpg==::::/srv/ann::\
         addresses=ann@example.net,a@example.net must_change=yes cohort=north\n\
         bob@example.net:{PLAIN}semi;\"quoted::::/srv/b::\n"
    );
}

#[test]
fn broken_csv_is_refused_where_it_breaks() {
    let house = House::with("");
    let first = |table: &str| problems(&house.import("--from csv", table)).join("\n");
    assert!(first("").starts_with("1:1: expected a first line"));
    assert!(
        first("login,pasword\n")
            .starts_with("1:7: there is no column \"pasword\" (did you mean password?)")
    );
    assert!(first("login,user,home\n").starts_with("1:7: the column login stands there twice"));
    assert!(first("home\n/x\n").starts_with("1:1: expected a column login"));
    let rows = "login,home\nann,/a,b\nbob\n\"carl\"x,/c\n\"dora\nd\",/d\n\"erna,/e\n";
    let said = first(rows);
    for expected in [
        "2:1: 3 values; expected 2",
        "3:1: 1 values; expected 2",
        "4:7: expected a separator behind",
        "5:1: login: ",
        "7:1: a quotation mark that is never closed",
    ] {
        assert!(said.lines().any(|line| line.starts_with(expected)), "{expected}:\n{said}");
    }
    assert!(args("--from csv").take(b"login\nb\xff\n", "").bad[0].problem.contains("UTF-8"));
}

#[test]
fn shadow_vpopmail_and_courier_are_read() {
    let house = House::new("", "passwd_file = \"passwd\"\n[auth]\nweak_schemes = [\"CRYPT\"]");
    let shadow = format!(
        "root:*:19000:0:99999:7:::\ndaemon:!!:19000::::::\nann:{MD5}:19000:0:99999:7::20000:\n\
         bob:!ab/z7EXUyF0fk:19000:0:99999:7:::\n"
    );
    let report = house.import("--from shadow --home /srv/%d/%n", &shadow);
    assert_eq!((report.added, report.bad), (2, 0), "{:?}", problems(&report));
    assert_eq!(
        remarks(&report),
        "1:6: root: no password; passed over\n2:8: daemon: no password; passed over\n\
         3:57: the day on which the account expires is not taken over\n"
    );
    let vpasswd = format!(
        "carl:{MD5}:1:0:Carl:/home/vpopmail/domains/x.example/carl:52428800S,1000C:secret\n\
                           dora:{MD5}:1:2:Dora:/home/vpopmail/domains/x.example/dora:NOQUOTA:\n"
    );
    let report = house.import("--from vpopmail --domain x.example", &vpasswd);
    assert_eq!(remarks(&report), "2:43: the flags \"2\" are not taken over\n");
    let userdb = format!(
        "erna@x.example\thome=/srv/erna|systempw={MD5}|uid=99|quota=1000000S|options=disablewebmail=1\n"
    );
    let report = house.import("--from userdb", &userdb);
    assert!(remarks(&report).contains("\"options\" is not taken over"), "{}", remarks(&report));
    assert_eq!(
        house.text(),
        format!(
            "ann@example.net:{{MD5-CRYPT}}{MD5}::::/srv/example.net/ann::\n\
             bob@example.net:{{CRYPT}}ab/z7EXUyF0fk::::/srv/example.net/bob::disabled=yes\n\
             carl@x.example:{{MD5-CRYPT}}{MD5}::::/home/vpopmail/domains/x.example/carl::quota=50M,1000\n\
             dora@x.example:{{MD5-CRYPT}}{MD5}::::/home/vpopmail/domains/x.example/dora::\n\
             erna@x.example:{{MD5-CRYPT}}{MD5}::::/srv/erna::quota=1000000\n"
        )
    );
}

#[test]
fn a_database_takes_all_or_nothing_too() {
    let more = "[[accounts.source]]\nname = \"db\"\nkind = \"sqlite\"\n\
                [accounts.source.sqlite]\npath = \"accounts.db\"";
    let house = House::new("", more);
    let table: String = (0..2000).map(|n| format!("u{n},{{PLAIN}}p{n},/srv/u{n}\n")).collect();
    let bad = format!("login,password,home\n{table}x,{{ROT13}}y,/srv/x\n");
    let report = house.import("--from csv", &bad);
    assert_eq!((report.bad, report.written), (1, false));
    let count = |house: &House| {
        let Ok(Store::Sqlite(editor)) = Store::open(&house.config, None) else {
            panic!("no store")
        };
        let mut count = 0;
        let mut after = None;
        loop {
            let page = editor.page(after.as_ref(), 1000).unwrap();
            let Some(last) = page.last() else { return count };
            (count, after) = (count + page.len(), Some(last.key().clone()));
        }
    };
    assert_eq!(count(&house), 0);
    let report = house.import("--from csv --partial", &bad);
    assert_eq!((report.added, report.bad, report.written), (2000, 1, true));
    assert_eq!(count(&house), 2000);
    let again = house.import("--from csv --partial --existing skip", &bad);
    assert_eq!((again.added, again.skipped), (0, 2000));
}

#[test]
fn the_report_counts_schemes_and_mechanisms() {
    let house = House::new("", "passwd_file = \"passwd\"\n[auth]\nupgrade_to = \"SCRAM-SHA-256\"");
    let scram = "4096,FjG3Nns/pCsbBTVtIC0VDA==,H95SzkCs4LtT4T87V2lC/FVHY9eiNVjCL6Ne21fUqxw=,LfzKwJd+P+MOo4c/wDzeRcJjnbp8dx+I89huqbJEod4=";
    let table = format!(
        "ann:{{PLAIN}}x::::/a\nbob:{MD5}::::/b\ncarl:{MD5}::::/c\n\
         dora:{{SCRAM-SHA-256}}{scram}::::/d\n"
    );
    let report = house.import("--from passwd-file --dry-run", &table);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["added"], 4);
    assert_eq!(json["passwords"]["schemes"][0]["scheme"], "MD5-CRYPT");
    assert_eq!(json["passwords"]["schemes"][0]["accounts"], 2);
    let mechanism = |name: &str| {
        let all = json["passwords"]["mechanisms"].as_array().unwrap();
        all.iter().find(|one| one["mechanism"] == name).unwrap()["accounts"].as_u64().unwrap()
    };
    assert_eq!(
        ["PLAIN, LOGIN, USER", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "APOP"].map(mechanism),
        [4, 2, 1, 1, 1]
    );
    assert_eq!(json["passwords"]["upgrade"]["to"], "SCRAM-SHA-256");
    assert_eq!(json["passwords"]["upgrade"]["accounts"], 4, "4096 iterations are too few as well");
    assert_eq!(house.text(), "");
    let text = report.describe();
    assert!(text.contains("would be taken over") && text.contains("MD5-CRYPT"), "{text}");
}
