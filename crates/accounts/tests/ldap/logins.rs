//! Who logs in, by which name, and who does not.

use accounts::ldap::{LdapMode, LdapScope};
use auth::{
    AccountSource as _, AuthConfig, Authenticator, Clock as _, Credential, Directory, ManualClock,
    SystemClock,
};
use sasl::Secret;

use super::*;

fn authenticator(source: Arc<LdapSource>) -> Authenticator {
    let domain = Domain::parse("example.net").unwrap();
    let directory = Directory::chain(vec![source], Some(domain)).unwrap();
    let settings = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
    Authenticator::new(&settings, directory).unwrap()
}

#[tokio::test]
async fn the_directory_verifies_passwords() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let source = open(&config(&server, LdapMode::Bind));
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert_eq!(ann.key().as_str(), "ann@example.net");
    assert_eq!(ann.maildir(), std::path::Path::new("/srv/mail/ann/Maildir"));
    assert_eq!((ann.cohort(), ann.policy().words()), (Some("staff"), vec!["quota=1G".to_owned()]));
    assert!(!ann.is_disabled());
    let Credential::AtSource { version: Some(version) } = ann.credential() else {
        panic!("{:?}", ann.credential())
    };
    let verify = async |password: &str| {
        source.verify(&ann, &Secret::from(password), &origin()).await.unwrap()
    };
    assert!(verify("ann-secret").await);
    for wrong in ["ann-secre", "ann-secret ", "ben-secret", "*", "\0"] {
        assert!(!verify(wrong).await, "{wrong:?}");
    }
    // A bind with a name and no password succeeds, as nobody.
    assert!(!verify("").await);
    assert!(verify("ann-secret").await, "the connection is none the worse for it");
    let ben = source.find(&key("ben")).await.unwrap().unwrap();
    assert!(ben.is_disabled());
    assert!(source.find(&key("carl")).await.unwrap().is_none());
    assert!(source.find(&key("ann@other.example")).await.unwrap().is_some(), "as %n has it");

    server.modify(
        "dn: uid=ann,ou=people,dc=example,dc=net\nchangetype: modify\n\
         replace: userPassword\nuserPassword: new-secret\n",
    );
    let changed = source.find(&key("ann")).await.unwrap().unwrap();
    let Credential::AtSource { version: Some(new) } = changed.credential() else { panic!() };
    assert_ne!(version, new, "it changes with the password");
    assert!(!verify("ann-secret").await && verify("new-secret").await);
}

#[tokio::test]
async fn repeated_logins_are_remembered_until_the_password_changes() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let auth = authenticator(Arc::new(open(&config(&server, LdapMode::Bind))));
    let clock = SystemClock::new();
    let log_in = async |login: &str, password: &str| {
        let login = auth.verify(login, &Secret::from(password), &origin(), clock.now()).await;
        login.map(|login| login.account.key().to_string())
    };
    for login in ["ann", "ANN@example.net", "a.miller@example.net", "ann"] {
        assert_eq!(log_in(login, "ann-secret").await.unwrap(), "ann@example.net", "{login}");
    }
    assert!(auth.statistics().cached >= 1, "{:?}", auth.statistics());
    server.modify(
        "dn: uid=ann,ou=people,dc=example,dc=net\nchangetype: modify\n\
         replace: userPassword\nuserPassword: new-secret\n",
    );
    assert!(log_in("ann", "ann-secret").await.is_err(), "nobody remembers it");
    assert!(log_in("ann", "new-secret").await.is_ok());
    for (login, password) in
        [("ben", "ben-secret"), ("carl", "x"), ("ann", ""), ("*", "ann-secret")]
    {
        assert!(log_in(login, password).await.is_err(), "{login}");
    }
}

