//! retire: whole file
//! The bridge, over accounts from a database and from a hook that fails.

use lastpost_tests::{Plan, eventually};

use crate::chain::{HOLLY, HOLLYS, PAT, PATS, chained, pause};
use crate::hook::Mood;
use crate::kit::{HOME, PATIENCE, SQLITE, add, house, lastpost, pop3, set_password};
use crate::special::with_masters;

/// Everybody may.
const BRIDGE: &str = "enabled = true\nexcluded = []\nledger.path = \"state/ledger.sqlite\"\n\
    socket.path = \"state/grants.sock\"\n[schedule]\nzone = \"UTC\"\n[[schedule.cohort]]\n\
    name = \"open\"\nrest = true\n";

fn plan() -> Plan {
    Plan { customers: Vec::new(), ..Plan::default() }.with_bridge(BRIDGE)
}

#[test]
fn an_account_of_a_database_sends_after_fetching() {
    let ann = "ann@open.example";
    let house = house(plan(), SQLITE, "", |house| {
        add(house, ann, "ann's password", &["--address", ann, "--address", "team@open.example"]);
        add(house, "ben@open.example", "ben's password", &[]);
    });
    assert!(house.mail_from(ann, HOME).starts_with("530"));
    assert!(pop3(&house, ann, "ann's password").starts_with("+OK"));
    assert_eq!(house.grants(), [(HOME, ann.to_owned())]);
    assert!(house.send("team@open.example", HOME).starts_with("250"));
    house.wait_for_mail(1);
    let reply = house.mail_from("ben@open.example", HOME);
    assert!(reply.starts_with("550-5.7.1"), "{reply}");
    // A grant is the account's, not the password's; but it ends with the account.
    set_password(&house, ann, "another");
    assert!(house.mail_from(ann, HOME).starts_with("250"));
    lastpost(&house, &["account", "disable", ann], "").unwrap();
    let reply = house.mail_from(ann, HOME);
    assert!(reply.starts_with("5"), "{reply}");
    lastpost(&house, &["account", "enable", ann], "").unwrap();
    assert!(house.mail_from(ann, HOME).starts_with("250"));
}

#[test]
fn while_accounts_cannot_be_looked_up_grants_are_put_off_and_not_lost() {
    let (house, hook) = chained(plan(), "10s");
    assert!(pop3(&house, HOLLY, HOLLYS).starts_with("+OK"));
    assert!(pop3(&house, PAT, PATS).starts_with("+OK"));
    assert!(house.mail_from(HOLLY, HOME).starts_with("250"));
    let granted = house.grants();
    assert_eq!(granted.len(), 2, "{granted:?}");
    hook.set(Mood::Broken);
    for sender in [HOLLY, PAT, "nobody@open.example"] {
        let reply = house.mail_from(sender, HOME);
        assert!(reply.starts_with("451"), "{sender}: {reply}");
    }
    assert!(pop3(&house, PAT, PATS).starts_with("-ERR [SYS/TEMP]"));
    assert_eq!(house.grants(), granted);
    hook.set(Mood::Works);
    eventually(PATIENCE, "the hook to be asked again", || {
        pause(&house);
        house.mail_from(HOLLY, HOME).starts_with("250")
    });
    assert!(house.mail_from(PAT, HOME).starts_with("250"));
    let reply = house.mail_from("nobody@open.example", HOME);
    assert!(reply.starts_with("5"), "{reply}");
}

#[test]
fn a_master_user_leaves_no_grant() {
    let house = with_masters(Plan::default().with_bridge(BRIDGE), "");
    assert!(pop3(&house, "aiko@open.example*help", "help's password").starts_with("+OK"));
    assert_eq!(house.grants(), []);
    assert!(house.mail_from("aiko@open.example", HOME).starts_with("530"));
    assert!(pop3(&house, "aiko@open.example", "aiko's password").starts_with("+OK"));
    assert!(pop3(&house, "aiko@open.example*help", "help's password").starts_with("+OK"));
    assert_eq!(house.grants().len(), 1);
}
