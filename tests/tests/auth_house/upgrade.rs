//! Upgrade on login, from the customer's first login on: SHA512-CRYPT becomes SCRAM-SHA-256, and
//! then SCRAM works.

use std::time::Duration;

use auth::{Argon2Params, HashRecipe, Scheme};
use lastpost_tests::{House, Plan, eventually};

use crate::kit::{
    Line, PATIENCE, SQLITE, Said, edit, home, house, lastpost, pop3, set_password, smtp, unwelcome,
    welcome, write_users,
};
use crate::scram;

const FILE: &str = "[accounts]\npasswd_file = \"users\"\n";
const UPGRADE: &str = "upgrade_to = \"SCRAM-SHA-256\"\n";
const ANN: &str = "ann@open.example";
const BEN: &str = "ben@open.example";

/// What other servers have stored; as cheap as the scheme can be.
fn old(password: &str) -> String {
    let recipe = HashRecipe::new(Scheme::Sha512Crypt, Argon2Params::new(64, 1, 1).unwrap());
    let recipe = recipe.unwrap().with_rounds(1000).unwrap();
    recipe.make(password.as_bytes()).unwrap().to_field().to_string()
}

/// Accounts with old hashes, in either kind of store, in a house that offers SCRAM too.
fn upgrading(accounts: &str, users: &[(&str, String)]) -> House {
    let plan = Plan {
        customers: Vec::new(),
        pop3: "sessions_per_ip_max = 1000\n",
        submission: "sessions_per_ip_max = 1000\n",
        ..Plan::default()
    };
    house(plan, accounts, UPGRADE, |house| {
        edit(house, |text| {
            text + "[auth.sasl]\nmechanisms = [\"SCRAM-SHA-256\", \"PLAIN\", \"LOGIN\"]\n"
        });
        let table = if accounts == FILE { "users" } else { "table" };
        write_users(house, table, users);
        if accounts != FILE {
            let table = house.path(table).display().to_string();
            lastpost(house, &["account", "import", &table, "--from", "passwd-file"], "").unwrap();
        }
    })
}

/// How many accounts are stored in `scheme`, as `lastpost account schemes --json` says.
fn stored_as(house: &House, scheme: &str) -> u64 {
    let said = lastpost(house, &["account", "schemes", "--json"], "").unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    count(&said, scheme).unwrap_or_else(|| panic!("{said}"))
}

/// The count beside a scheme, wherever the report has it; none are counted where it is missing.
fn count(report: &serde_json::Value, scheme: &str) -> Option<u64> {
    let schemes = report["schemes"].as_array()?;
    let found = schemes.iter().find(|one| one["scheme"] == scheme);
    found.map_or(Some(0), |one| one["accounts"].as_u64())
}

/// Logins by SCRAM-SHA-256 at both daemons.
fn by_scram(house: &House, login: &str, password: &str) -> [Said; 2] {
    ["pop3", "submission"]
        .map(|listener| scram::log_in(&mut Line::open(house, listener), login, password))
}

fn wait_for(house: &House, count: u64) {
    eventually(PATIENCE, "the new hashes", || {
        // Files are rewritten some time after the login.
        house.clock().advance(Duration::from_secs(5));
        stored_as(house, "SCRAM-SHA-256") == count
    });
}

#[test]
fn after_one_login_with_the_password_scram_works() {
    for accounts in [FILE, SQLITE] {
        let users = [(ANN, old("ann's password")), (BEN, old("ben's password"))];
        let house = upgrading(accounts, &users);
        assert!(by_scram(&house, ANN, "ann's password").iter().all(is_refused), "too early");
        unwelcome(&house, ANN, "wrong");
        assert_eq!(stored_as(&house, "SCRAM-SHA-256"), 0, "a wrong password upgrades nothing");
        welcome(&house, ANN, "ann's password");
        wait_for(&house, 1);
        eventually(PATIENCE, "the daemons to see it", || {
            house.control().post("/reload", "").unwrap();
            by_scram(&house, ANN, "ann's password") == [Said::Granted, Said::Granted]
        });
        assert!(by_scram(&house, ANN, "wrong").iter().all(is_refused));
        welcome(&house, ANN, "ann's password");
        unwelcome(&house, ANN, "wrong");
        assert_eq!(stored_as(&house, "SHA512-CRYPT"), 1, "ben was not here yet");
        welcome(&house, BEN, "ben's password");
        wait_for(&house, 2);
    }
}

fn is_refused(said: &Said) -> bool {
    matches!(said, Said::Refused(_))
}

/// Fifty at once, each at both daemons; one of them gets a new password meanwhile, which is not
/// overwritten by the old one's upgrade.
fn fifty_at_once(accounts: &str) {
    let names: Vec<String> = (0..50).map(|number| format!("user{number}@open.example")).collect();
    let field = old("everybody's");
    let users: Vec<_> = names.iter().map(|name| (name.as_str(), field.clone())).collect();
    let house = upgrading(accounts, &users);
    std::thread::scope(|scope| {
        for part in names.chunks(7) {
            let house = &house;
            scope.spawn(move || {
                for name in part {
                    let (pop3, smtp) =
                        (pop3(house, name, "everybody's"), smtp(house, name, "everybody's"));
                    // The one whose password changes is refused from then on.
                    let is_well = pop3.starts_with("+OK") && smtp.starts_with("235");
                    assert!(is_well || name == "user49@open.example", "{name}: {pop3} {smtp}");
                }
            });
        }
        scope.spawn(|| set_password(&house, "user49@open.example", "quite another"));
    });
    wait_for(&house, 50);
    eventually(PATIENCE, "the daemons to see it", || {
        house.control().post("/reload", "").unwrap();
        by_scram(&house, &names[0], "everybody's") == [Said::Granted, Said::Granted]
    });
    std::thread::scope(|scope| {
        for part in names[..49].chunks(13) {
            let house = &house;
            scope.spawn(move || {
                for name in part {
                    let said = scram::log_in(&mut Line::open(house, "pop3"), name, "everybody's");
                    assert_eq!(said, Said::Granted, "{name}");
                }
            });
        }
    });
    welcome(&house, "user49@open.example", "quite another");
    unwelcome(&house, "user49@open.example", "everybody's");
    if accounts == FILE {
        let text = std::fs::read_to_string(house.path("users")).unwrap();
        assert_eq!(text.lines().count(), 50);
        let place = home(&house, &names[7]);
        assert!(text.contains(&place), "the rest of a line stays");
    }
}

#[test]
fn fifty_customers_of_a_file_are_upgraded_at_once() {
    fifty_at_once(FILE);
}

#[test]
fn fifty_customers_of_a_database_are_upgraded_at_once() {
    fifty_at_once(SQLITE);
}
