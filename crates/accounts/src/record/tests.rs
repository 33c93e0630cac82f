//! Records of every kind, and what is said of those that are wrong.

use auth::Scheme;

use super::*;
use crate::testing::common;

fn row(columns: &[(&str, &str)]) -> Row {
    let mut row = Row { login: "Ann".to_owned(), ..Row::default() };
    for (column, value) in columns {
        row.set(column, value).unwrap();
    }
    row
}

fn account(columns: &[(&str, &str)]) -> Result<Account, RowProblem> {
    row(columns).into_account(&common())
}

#[test]
fn a_record_with_everything() {
    let account = account(&[
        ("password", "{PLAIN}geheim"),
        ("addresses", "ann@example.net, \"a, b\"@example.net\nann@example.net"),
        ("send_as", "boss@example.net @club.example"),
        ("home", "/home/ann"),
        ("cohort", "wave-1"),
        ("disabled", "f"),
        ("must_change", "TRUE"),
        ("quota", "1G,10000"),
        ("login_delay", "60s"),
        ("sessions", "4"),
        ("expire_retrieved", "30d"),
        ("expire_arrived", "never"),
        ("limits", "business"),
    ])
    .unwrap();
    assert_eq!(account.key().as_str(), "ann@example.net");
    let addresses: Vec<String> = account.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["ann@example.net", "\"a, b\"@example.net"]);
    let delegations: Vec<String> = account.delegations().iter().map(ToString::to_string).collect();
    assert_eq!(delegations, ["boss@example.net", "@club.example"]);
    assert_eq!(account.maildir(), Path::new("/home/ann/Maildir"));
    assert_eq!(account.cohort(), Some("wave-1"));
    assert!(account.must_change() && !account.is_disabled());
    assert!(account.hash().unwrap().verify(b"geheim"));
    let words = "login_delay=60s sessions=4 expire_retrieved=30d expire_arrived=never \
                 quota=1G,10000 limits=business";
    assert_eq!(account.policy().words().join(" "), words);
}

#[test]
fn what_is_not_said_is_as_in_a_passwd_file() {
    let account = account(&[
        ("password", "{PLAIN}x"),
        ("maildir", "/m"),
        ("quota", "0"),
        ("disabled", ""),
        ("cohort", ""),
    ]);
    let account = account.unwrap();
    assert_eq!(account.addresses()[0].to_string(), "ann@example.net");
    assert!(account.policy().is_default() && account.cohort().is_none());
    assert!(!account.is_disabled() && !account.must_change());
}

#[test]
fn without_a_password_only_the_source_can_let_it_in() {
    let locked = account(&[("maildir", "/m")]).unwrap();
    assert!(locked.is_disabled() && !locked.hash().unwrap().verify(b""));
    let locked = account(&[("maildir", "/m"), ("password", "!{PLAIN}x")]).unwrap();
    assert!(locked.is_disabled() && locked.hash().unwrap().scheme() == Scheme::Plain);
    let mut row = row(&[("maildir", "/m")]);
    row.at_source = Some(Credential::AtSource { version: None });
    assert!(row.open_hash().is_none());
    let account = row.into_account(&common()).unwrap();
    assert!(!account.is_disabled() && account.hash().is_none());
}

#[test]
fn what_is_wrong_names_its_column_and_no_secret() {
    for (column, value, says) in [
        ("login", "", "empty"),
        ("login", "a/b", "character"),
        ("password", "hunter2", "no password scheme"),
        ("password", "{ROT13}hunter2", "ROT13"),
        ("addresses", "ann", "no @domain"),
        ("send_as", "@", "expected local@domain or @domain"),
        ("maildir", "Maildir", "absolute"),
        ("maildir", "/m/../etc", "absolute"),
        ("home", "../etc", "absolute"),
        ("home", "", "expected home"),
        ("cohort", "a b", "letters"),
        ("disabled", "maybe", "yes or no"),
        ("must_change", "2", "yes or no"),
        ("quota", "lots", "octets"),
        ("login_delay", "60", "whole seconds"),
        ("sessions", "-1", "1 to 100000"),
        ("expire_retrieved", "30", "30d"),
        ("limits", "a b", "profile"),
    ] {
        let mut columns = vec![("password", "{PLAIN}x"), ("home", "/home/ann")];
        columns.retain(|(other, _)| *other != column);
        columns.push((column, value));
        let problem = account(&columns).unwrap_err();
        let expected = if (column, value) == ("home", "") { "maildir" } else { column };
        assert_eq!(problem.column, expected, "{problem}");
        assert!(problem.to_string().contains(says), "{problem}");
        assert!(!problem.to_string().contains("hunter2"));
    }
}

#[test]
fn unknown_columns_are_told_the_nearest() {
    let error = row(&[]).set("adresses", "x").unwrap_err().to_string();
    assert!(error.contains("did you mean addresses?"), "{error}");
    let error = row(&[]).set("uid", "x").unwrap_err().to_string();
    assert!(!error.contains("did you mean") && error.contains("must_change"), "{error}");
    for column in Row::COLUMNS {
        row(&[]).set(column, "x").unwrap();
        assert_eq!(nearest(&column.to_uppercase(), &Row::COLUMNS), Some(column));
    }
}

#[test]
fn lists_break_outside_quotes() {
    let split = |text| split_list(text).join("|");
    assert_eq!(split(""), "");
    assert_eq!(split(" a@x,, b@x\n\tc@x ,"), "a@x|b@x|c@x");
    assert_eq!(split(r#""a, \" b"@x, "\\"@y,z@z"#), r#""a, \" b"@x|"\\"@y|z@z"#);
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", row(&[("password", "{PLAIN}hunter2")]));
    assert!(shown.contains("Ann") && !shown.contains("hunter2"));
}
