//! Hashes in the place of others: one of two who try wins, and nothing else is changed.

use accounts::sql::SqlQueries;

use super::*;

on_both! {
    new:
    one_of_two_services_wins
    what_is_compared_is_what_the_table_says
    more_than_one_row_is_never_changed
    without_leave_nothing_is_changed
}

fn password(database: &Database, login: &str) -> String {
    let sql = format!("SELECT password FROM accounts WHERE login = '{login}@example.net';");
    database.sql(&sql).trim_end().to_owned()
}

async fn one_of_two_services_wins(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}old", &[]);
    let services: Vec<_> = (0..2).map(|_| open(&database.config(database.settings()))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let service = Arc::clone(&services[n % 2]);
        tasks.spawn(async move {
            let new = plain(&format!("new{n}"));
            service.replace_hash(&key("ann"), &plain("old"), &new).await.unwrap().then_some(new)
        });
    }
    let won: Vec<StoredHash> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(password(database, "ann"), *won[0].to_field());
    // A password that was changed meanwhile is not put back.
    database.sql("UPDATE accounts SET password = '{PLAIN}changed'");
    assert!(!services[0].replace_hash(&key("ann"), &won[0], &plain("old")).await.unwrap());
    assert!(!services[0].replace_hash(&key("nobody"), &won[0], &plain("old")).await.unwrap());
    assert_eq!(password(database, "ann"), "{PLAIN}changed");
}

async fn what_is_compared_is_what_the_table_says(database: &Database) {
    database.insert("ann@example.net", "{plain}old", &[]);
    database.insert("ben@example.net", "!{PLAIN}old", &[]);
    let source = open(&database.config(database.settings()));
    assert!(source.replace_hash(&key("ann"), &plain("old"), &plain("it''s \\ new")).await.unwrap());
    assert_eq!(
        source.find(&key("ann")).await.unwrap().unwrap().hash().unwrap().to_field().as_str(),
        "{PLAIN}it''s \\ new"
    );
    assert!(
        !source.replace_hash(&key("ben"), &plain("old"), &plain("new")).await.unwrap(),
        "locked"
    );
    assert_eq!(password(database, "ben"), "!{PLAIN}old");
}

async fn more_than_one_row_is_never_changed(database: &Database) {
    for login in ["ann", "ben"] {
        database.insert(&format!("{login}@example.net"), "{PLAIN}old", &[]);
    }
    let mut settings = database.settings();
    settings.queries = SqlQueries {
        account: "SELECT login, password, home FROM accounts WHERE login = :login".to_owned(),
        // A mistake: it changes everybody.
        update: "UPDATE accounts SET password = :new WHERE password = :old AND :login <> ''"
            .to_owned(),
        ..SqlQueries::default()
    };
    let source = open(&database.config(settings));
    let error = source.replace_hash(&key("ann"), &plain("old"), &plain("new")).await.unwrap_err();
    assert!(error.problem.contains("queries.update: it would change 2 rows"), "{error}");
    assert_eq!(password(database, "ann") + &password(database, "ben"), "{PLAIN}old{PLAIN}old");
    assert!(source.find(&key("ann")).await.unwrap().is_some());
}

async fn without_leave_nothing_is_changed(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}old", &[]);
    database.sql(match database.kind {
        Kind::Postgresql => "REVOKE UPDATE (password) ON accounts FROM lastpost;",
        Kind::Mariadb => "REVOKE UPDATE (password) ON accounts FROM lastpost@localhost;",
    });
    let source = open(&database.config(database.settings()));
    let error = source.replace_hash(&key("ann"), &plain("old"), &plain("new")).await.unwrap_err();
    assert!(error.problem.contains("queries.update: "), "{error}");
    assert!(error.problem.to_lowercase().contains("denied"), "{error}");
    assert!(source.find(&key("ann")).await.unwrap().is_some(), "lookups go on");
    assert_eq!(password(database, "ann"), "{PLAIN}old");
}