#[tokio::test]
async fn the_directorys_own_rules_hold() {
    if !slapd::is_installed() {
        return;
    }
    // It notes each login and each failure in the entry, and locks it after three.
    let server = Slapd::with_policy(PEOPLE);
    let mut config = config(&server, LdapMode::Bind);
    let locked = "pwdAccountLockedTime=*".to_owned();
    config.attributes.insert(LdapColumn::Disabled, locked);
    config.attributes.insert(LdapColumn::MustChange, "pwdReset".to_owned());
    let clock = Arc::new(ManualClock::new(SystemClock::new().now().wall));
    let source: Arc<LdapSource> = Arc::new(open_at(&config, Arc::clone(&clock) as _));
    let auth = authenticator(Arc::clone(&source));
    let log_in = async |password: &str| {
        auth.verify("ann", &Secret::from(password), &origin(), clock.now()).await.is_ok()
    };
    for _ in 0..2 {
        assert!(log_in("ann-secret").await);
        assert!(!log_in("wrong").await);
    }
    server.modify(
        "dn: uid=ann,ou=people,dc=example,dc=net\nchangetype: modify\n\
         replace: userPassword\nuserPassword: new-secret\n",
    );
    // Of the times that it notes, that of the change alone counts now.
    clock.advance(Duration::from_secs(3600));
    assert!(!log_in("ann-secret").await && log_in("new-secret").await);
    let cached = auth.statistics().cached;
    for _ in 0..3 {
        assert!(log_in("new-secret").await);
    }
    assert_eq!(auth.statistics().cached, cached + 3);
    server.modify(
        "dn: uid=ann,ou=people,dc=example,dc=net\nchangetype: modify\n\
         add: pwdReset\npwdReset: TRUE\n",
    );
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert!(ann.must_change() && !ann.is_disabled());
    for wrong in ["a", "b", "c"] {
        assert_eq!(source.verify(&ann, &Secret::from(wrong), &origin()).await, Ok(false));
    }
    assert_eq!(source.verify(&ann, &Secret::from("new-secret"), &origin()).await, Ok(false));
    assert!(source.find(&key("ann")).await.unwrap().unwrap().is_disabled(), "locked");
}

#[tokio::test]
async fn hashes_are_read_and_compared_here() {
    if !slapd::is_installed() {
        return;
    }
    // slappasswd -s secret -h {SSHA}; and argon2 as OpenLDAP names it.
    let hashes =
        [("ssha", "{SSHA}7aJ7jcWkSsW0nMIRwcsJQV4vlnw0YSrf"), ("plain", "{CLEARTEXT}secret")];
    let made = std::process::Command::new("/usr/sbin/slappasswd")
        .args(["-s", "secret", "-h", "{SSHA}"])
        .output()
        .unwrap();
    let ssha = String::from_utf8(made.stdout).unwrap();
    let argon2 = auth::hash_new(b"secret", &auth::Argon2Params::new(64, 1, 1).unwrap()).unwrap();
    let argon2 = argon2.to_field().replace("{ARGON2ID}", "{ARGON2}");
    let entries: String = hashes
        .iter()
        .map(|(uid, hash)| (*uid, if *uid == "ssha" { ssha.trim() } else { hash }))
        .chain([("argon", argon2.as_str())])
        .map(|(uid, hash)| {
            format!(
                "dn: uid={uid},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\n\
                 objectClass: posixAccount\nuid: {uid}\ncn: x\nsn: x\nuidNumber: 1\n\
                 gidNumber: 1\nhomeDirectory: /srv/{uid}\nuserPassword: {hash}\n\n"
            )
        })
        .collect();
    let server = Slapd::start(&entries);
    let source = open(&config(&server, LdapMode::Hash));
    for uid in ["ssha", "plain", "argon"] {
        let account = source.find(&key(uid)).await.unwrap().unwrap();
        let hash = account.hash().unwrap_or_else(|| panic!("{uid}"));
        assert!(hash.verify(b"secret") && !hash.verify(b"wrong"), "{uid}");
        assert!(!account.is_disabled());
        let never = source.verify(&account, &Secret::from("secret"), &origin()).await;
        assert_eq!(never, Ok(false), "the directory is not asked in this mode");
    }
}

