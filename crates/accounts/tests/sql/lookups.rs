//! Who is found: by login, by address, page by page; whatever the names are.

use accounts::sql::SqlQueries;
use auth::address_key;

use super::*;

on_both! {
    new:
    accounts_are_found_by_login_and_by_address
    everything_a_row_can_say
    hostile_names_find_nobody_and_break_nothing
    every_language_comes_and_goes_unharmed
    pages_are_in_order
    names_are_told_apart_or_not_as_the_query_says
    a_record_that_is_wrong_is_that_one_accounts_trouble
    a_thousand_at_a_time
    commands_that_block_may_ask_as_often_as_they_like
}

async fn accounts_are_found_by_login_and_by_address(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &["ann@example.net", "team@example.net"]);
    database.insert("ben@example.net", "{PLAIN}y", &["team@example.net"]);
    database.insert("zoe@example.net", "{PLAIN}z", &["zoe@xn--bcher-kva.example"]);
    for settings in [database.settings(), database.settings_tls()] {
        let source = open(&database.config(settings));
        let ann = source.find(&key("ANN")).await.unwrap().unwrap();
        assert_eq!(ann.key().as_str(), "ann@example.net");
        assert!(ann.hash().unwrap().verify(b"x"));
        assert_eq!(ann.addresses().len(), 2);
        assert!(source.find(&key("nobody")).await.unwrap().is_none());
        let team = owners(&*source, "Team@Example.NET").await;
        assert_eq!(team, ["ben@example.net", "ann@example.net"], "the primary one first");
        assert_eq!(owners(&*source, "\"ZOE\"@BÜCHER.example").await, ["zoe@example.net"]);
        assert!(owners(&*source, "ben@example.net").await.is_empty());
        assert!(source.decoy(1).is_some() && source.can_replace_hash());
    }
}

async fn everything_a_row_can_say(database: &Database) {
    database.sql(
        "INSERT INTO accounts VALUES ('ann@example.net', '{PLAIN}x', 'boss@example.net @club.example',
             NULL, '/home/ann', 'wave-1', TRUE, TRUE, '1G,100', '60s', 4, '30d', 'never', 'business');
         INSERT INTO accounts (login, home) VALUES ('bare@example.net', '/h');",
    );
    let source = open(&database.config(database.settings()));
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert!(ann.is_disabled() && ann.must_change());
    assert_eq!(ann.cohort(), Some("wave-1"));
    assert_eq!(ann.maildir(), std::path::Path::new("/home/ann/Maildir"));
    assert_eq!(ann.policy().words().len(), 6);
    assert!(ann.may_send_as(&mailbox("x@club.example")));
    let bare = source.find(&key("bare")).await.unwrap().unwrap();
    assert!(bare.is_disabled() && bare.policy().is_default() && !bare.must_change());
    assert!(source.policies().login_delay.is_some(), "it may be said");
}

/// Names that would do harm if they became part of a query's text.
const HOSTILE: [&str; 12] = [
    "'",
    "''",
    "\"",
    "';drop_table_accounts;--",
    "'||'1'='1",
    "'or(1)=(1)--",
    "%",
    "_",
    "$1",
    "?",
    "*/union/**/select",
    "0x27",
];

async fn hostile_names_find_nobody_and_break_nothing(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &["ann@example.net"]);
    let source = open(&database.config(database.settings()));
    let long = "x".repeat(300);
    for name in HOSTILE.into_iter().chain([&*long]) {
        for login in [name.to_owned(), format!("ann{name}"), format!("{name}@example.net")] {
            let Ok(key) = AccountKey::parse(&login, None) else { continue };
            assert!(source.find(&key).await.unwrap().is_none(), "{login}");
        }
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        for local in [format!("\"{quoted}\""), format!("\"ann\\\\{quoted}; --\"")] {
            let Ok(address) = Mailbox::parse(&format!("{local}@example.net")) else { continue };
            assert!(source.owners(&address).await.unwrap().is_empty(), "{address}");
        }
    }
    // And one who is really called so.
    let login = "o'brien\"--;#@example.net";
    let address = "\"o'brien; -- \\\\ \\\" %\"@example.net";
    database.insert(login, "{PLAIN}x", &[&address_key(&mailbox(address))]);
    let found = source.find(&key(login)).await.unwrap().unwrap();
    assert_eq!(found.key().as_str(), login);
    assert_eq!(owners(&*source, address).await, [login]);
    assert!(source.find(&key("ann")).await.unwrap().is_some());
}

async fn every_language_comes_and_goes_unharmed(database: &Database) {
    let names = ["müller", "例え", "𠮷野", "ß", "ñandú", "жук"];
    for name in names {
        let login = format!("{name}@example.net");
        database.insert(&login, "{PLAIN}пароль🦀", &[&login]);
    }
    let source = open(&database.config(database.settings()));
    for name in names {
        let found = source.find(&key(name)).await.unwrap().unwrap();
        assert_eq!(found.key().as_str(), format!("{name}@example.net"));
        assert!(found.hash().unwrap().verify("пароль🦀".as_bytes()), "{name}");
    }
    for name in ["muller", "ss", "nandu", "㐂"] {
        assert!(source.find(&key(name)).await.unwrap().is_none(), "{name}");
    }
}

