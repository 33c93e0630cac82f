//! Servers that let nobody in or are not who they should be, and queries that are wrong.

use accounts::sql::{SqlQueries, SqlTls};

use super::*;

on_both! {
    new:
    who_is_not_let_in_says_why
    queries_that_the_server_does_not_take_name_their_key
    a_table_that_is_changed_under_way
}

async fn who_is_not_let_in_says_why(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &[]);
    let wrong = database.password_file().with_file_name("wrong");
    std::fs::write(&wrong, "hunter2\n").unwrap();
    let problem = async |settings| {
        let source = open(&database.config(settings));
        source.find(&key("ann")).await.unwrap_err().problem
    };
    let mut settings = database.settings_tls();
    settings.password_file = Some(wrong);
    let refused = problem(settings).await;
    assert!(refused.starts_with("the server refused: "), "{refused}");
    assert!(!refused.contains("hunter2"));

    let mut settings = database.settings_tls();
    settings.database = "no_such_database".to_owned();
    let refused = problem(settings).await;
    assert!(refused.contains("no_such_database"), "{refused}");

    // Without TLS it lets nobody in over TCP.
    let mut settings = database.settings_tls();
    settings.tls = SqlTls::Off;
    let refused = problem(settings).await;
    assert!(refused.starts_with("the server refused: "), "{refused}");

    // An authority that has not signed the server's certificate.
    let mut settings = database.settings_tls();
    settings.tls = SqlTls::Verify;
    let stranger = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).unwrap();
    let file = database.password_file().with_file_name("stranger.pem");
    std::fs::write(&file, stranger.cert.pem()).unwrap();
    settings.ca_file = file;
    let refused = problem(settings.clone()).await;
    assert!(refused.contains("certificate"), "{refused}");
    settings.tls = SqlTls::Require;
    let source = open(&database.config(settings));
    assert!(source.find(&key("ann")).await.unwrap().is_some(), "whoever it is");
}

async fn queries_that_the_server_does_not_take_name_their_key(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &[]);
    let table = match database.kind {
        Kind::Postgresql => "postgresql",
        Kind::Mariadb => "mysql",
    };
    for (query, says) in [
        ("SELECT login, passwort FROM accounts WHERE login = :login", "passwort"),
        (
            "SELECT login, password AS pasword FROM accounts WHERE login = :login",
            "did you mean password?",
        ),
        ("SELECT password FROM accounts WHERE login = :login", "no column login"),
        ("SELECT login, login FROM accounts WHERE login = :login", "there twice"),
        ("SELECT login, now() AS quota FROM accounts WHERE login = :login", "the column quota"),
        ("SELECT login FROM nowhere WHERE login = :login", "nowhere"),
        ("SELECT FROM WHERE :login", "syntax"),
    ] {
        let mut settings = database.settings();
        settings.queries = SqlQueries { account: query.to_owned(), ..SqlQueries::default() };
        let source = open(&database.config(settings));
        // Said each time, and no outage.
        for _ in 0..5 {
            let problem = source.find(&key("ann")).await.unwrap_err().problem;
            let place = format!("accounts.source.{table}.queries.account: ");
            assert!(problem.starts_with(&place) && problem.contains(says), "{problem}");
        }
        let error = source.reload().await.unwrap_err();
        assert!(error.starts_with("account source main: accounts.source."), "{error}");
    }
}

async fn a_table_that_is_changed_under_way(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &[]);
    let mut settings = database.settings();
    settings.connections = 1;
    settings.queries = SqlQueries {
        account: "SELECT * FROM accounts WHERE login = :login".to_owned(),
        ..SqlQueries::default()
    };
    let source = open(&database.config(settings));
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    database.sql("ALTER TABLE accounts DROP COLUMN limits");
    assert!(source.find(&key("ann")).await.unwrap().is_some(), "prepared again");
    database.sql("ALTER TABLE accounts ADD COLUMN shoe_size integer");
    let problem = source.find(&key("ann")).await.unwrap_err().problem;
    assert!(problem.contains("no column \"shoe_size\""), "{problem}");
    database.sql("ALTER TABLE accounts DROP COLUMN shoe_size");
    assert!(source.find(&key("ann")).await.unwrap().is_some());
}
