//! Queries that are taken, and those that are refused.

use proptest::prelude::*;

use super::*;

fn parse(text: &str, purpose: Use, dialect: Dialect) -> Result<Query, String> {
    Query::parse(text, purpose, dialect).map_err(|error| error.to_string())
}

fn account(text: &str) -> Result<String, String> {
    parse(text, Use::Account, Dialect::Postgresql).map(|query| query.text)
}

#[test]
fn placeholders_become_parameters() {
    let text = "SELECT login, password FROM t WHERE u = :user AND d = :domain OR login=:login;\n";
    let query = parse(text, Use::Account, Dialect::Postgresql).unwrap();
    let expected = "SELECT login, password FROM t WHERE u = $1 AND d = $2 OR login=$3";
    assert_eq!(query.text, expected);
    assert_eq!(query.parameters, [Name::User, Name::Domain, Name::Login]);
    let query = parse(text, Use::Account, Dialect::Mysql).unwrap();
    assert_eq!(query.text, "SELECT login, password FROM t WHERE u = ? AND d = ? OR login=?");
    // Each place has a parameter of its own: the server infers a type for each.
    let twice = account("SELECT 1 WHERE a = :login OR b = :login").unwrap();
    assert_eq!(twice, "SELECT 1 WHERE a = $1 OR b = $2");
}

#[test]
fn what_is_no_placeholder_stays() {
    for text in [
        "SELECT a::text, ':' || b, \"od:d\" FROM t WHERE l = :login",
        "SELECT 'it''s 100 %', a % 2, x[1:2] FROM t WHERE l = :login",
        "SELECT $q$ it's :nothing ? $q$, '12:30' FROM t WHERE l = :login",
        "SELECT 1 WHERE l LIKE 'a%' AND l = :login",
    ] {
        assert_eq!(account(text).unwrap(), text.replace(":login", "$1"), "{text}");
    }
    let text = r"SELECT 'it\'s :', `a:b`, @@x, @y := 1 FROM t WHERE l = :login";
    let query = parse(text, Use::Account, Dialect::Mysql).unwrap();
    assert_eq!(query.text, text.replace(":login", "?"));
    let text = "SELECT 1 -- it's :what?\n FROM /* :nothing ' */ t WHERE l = :login -- end";
    assert_eq!(account(text).unwrap(), "SELECT 1   FROM   t WHERE l = $1");
}

#[test]
fn what_would_put_values_into_the_text_is_refused() {
    for (text, says) in [
        ("SELECT 1 WHERE l = ':login'", "stands in quotes"),
        ("SELECT 1 WHERE l = '%u' AND d = :login", "stands in quotes"),
        ("SELECT 1 WHERE l = '%{user}' AND d = :login", "stands in quotes"),
        ("SELECT 1 WHERE l = '${login}' AND d = :login", "stands in quotes"),
        ("SELECT 1 WHERE l = %u", "\"%u\" is no placeholder"),
        ("SELECT 1 WHERE l = %s", "is no placeholder"),
        ("SELECT 1 WHERE l = %(login)s", "is no placeholder"),
        ("SELECT 1 WHERE l = ?", "\"?\" is no placeholder"),
        ("SELECT 1 WHERE l = $1", "not numbers"),
        ("SELECT 1 WHERE l = :logn", "did you mean :login?"),
        ("SELECT 1 WHERE l = :address", "there is no :address here"),
        ("SELECT 1 WHERE l = :Login", "did you mean :login?"),
        ("SELECT 1", ":login or :user is missing"),
        ("SELECT 1 -- :login", ":login or :user is missing"),
        ("SELECT 1 WHERE l = :login; DELETE FROM t", "more than one statement"),
        ("SELECT 1 WHERE l = 'x AND y = :login", "never closed"),
        ("SELECT $a$ :login", "never closed"),
        ("DELETE FROM t WHERE l = :login", "begins with \"delete\""),
        ("", "is missing"),
        ("SELECT 1\0 WHERE l = :login", "NUL"),
    ] {
        let error = account(text).unwrap_err();
        assert!(error.starts_with("accounts.source.postgresql.queries.account: "), "{error}");
        assert!(error.contains(says), "{text}: {error}");
        assert!(error.contains("expected a query with :login or :user or :domain"), "{error}");
    }
}

#[test]
fn an_update_must_compare_before_it_swaps() {
    let update = |text| parse(text, Use::Update, Dialect::Mysql);
    update("UPDATE t SET p = :new WHERE l = :login AND p = :old").unwrap();
    update("UPDATE t SET p = :new WHERE u = :user AND d = :domain AND p = :old").unwrap();
    for (text, says) in [
        ("UPDATE t SET p = :new WHERE l = :login", ":old is missing"),
        ("UPDATE t SET p = :new WHERE p = :old", ":login or :user is missing"),
        ("UPDATE t SET p = 'x' WHERE l = :login AND p = :old", ":new is missing"),
    ] {
        let error = update(text).unwrap_err();
        assert!(error.contains(says) && error.contains("only if"), "{error}");
    }
}

#[test]
fn the_queries_for_the_recommended_tables_are_taken() {
    for dialect in [Dialect::Postgresql, Dialect::Mysql] {
        for purpose in Use::EVERY {
            let query = Query::parse(&dialect.query(purpose), purpose, dialect).unwrap();
            assert!(!query.parameters.is_empty(), "{query:?}");
            let selects = purpose != Use::Update;
            assert_eq!(query.may_have("login_delay"), selects);
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_fall_over(text in ".{0,80}", mysql: bool) {
        let dialect = if mysql { Dialect::Mysql } else { Dialect::Postgresql };
        if let Ok(query) = Query::parse(&text, Use::Account, dialect) {
            prop_assert!(!query.parameters.is_empty());
        }
    }

    #[test]
    fn each_placeholder_outside_quotes_has_one_parameter(
        parts in proptest::collection::vec(
            prop_oneof![Just(":login"), Just("'a''b'"), Just("x::text"), Just("/* :u */"), Just("\"q\"")],
            1..10,
        )
    ) {
        let text = format!("SELECT {} , :user", parts.join(" , "));
        let query = Query::parse(&text, Use::Account, Dialect::Postgresql).unwrap();
        let count = parts.iter().filter(|part| **part == ":login").count();
        prop_assert_eq!(query.parameters.len(), count + 1);
        prop_assert_eq!(query.text.matches('$').count(), count + 1);
    }
}
