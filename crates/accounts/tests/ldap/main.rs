//! Accounts in a real directory: slapd of OpenLDAP (Debian: slapd, ldap-utils), started by each
//! test in a folder of its own. Where it is not installed the tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../kit/certificate.rs"]
mod certificate;
#[path = "../kit/fences.rs"]
mod fences;
mod listing;
mod logins;
mod page;
mod slapd;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use accounts::Common;
use accounts::ldap::{LdapColumn, LdapConfig, LdapMode, LdapSearch, LdapSource};
use address::{AccountKey, Domain, Mailbox};
use auth::{AccountSource, Channel, Clock, MaildirTemplate, Origin, Service, SystemClock};
use slapd::{SUFFIX, Slapd};

/// The customers of most tests.
const PEOPLE: &str = "\
dn: uid=ann,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: mailCustomer
uid: ann
cn: Ann
sn: Miller
uidNumber: 5000
gidNumber: 5000
homeDirectory: /srv/mail/ann
mail: ann@example.net
mailAlternateAddress: a.miller@example.net
mailAlternateAddress: team@example.net
mailAlternateAddress: ann@xn--bcher-kva.example
mailQuota: 1G
ou: staff
userPassword: ann-secret

dn: uid=ben,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: mailCustomer
uid: ben
cn: Ben
sn: Baker
uidNumber: 5001
gidNumber: 5001
homeDirectory: /srv/mail/ben
mail: team@example.net
accountStatus: noaccess
userPassword: ben-secret

dn: ou=elsewhere,ou=people,dc=example,dc=net
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:9/ou=elsewhere,dc=example,dc=net

";

fn common(clock: Arc<dyn Clock>) -> Common {
    Common {
        weak_schemes: auth::WeakSchemes::default(),
        default_domain: Some(Domain::parse("example.net").unwrap()),
        maildir: MaildirTemplate::parse("%h/Maildir").unwrap(),
        clock,
        state_directory: "/nonexistent".into(),
    }
}

/// How the directory of these tests is read.
fn config(server: &Slapd, mode: LdapMode) -> LdapConfig {
    let attributes = [
        (LdapColumn::Login, "uid"),
        (LdapColumn::Addresses, "mail,mailAlternateAddress"),
        (LdapColumn::Home, "homeDirectory"),
        (LdapColumn::Quota, "mailQuota"),
        (LdapColumn::Cohort, "ou"),
        (LdapColumn::Disabled, "accountStatus=disabled,noaccess"),
    ];
    LdapConfig {
        servers: vec![server.url()],
        start_tls: false,
        bind_dn: format!("cn=mail,{SUFFIX}"),
        password_file: Some(server.password_file()),
        mode,
        // Only servers that are meant to be slow may fail by it.
        timeout: Duration::from_secs(20),
        search: LdapSearch {
            base: format!("ou=people,{SUFFIX}"),
            filter: "(|(uid=%n)(mail=%u)(mailAlternateAddress=%u))".to_owned(),
            address_filter: "(|(mail=%u)(mailAlternateAddress=%u))".to_owned(),
            list_filter: "(objectClass=mailCustomer)".to_owned(),
            ..LdapSearch::default()
        },
        attributes: attributes.map(|(column, name)| (column, name.to_owned())).into(),
        ..LdapConfig::default()
    }
}

fn open(config: &LdapConfig) -> LdapSource {
    open_at(config, Arc::new(SystemClock::new()))
}

fn open_at(config: &LdapConfig, clock: Arc<dyn Clock>) -> LdapSource {
    LdapSource::open("directory", config, &common(clock)).unwrap()
}

fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, Some(&Domain::parse("example.net").unwrap())).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn origin() -> Origin {
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    Origin { client: "192.0.2.1".parse().unwrap(), channel }
}

/// The logins of the accounts that own an address.
async fn owners(source: &LdapSource, address: &str) -> Vec<String> {
    let owners = source.owners(&mailbox(address)).await.unwrap();
    owners.iter().map(|account| account.key().to_string()).collect()
}
