//! Columns as they are configured, and what entries say of them.

use super::super::message::entry_of;
use super::*;

fn read(configured: &[(Column, &str)], mode: LdapMode) -> Vec<(Column, Attribute)> {
    let mut configured: BTreeMap<Column, String> =
        configured.iter().map(|(column, text)| (*column, (*text).to_owned())).collect();
    configured.entry(Column::Login).or_insert_with(|| "uid".to_owned());
    Attribute::read_all(&configured, mode).unwrap()
}

fn text(text: &str) -> Said {
    Said::text(text)
}

#[test]
fn every_column_is_read_from_its_attributes() {
    let all = read(
        &[
            (Column::Login, "uid"),
            (Column::Addresses, "mail, mailAlternateAddress"),
            (Column::Quota, "mailQuota,quota"),
            (Column::Disabled, "accountStatus=disabled,noaccess"),
            (Column::MustChange, "pwdReset"),
        ],
        LdapMode::Bind,
    );
    assert_eq!(
        Attribute::names_of(&all),
        [
            "pwdChangedTime",
            "pwdLastSet",
            "entryCSN",
            "modifyTimestamp",
            "uid",
            "mail",
            "mailAlternateAddress",
            "accountStatus",
            "pwdReset",
            "mailQuota",
            "quota",
        ]
    );
    let entry = entry_of(
        "dc=x",
        &[
            ("UID", &["ann"]),
            ("mailalternateaddress", &["b@x", "c@x"]),
            ("mail", &["a@x"]),
            ("quota", &["1G"]),
            ("accountStatus", &["NoAccess"]),
            ("pwdReset", &["TRUE"]),
            ("modifyTimestamp", &["20260101000000Z"]),
            ("entryCSN", &["20260101000000.000001Z#000000#000#000000"]),
        ],
    );
    let of = |column| Attribute::of(&all, column, &entry);
    assert_eq!(of(Column::Login), text("ann"));
    assert_eq!(
        of(Column::Addresses),
        Said::List(["a@x", "b@x", "c@x"].map(str::to_owned).to_vec())
    );
    assert_eq!(of(Column::Quota), text("1G"));
    assert_eq!(of(Column::Disabled), text("yes"));
    assert_eq!(of(Column::MustChange), text("yes"));
    assert_eq!(of(Column::Version), text("20260101000000.000001Z#000000#000#000000"));
    assert_eq!(of(Column::Home), Said::Nothing);
    let bare = entry_of("dc=x", &[("accountStatus", &["active"]), ("uid", &["a", "b"])]);
    let of = |column| Attribute::of(&all, column, &bare);
    assert_eq!(of(Column::Disabled), text("no"));
    assert_eq!(of(Column::MustChange), Said::Nothing);
    assert_eq!(of(Column::Login), Said::Wrong("several values where one is expected"));
}

#[test]
fn switches_by_words_by_values_and_by_being_there() {
    for (configured, values, expected) in [
        ("locked", &["TRUE"][..], text("yes")),
        ("locked", &["false"], text("no")),
        ("locked", &["yes"], text("yes")),
        ("locked", &["maybe"], text("maybe")),
        ("locked", &["TRUE", "FALSE"], text("several values")),
        ("locked=*", &["20260101000000Z"], text("yes")),
        ("locked=*", &[], Said::Nothing),
        ("locked=a,b", &["x", "B"], text("yes")),
        ("locked=a,b", &["x"], text("no")),
    ] {
        let all = read(&[(Column::Disabled, configured)], LdapMode::Bind);
        let entry = entry_of("dc=x", &[("locked", values)]);
        let said = Attribute::of(&all, Column::Disabled, &entry);
        assert_eq!(said, expected, "{configured} {values:?}");
    }
}

#[test]
fn what_is_asked_for_is_what_is_read() {
    let all = read(&[(Column::Addresses, "mail"), (Column::Home, "MAIL")], LdapMode::Hash);
    assert_eq!(Attribute::names_of(&all), ["userPassword", "uid", "mail"], "each once");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (column, value, mode, key) in [
        (Column::Addresses, "", LdapMode::Bind, "attributes.addresses"),
        (Column::Addresses, "mail,,x", LdapMode::Bind, "attributes.addresses"),
        (Column::Home, "home=x", LdapMode::Bind, "attributes.home"),
        (Column::Home, "home dir", LdapMode::Bind, "attributes.home"),
        (Column::Disabled, "status=", LdapMode::Bind, "attributes.disabled"),
        (Column::Password, "userPassword", LdapMode::Bind, "attributes.password"),
        (Column::Version, "entryCSN", LdapMode::Hash, "attributes.version"),
    ] {
        let configured: BTreeMap<_, _> =
            [(column, value.to_owned()), (Column::Login, "uid".to_owned())].into();
        let (found, _) = Attribute::read_all(&configured, mode).unwrap_err();
        assert_eq!(found, key, "{value}");
    }
    let (found, _) = Attribute::read_all(&BTreeMap::new(), LdapMode::Bind).unwrap_err();
    assert_eq!(found, "attributes.login");
}