async fn pages_are_in_order(database: &Database) {
    let mut logins: Vec<String> = (0..25).map(|n| format!("u{n}@example.net")).collect();
    database.insert_many(0..25);
    logins.sort();
    let source = open(&database.config(database.settings()));
    for limit in [1, 7, 25, 5000] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = source.page(after.as_ref(), limit).await.unwrap().unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key().clone());
            all.extend(page.iter().map(|account| account.key().to_string()));
        }
        assert_eq!(all, logins, "{limit}");
    }
}

/// Tables of somebody else: bare logins, other spellings, aliases.
async fn names_are_told_apart_or_not_as_the_query_says(database: &Database) {
    database.sql(
        "CREATE TABLE people (name VARCHAR(64) PRIMARY KEY, pw VARCHAR(99), nick VARCHAR(64));
         INSERT INTO people VALUES ('Ann', '{PLAIN}a', 'annie'), ('BEN', '{PLAIN}b', 'bb'),
             ('Cleo', '{PLAIN}c', 'bb'), ('dora@example.org', '{PLAIN}d', 'dd');
         GRANT SELECT ON people TO lastpost"
            .replace(
                "TO lastpost",
                if database.kind == Kind::Mariadb {
                    "TO lastpost@localhost;"
                } else {
                    "TO lastpost;"
                },
            )
            .as_str(),
    );
    let columns = "SELECT name AS login, pw AS password, '/h' AS home FROM people";
    let mut settings = database.settings();
    settings.queries = SqlQueries {
        account: format!(
            "{columns} WHERE lower(name) = :user AND :domain = 'example.net' \
             OR lower(name) = :login OR nick = :user"
        ),
        page: format!(
            "{columns} WHERE lower(name) > lower(:after) ORDER BY lower(name) LIMIT :limit"
        ),
        ..SqlQueries::default()
    };
    let source = open(&database.config(settings));
    for login in ["ann", "ann@example.net", "annie"] {
        let ann = source.find(&key(login)).await.unwrap().unwrap();
        assert_eq!(ann.key().as_str(), "ann@example.net");
    }
    assert!(source.find(&key("dora@example.org")).await.unwrap().is_some());
    assert!(source.find(&key("ann@example.org")).await.unwrap().is_none());
    let error = source.find(&key("bb")).await.unwrap_err();
    assert!(error.problem.contains("more than one row"), "{error}");
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = source.page(after.as_ref(), 1).await.unwrap().unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key().clone());
        all.push(last.key().to_string());
    }
    assert_eq!(all, ["ann@example.net", "ben@example.net", "cleo@example.net", "dora@example.org"]);
    assert!(owners(&*source, "ann@example.net").await.is_empty(), "no query for owners");
    assert!(!source.can_replace_hash());
    assert!(source.policies().login_delay.is_none(), "no such column");
}

async fn a_record_that_is_wrong_is_that_one_accounts_trouble(database: &Database) {
    for login in ["ann@example.net", "ben@example.net", "zoe@example.net"] {
        database.insert(login, "{PLAIN}x", &[login]);
    }
    database.sql("UPDATE accounts SET quota = 'lots' WHERE login = 'ben@example.net'");
    let source = open(&database.config(database.settings()));
    let error = source.find(&key("ben")).await.unwrap_err();
    assert!(error.problem.contains("\"ben@example.net\", quota: "), "{error}");
    assert!(source.owners(&mailbox("ben@example.net")).await.is_err());
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    for limit in [1, 10] {
        let first = source.page(Some(&key("ann")), limit).await.unwrap().unwrap();
        assert_eq!(first[0].key().as_str(), "zoe@example.net", "the others are listed");
    }
}

async fn a_thousand_at_a_time(database: &Database) {
    database.insert_many(0..50);
    let mut settings = database.settings();
    settings.connections = 4;
    let source = open(&database.config(settings));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..400 {
        let source = Arc::clone(&source);
        tasks.spawn(async move {
            let login = key(&format!("u{}", n % 100));
            let found = source.find(&login).await.unwrap();
            assert_eq!(found.is_some(), n % 100 < 50, "{login}");
        });
    }
    tasks.join_all().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..1000 {
        let source = Arc::clone(&source);
        tasks.spawn(async move { source.find(&key(&format!("u{}", n % 50))).await });
    }
    let answered = tasks.join_all().await.into_iter().filter(Result::is_ok).count();
    // 4 × 128 may wait; how many had to is the machine's business.
    assert!(answered >= 512, "{answered}");
    let open = match database.kind {
        Kind::Postgresql => format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND usename = 'lastpost'",
            database.name
        ),
        Kind::Mariadb => format!(
            "SELECT count(*) FROM information_schema.processlist WHERE db = '{}' AND user = 'lastpost'",
            database.name
        ),
    };
    let open: usize = database.sql(&format!("{open};")).trim().parse().unwrap();
    assert!((1..=4).contains(&open), "{open}");
}

/// Each question has a runtime of its own there, with which the connection ends.
async fn commands_that_block_may_ask_as_often_as_they_like(database: &Database) {
    database.insert_many(0..3);
    for settings in [database.settings(), database.settings_tls()] {
        let source = open(&database.config(settings));
        let directory = auth::Directory::chain(vec![source], None).unwrap();
        let asked = std::thread::spawn(move || {
            for n in 0..6 {
                let login = key(&format!("u{}", n % 3));
                assert!(directory.blocking().find(&login).unwrap().is_some());
            }
            directory.blocking().all().unwrap().len()
        });
        let asked = tokio::task::spawn_blocking(|| asked.join()).await.unwrap();
        assert_eq!(asked.unwrap(), 3);
    }
}
