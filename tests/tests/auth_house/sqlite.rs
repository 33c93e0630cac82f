//! Accounts in a database file that the command line makes and changes while both daemons run.

use std::time::Duration;

use lastpost_tests::{House, Plan, eventually};

use crate::kit::{
    PATIENCE, SQLITE, add, figure, home, house, lastpost, new_mail, pop3, put_off, sender,
    set_password, smtp, unwelcome, welcome,
};

const ANN: &str = "ann@open.example";
const BEN: &str = "ben@open.example";

/// Ann has a second address, and may send for a colleague elsewhere and for a whole domain.
fn sqlite_house() -> House {
    house(Plan { customers: Vec::new(), ..Plan::default() }, SQLITE, "", |house| {
        let more = [
            ["--address", ANN],
            ["--address", "team@open.example"],
            ["--send-as", "boss@closed.example"],
            ["--send-as", "@lists.example"],
        ];
        add(house, ANN, "ann's password", more.as_flattened());
        add(house, BEN, "ben's password", &[]);
    })
}

#[test]
fn accounts_made_by_command_log_in_at_once() {
    let house = sqlite_house();
    welcome(&house, ANN, "ann's password");
    welcome(&house, BEN, "ben's password");
    welcome(&house, "ANN", "ann's password");
    unwelcome(&house, ANN, "ben's password");
    unwelcome(&house, "nobody@open.example", "ben's password");

    // While the daemons run.
    unwelcome(&house, "cleo@open.example", "cleo's password");
    add(&house, "cleo@open.example", "cleo's password", &[]);
    welcome(&house, "cleo@open.example", "cleo's password");
    let again = ["account", "add", BEN, "--password-stdin"];
    let refused = lastpost(&house, &again, "x\n").unwrap_err();
    assert!(refused.contains(BEN), "{refused}");
    welcome(&house, BEN, "ben's password");
}

#[test]
fn whole_tables_are_taken_over_while_the_daemons_run_or_not_at_all() {
    let house = sqlite_house();
    maildrop::create(&house.maildir("dora@open.example")).unwrap();
    let csv = |rows: &str| format!("login,password,addresses,home,disabled\n{rows}");
    let dora = format!(
        "dora@open.example,{{PLAIN}}dora's password,dora@open.example sales@open.example,{},no\n",
        home(&house, "dora@open.example")
    );
    let ends = "emil@open.example,{PLAIN}emil's password,,/nowhere,yes\n";
    let import = ["account", "import", "--from", "csv"];
    let bad = csv(&format!("{dora}fritz@open.example,{{NONSENSE}}x,,,\n"));
    let refused = lastpost(&house, &import, &bad).unwrap_err();
    assert!(refused.contains("nothing was written"), "{refused}");
    unwelcome(&house, "dora@open.example", "dora's password");
    lastpost(&house, &import, &csv(&format!("{dora}{ends}"))).unwrap();
    welcome(&house, "dora@open.example", "dora's password");
    unwelcome(&house, "emil@open.example", "emil's password");
    let again = lastpost(&house, &import, &csv(&dora)).unwrap_err();
    assert!(again.contains("dora@open.example"), "{again}");
    welcome(&house, ANN, "ann's password");
}

#[test]
fn a_new_password_counts_at_once_and_the_remembered_one_is_forgotten() {
    let house = sqlite_house();
    welcome(&house, ANN, "ann's password");
    let hashes = figure(&house, "hashes");
    welcome(&house, ANN, "ann's password");
    assert_eq!(figure(&house, "hashes"), hashes, "it was remembered");
    assert!(figure(&house, "accepted from memory") >= 2);

    set_password(&house, ANN, "quite another");
    unwelcome(&house, ANN, "ann's password");
    welcome(&house, ANN, "quite another");
    unwelcome(&house, ANN, "ann's password");
    welcome(&house, BEN, "ben's password");

    lastpost(&house, &["account", "disable", ANN], "").unwrap();
    unwelcome(&house, ANN, "quite another");
    lastpost(&house, &["account", "enable", ANN], "").unwrap();
    welcome(&house, ANN, "quite another");
    // The first one again, which is right again.
    set_password(&house, ANN, "ann's password");
    welcome(&house, ANN, "ann's password");
    unwelcome(&house, ANN, "quite another");
}

