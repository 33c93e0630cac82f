//! `lastpost reload` while a source is broken: what runs stays, and the admin reads what is wrong.

use lastpost_tests::{House, Plan};

use crate::kit::{SQLITE, add, edit, hash, house, unwelcome, welcome, write_users};

const ANN: &str = "ann@open.example";
const PAT: &str = "pat@open.example";

/// Ann in a database, pat in a file behind it.
fn two_sources() -> House {
    let accounts = format!(
        "{SQLITE}[[accounts.source]]\nname = \"file\"\nkind = \"passwd-file\"\n\
         [accounts.source.passwd_file]\npath = \"users\"\n"
    );
    let plan = Plan { customers: Vec::new(), ..Plan::default() };
    house(plan, &accounts, "", |house| {
        add(house, ANN, "ann's password", &[]);
        write_users(house, "users", &[(PAT, hash("pat's password"))]);
    })
}

fn reload(house: &House) -> Result<String, String> {
    house.control().post("/reload", "").map_err(|error| error.to_string())
}

fn all_is_as_before(house: &House) {
    welcome(house, ANN, "ann's password");
    welcome(house, PAT, "pat's password");
    unwelcome(house, PAT, "new password");
}

#[test]
fn a_broken_file_is_named_and_changes_nothing() {
    let house = two_sources();
    reload(&house).unwrap();
    let good = format!("{PAT}:{}::::/nowhere::\n", hash("new password"));
    for (broken, complaint) in [
        (format!("{good}no line\n"), "users"),
        (format!("{good}eva@open.example:{{NONSENSE}}x::::/nowhere::\n"), "users"),
        (format!("{good}{good}"), "users"),
        (format!("{good}eva@open.example:{{PLAIN}}x::::/nowhere::quota=much\n"), "quota"),
    ] {
        std::fs::write(house.path("users"), &broken).unwrap();
        let error = reload(&house).unwrap_err();
        assert!(error.contains(complaint) && error.contains('2'), "{broken}: {error}");
        all_is_as_before(&house);
    }
    std::fs::remove_file(house.path("users")).unwrap();
    assert!(reload(&house).unwrap_err().contains("users"));
    all_is_as_before(&house);
    write_users(&house, "users", &[(PAT, hash("new password"))]);
    reload(&house).unwrap();
    welcome(&house, PAT, "new password");
    unwelcome(&house, PAT, "pat's password");
    welcome(&house, ANN, "ann's password");
}

/// A configuration that is wrong is refused as a whole.
#[test]
fn a_broken_configuration_does_not_reach_the_running_daemons() {
    let house = two_sources();
    edit(&house, |text| text.replace("kind = \"sqlite\"", "kind = \"nonsense\""));
    let error = reload(&house).unwrap_err();
    assert!(error.contains("accounts.source[0].kind") && error.contains("nonsense"), "{error}");
    all_is_as_before(&house);
    edit(&house, |text| text.replace("kind = \"nonsense\"", "kind = \"sqlite\""));
    write_users(&house, "users", &[(PAT, hash("new password"))]);
    reload(&house).unwrap();
    welcome(&house, ANN, "ann's password");
    welcome(&house, PAT, "new password");
}
