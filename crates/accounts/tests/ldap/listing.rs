//! The list of all accounts, in pages.

use std::collections::HashSet;

use auth::{AccountSource as _, Directory};

use super::*;

const MANY: usize = 1234;

fn many() -> String {
    (0..MANY)
        .map(|n| {
            // Some are no proper accounts; a whole page of them is not the end.
            let home = if n < 2 || n % 100 == 7 { "relative" } else { "/srv/mail" };
            format!(
                "dn: uid=user{n},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\n\
                 objectClass: posixAccount\nobjectClass: mailCustomer\nuid: user{n}\ncn: x\n\
                 sn: x\nuidNumber: 1\ngidNumber: 1\nhomeDirectory: {home}\n\n"
            )
        })
        .collect()
}

#[tokio::test]
async fn all_accounts_are_listed_beyond_the_servers_limit() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(&many());
    let config = config(&server, LdapMode::Bind);
    let source = Arc::new(open(&config));
    let wrong = (0..MANY).filter(|n| *n < 2 || n % 100 == 7).count();
    let directory = Directory::chain(
        vec![Arc::clone(&source) as Arc<dyn AccountSource>],
        Some(Domain::parse("example.net").unwrap()),
    )
    .unwrap();
    let mut walk = directory.walk();
    let mut seen = HashSet::new();
    loop {
        let page = walk.next_page().await.unwrap();
        if page.is_empty() {
            break;
        }
        for account in page {
            assert!(seen.insert(account.key().to_string()), "{} twice", account.key());
        }
    }
    assert_eq!(seen.len(), MANY - wrong);
    assert!(walk.unlisted().is_empty());

    // In small pages; every third is asked of somebody who has not heard of the list.
    let mut after = None;
    let mut again = HashSet::new();
    for round in 0.. {
        let fresh;
        let source = if round % 3 == 2 {
            fresh = open(&config);
            &fresh
        } else {
            &*source
        };
        let page = source.page(after.as_ref(), 97).await.unwrap().unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key().clone());
        for account in &page {
            assert!(again.insert(account.key().to_string()), "{} twice", account.key());
        }
    }
    assert_eq!(again, seen);
    let first = source.page(None, 1).await.unwrap().unwrap();
    assert_eq!(first.len(), 1, "not the two at the beginning that are wrong");
    let gone = key("nobody");
    assert!(!source.page(Some(&gone), 10).await.unwrap().unwrap().is_empty(), "from the beginning");
}

#[tokio::test]
async fn a_source_without_a_filter_for_all_cannot_list() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let mut config = config(&server, LdapMode::Bind);
    config.search.list_filter.clear();
    assert!(open(&config).page(None, 10).await.unwrap().is_none());
}