/// Somebody changes the password again and again while the customer's programs log in: whoever
/// asks after a change was acknowledged gets the new one's answer, without exception.
#[test]
fn no_login_after_a_change_gets_the_answer_of_before() {
    let house = sqlite_house();
    let mut current = "ann's password".to_owned();
    for round in 0..8 {
        let next = format!("password {round}");
        std::thread::scope(|scope| {
            let busy =
                scope.spawn(|| (0..6).map(|_| smtp(&house, ANN, &current)).collect::<Vec<_>>());
            set_password(&house, ANN, &next);
            let (old, new) = (smtp(&house, ANN, &current), smtp(&house, ANN, &next));
            assert!(old.starts_with("535") && new.starts_with("235"), "{round}: {old} / {new}");
            for reply in busy.join().unwrap() {
                assert!(reply.starts_with("235") || reply.starts_with("535"), "{reply}");
            }
        });
        current = next;
    }
}

#[test]
fn mail_is_delivered_to_every_address_of_an_account() {
    let house = sqlite_house();
    let mut talk = sender(&house, BEN, "ben's password");
    for recipient in [ANN, "team@open.example", "TEAM@Open.Example"] {
        talk.expect(&format!("MAIL FROM:<{BEN}>"), "250");
        talk.expect(&format!("RCPT TO:<{recipient}>"), "250");
        let reply = talk.message(BEN);
        assert!(reply.starts_with("250"), "{reply}");
    }
    talk.expect(&format!("MAIL FROM:<{BEN}>"), "250");
    talk.expect("RCPT TO:<nobody@open.example>", "550 5.1.1");
    // Who may send as an address has no mailbox by that.
    talk.expect("RCPT TO:<boss@closed.example>", "550 5.1.1");
    eventually(PATIENCE, "the mail in the Maildir", || new_mail(&house, ANN).len() == 3);
    assert!(new_mail(&house, BEN).is_empty());
    assert!(house.received().is_empty(), "nothing leaves the house");

    let mut talk = house.client("pop3", crate::kit::HOME);
    talk.expect(&format!("USER {ANN}"), "+OK");
    talk.expect("PASS ann's password", "+OK");
    talk.expect("STAT", "+OK 3 ");
}

#[test]
fn senders_are_those_of_the_columns() {
    let house = sqlite_house();
    let ann = |from: &str| {
        let mut talk = sender(&house, ANN, "ann's password");
        talk.ask(&format!("MAIL FROM:<{from}>"))
    };
    let own = [ANN, "team@open.example", "boss@closed.example", "any@lists.example"];
    for from in own {
        let reply = ann(from);
        assert!(reply.starts_with("250"), "{from}: {reply}");
    }
    for from in [BEN, "other@closed.example", "any@sub.lists.example", "ann@elsewhere.example"] {
        let reply = ann(from);
        assert!(reply.starts_with("5"), "{from}: {reply}");
    }
    let mut talk = sender(&house, BEN, "ben's password");
    let reply = talk.ask("MAIL FROM:<boss@closed.example>");
    assert!(reply.starts_with("5"), "{reply}");
}

/// A file that goes and comes back is an outage of the accounts, and of nothing else.
#[test]
fn a_damaged_file_puts_logins_off_until_a_good_one_lies_there() {
    let house = sqlite_house();
    welcome(&house, ANN, "ann's password");
    let (file, kept) = (house.path("state/accounts.db"), house.path("state/kept.db"));
    lastpost(&house, &["account", "list"], "").unwrap();
    let copy = std::process::Command::new("sqlite3")
        .arg(&file)
        .arg(format!("VACUUM INTO '{}'", kept.display()))
        .output();
    if !copy.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_none(), "sqlite3 does not run");
        eprintln!("skipped: sqlite3 is not installed");
        return;
    }
    private(&kept);
    let garbage = house.path("state/garbage");
    std::fs::write(&garbage, vec![0x55; 64 << 10]).unwrap();
    private(&garbage);
    std::fs::rename(&garbage, &file).unwrap();
    let pause = || house.clock().advance(Duration::from_secs(10));
    eventually(PATIENCE, "the damage to be seen", || {
        pause();
        pop3(&house, ANN, "ann's password").starts_with("-ERR [SYS/TEMP]")
    });
    put_off(&house, ANN, "ann's password");
    put_off(&house, "nobody@open.example", "x");
    // Whatever a reload says, nobody's accounts are gone by it.
    let _ = house.control().post("/reload", "");
    pause();
    put_off(&house, ANN, "ann's password");
    std::fs::rename(&kept, &file).unwrap();
    eventually(PATIENCE, "the backup to be seen", || {
        pause();
        pop3(&house, ANN, "ann's password").starts_with("+OK")
    });
    welcome(&house, ANN, "ann's password");
    unwelcome(&house, ANN, "wrong");
}

fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