#[tokio::test]
async fn aliases_and_owners_of_addresses() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let source = open(&config(&server, LdapMode::Bind));
    for login in ["a.miller", "A.Miller@Example.NET", "ann@xn--bcher-kva.example"] {
        let account = source.find(&key(login)).await.unwrap().unwrap();
        assert_eq!(account.key().as_str(), "ann@example.net", "{login}");
    }
    assert_eq!(owners(&source, "ann@example.net").await, ["ann@example.net"]);
    let team = owners(&source, "TEAM@example.net").await;
    assert_eq!(team, ["ben@example.net", "ann@example.net"], "whose primary one it is first");
    for spelling in ["ann@bücher.example", "Ann@xn--bcher-kva.example"] {
        assert_eq!(owners(&source, spelling).await, ["ann@example.net"], "{spelling}");
    }
    assert!(owners(&source, "nobody@example.net").await.is_empty());
}

#[tokio::test]
async fn nothing_that_a_client_sends_changes_what_is_asked() {
    if !slapd::is_installed() {
        return;
    }
    // One whose name is made of everything that means something to a directory.
    let odd = "we*rd(1),x=y+z#;<\">";
    let entry = format!(
        "dn: uid=we*rd(1)\\,x\\=y\\+z#\\;\\<\\\"\\>,ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\n\
         objectClass: posixAccount\nuid: {odd}\ncn: x\nsn: x\nuidNumber: 1\ngidNumber: 1\n\
         homeDirectory: /srv/odd\nmail: odd@example.net\nuserPassword: odd-secret\n\n"
    );
    let server = Slapd::start(&format!("{PEOPLE}{entry}"));
    let by_filter = config(&server, LdapMode::Bind);
    let mut by_name = by_filter.clone();
    by_name.search.base = format!("uid=%n,ou=people,{SUFFIX}");
    by_name.search.scope = LdapScope::Base;
    by_name.search.filter = "(objectClass=*)".to_owned();
    by_name.search.list_filter.clear();
    // Without it every login would be completed, and a name with two @ is nobody's.
    let bare = |login: &str| AccountKey::parse(login, None).unwrap();
    for config in [by_filter, by_name] {
        let source = open(&config);
        for login in [
            "*",
            "a*",
            "an?",
            "ann)(uid=*",
            "*)(uid=*))(|(uid=*",
            "ann)(|(uid=*)",
            "(uid=ann)",
            "ann,ou=people,dc=example,dc=net",
            "ann+cn=Ann",
            "#616e6e",
            "ann=",
            "\"ann\"",
            "%n",
            "ann;",
            "<ann>",
        ] {
            let found = source.find(&bare(login)).await.unwrap();
            assert!(found.is_none(), "{login} found {found:?}");
        }
        // Its own login would be nobody's as an account's; that it is found shows in the error.
        let found = source.find(&bare(odd)).await;
        let account = found.unwrap().unwrap();
        assert_eq!(account.maildir(), std::path::Path::new("/srv/odd/Maildir"));
        assert!(source.find(&bare("ann")).await.unwrap().is_some());
    }
    let source = open(&config(&server, LdapMode::Bind));
    for address in [
        "\"*\"@example.net",
        "\"ann)(mail=*\"@example.net",
        "\"\\\\00\"@example.net",
        "\"*)(|(uid=*\"@example.net",
        "*@example.net",
        "\"a\\\\2a\"@example.net",
    ] {
        assert!(owners(&source, address).await.is_empty(), "{address}");
    }
}

#[tokio::test]
async fn two_entries_for_one_login_are_nobody() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let mut config = config(&server, LdapMode::Bind);
    config.search.filter = "(|(mail=%u)(mailAlternateAddress=%u))".to_owned();
    let source = open(&config);
    let error = source.find(&key("team@example.net")).await.unwrap_err();
    assert!(error.problem.contains("more than 1 entries"), "{error}");
    assert!(source.find(&key("ann@example.net")).await.unwrap().is_some(), "others log in");
    // A record that is no account is that login's trouble alone.
    server.modify(
        "dn: uid=ann,ou=people,dc=example,dc=net\nchangetype: modify\n\
         replace: homeDirectory\nhomeDirectory: relative\n",
    );
    let error = source.find(&key("ann@example.net")).await.unwrap_err();
    assert!(error.problem.contains("home"), "{error}");
}
