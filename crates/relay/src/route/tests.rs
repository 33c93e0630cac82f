//! The table of routes: who is found, and what is wrong with tables.

use std::fmt::Write as _;

use address::{AccountKey, Mailbox, ReversePath};

use super::{Course, Pattern, Question, Routes, Stop};
use crate::RelayConfig;

fn refused(text: &str) -> String {
    match toml::from_str::<RelayConfig>(text) {
        Err(error) => error.to_string(),
        Ok(config) => config.resolve("mail.example.net").unwrap_err().to_string(),
    }
}

const HOPS: &str = r#"
[[hop]]
name = "a"
address = "192.0.2.1"
[[hop]]
name = "b"
address = "192.0.2.2"
[[hop]]
name = "c"
address = "192.0.2.3"
"#;

/// The routes of a configuration with the hops a, b and c, and what it warns of.
fn table(routes: &str) -> (Routes, Vec<String>) {
    let config: RelayConfig = toml::from_str(&format!("{routes}\n{HOPS}")).unwrap();
    let settings = config.resolve("mail.example.net").unwrap();
    (settings.routes.clone(), settings.warnings())
}

/// The number of the route that is found.
fn found(routes: &Routes, recipient: &str, sender: &str, account: Option<&str>) -> Option<usize> {
    let recipient = Mailbox::parse(recipient).unwrap();
    let sender = ReversePath::parse(&format!("<{sender}>")).unwrap();
    let account = account.map(|name| AccountKey::parse(name, None).unwrap());
    let is_local = recipient.domain().is_some_and(|domain| domain.as_str() == "local.example");
    let account = account.as_ref();
    let question = Question { recipient: &recipient, is_local, sender: &sender, account };
    routes.find(&question).map(|(number, _)| number)
}

#[test]
fn the_first_route_that_takes_a_recipient_is_his() {
    let (routes, warnings) = table(
        r#"
        local_domains = ["local.example"]
        [[route]]
        domains = ["one.example", "*.sub.example"]
        hops = "a"
        [[route]]
        domains = ["deep.er.sub.example", "two.example"]
        hops = ["b"]
        [[route]]
        domains = ["local.example"]
        hops = "c"
        [[route]]
        domains = ["*"]
        hops = "mx"
        "#,
    );
    let route = |to: &str| found(&routes, to, "x@y.example", None);
    assert_eq!(route("u@one.example"), Some(0));
    assert_eq!(route("u@ONE.example"), Some(0));
    assert_eq!(route("u@x.one.example"), Some(3), "below it is another domain");
    assert_eq!(route("u@sub.example"), Some(3), "all below it, not itself");
    assert_eq!(route("u@a.sub.example"), Some(0));
    assert_eq!(route("u@deep.er.sub.example"), Some(0), "the first, not the longest");
    assert_eq!(route("u@two.example"), Some(1));
    assert_eq!(route("u@local.example"), Some(2));
    assert_eq!(route("u@[192.0.2.7]"), Some(3));
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn what_is_local_goes_elsewhere_only_where_it_is_named() {
    let (routes, _) = table("[[route]]\ndomains = [\"*\", \"*.example\"]\nhops = \"a\"");
    assert_eq!(found(&routes, "u@local.example", "x@y.example", None), None);
    assert_eq!(found(&routes, "u@other.example", "x@y.example", None), Some(0));
}

#[test]
fn senders_and_accounts() {
    let (routes, warnings) = table(
        r#"
        [[route]]
        domains = ["*"]
        accounts = ["Carl@example.org", "dora@example.org"]
        hops = "c"
        [[route]]
        domains = ["*"]
        sender_domains = ["news.example", "*.news.example"]
        hops = "b"
        [next_hop]
        address = "192.0.2.9"
        "#,
    );
    let route = |from: &str, account| found(&routes, "u@r.example", from, account);
    assert_eq!(route("carl@news.example", Some("carl@example.org")), Some(0));
    assert_eq!(route("erik@news.example", Some("erik@example.org")), Some(1));
    assert_eq!(route("erik@a.news.example", Some("erik@example.org")), Some(1));
    assert_eq!(route("erik@example.org", Some("erik@example.org")), Some(2));
    assert_eq!(route("", None), Some(2), "a report comes from no domain");
    assert_eq!(warnings, ["relay.hop[0]: no route leads to the hop \"a\""]);
}

#[test]
fn order_of_preference() {
    let (routes, _) = table(
        "[[route]]\ndomains = [\"*\"]\nhops = [[\"a\", \"b\"], \"c\", \"mx\"]\n\
         [[route]]\ndomains = [\"x.example\"]\ndeliver = \"refuse\"\n",
    );
    let courses: Vec<_> = routes.courses().cloned().collect();
    let Course::Hops(groups) = &courses[0] else { panic!() };
    let expected = [vec![Stop::Hop(0), Stop::Hop(1)], vec![Stop::Hop(2)], vec![Stop::Mx]];
    assert_eq!(**groups, expected);
    assert!(matches!(courses[1], Course::Refuse(_)));
}

#[test]
fn routes_without_mail_are_told() {
    let shadowed = |routes: &str| {
        let (_, mut warnings) = table(routes);
        warnings.retain(|warning| warning.contains("gets no mail"));
        warnings.join("|")
    };
    let route = |domains: &str, more: &str| {
        format!("[[route]]\ndomains = [{domains}]\nhops = \"a\"\n{more}\n")
    };
    let first = |a: String, b: String| shadowed(&(a + &b));
    let warning = "relay.route[1] gets no mail: relay.route[0] before it takes all of it";
    assert_eq!(first(route("'*'", ""), route("'x.example'", "")), warning);
    assert_eq!(first(route("'*.x.example'", ""), route("'a.b.x.example'", "")), warning);
    assert_eq!(first(route("'*.x.example'", ""), route("'x.example'", "")), "");
    assert_eq!(
        first(route("'x.example'", ""), route("'x.example', 'y.example'", "accounts = ['c@d']")),
        ""
    );
    let some = "sender_domains = ['s.example']";
    assert_eq!(first(route("'*'", some), route("'x.example'", "")), "");
    assert_eq!(first(route("'*'", some), route("'x.example'", some)), warning);
    let next_hop = "[next_hop]\naddress = \"h\"".to_owned();
    let warning = "relay.next_hop gets no mail: relay.route[0] before it takes all of it";
    assert_eq!(first(route("'*'", ""), next_hop.clone()), warning);
    let used = route("'*'", "").replace("\"a\"", "[\"a\", \"next_hop\"]");
    assert_eq!(first(used, next_hop), "", "it is the second choice of the first route");
    // A wildcard does not mean local domains, so it leaves them to whoever names them.
    let local = "local_domains = ['l.example']\n".to_owned() + &route("'*'", "");
    assert_eq!(first(local, route("'l.example'", "")), "");
}

#[test]
fn errors_name_key_value_and_remedy() {
    for (route, parts) in [
        ("hops = \"a\"", ["missing field `domains`", ""]),
        ("domains = []\nhops = \"a\"", ["relay.route[0].domains = []", "\"*.example.org\""]),
        ("domains = [\"a b\"]\nhops = \"a\"", ["relay.route[0].domains = \"a b\"", "domains such"]),
        ("domains = [\"x.*\"]\nhops = \"a\"", ["relay.route[0].domains = \"x.*\"", "domains such"]),
        (
            "domains = [\"x.example\", \"X.example\"]\nhops = \"a\"",
            ["relay.route[0].domains = \"x.example\"", "remove one"],
        ),
        (
            "domains = [\"x.example\"]\nhops = \"a\"\n[[route]]\ndomains = [\"x.example\"]\nhops = \"b\"",
            ["relay.route[1].domains = \"x.example\"", "route[0] already"],
        ),
        ("domains = [\"*\"]", ["relay.route[0].hops = an empty list", "a, b, c, mx"]),
        ("domains = [\"*\"]\nhops = [[]]", ["relay.route[0].hops", "at least one hop"]),
        (
            "domains = [\"*\"]\nhops = \"d\"",
            ["relay.route[0].hops = \"d\"", "is its section missing?"],
        ),
        (
            "domains = [\"*\"]\nhops = \"next_hop\"",
            ["relay.route[0].hops = \"next_hop\"", "a, b, c, mx"],
        ),
        (
            "domains = [\"*\"]\nhops = [\"a\", [\"b\", \"a\"]]",
            ["relay.route[0].hops = \"a\"", "once"],
        ),
        ("domains = [\"*\"]\nhops = [1]", ["invalid type: integer", "share the load"]),
        (
            "domains = [\"*\"]\nhops = \"a\"\naccounts = [\"a/b\"]",
            ["relay.route[0].accounts", "names of"],
        ),
        (
            "domains = [\"*\"]\nhops = \"a\"\ndeliver = \"refuse\"",
            ["relay.route[0].hops", "none beside"],
        ),
        ("domains = [\"*\"]\nhops = \"a\"\ntext = \"no\"", ["relay.route[0].text", "\"refuse\""]),
        ("domains = [\"*\"]\ndeliver = \"burn\"", ["unknown variant `burn`", "`discard`"]),
        (
            "domains = [\"*\"]\ndeliver = \"refuse\"\ntext = \"a\\nb\"",
            ["relay.route[0].text", "one line"],
        ),
    ] {
        let message = refused(&format!("[[route]]\n{route}\n{HOPS}"));
        for part in parts {
            assert!(message.contains(part), "{route}: {message} lacks {part}");
        }
    }
}

#[test]
fn thousands_of_domains_are_found_as_fast_as_one() {
    let mut text = String::new();
    for number in 0..5000 {
        writeln!(text, "[[route]]\ndomains = [\"d{number}.example\"]\nhops = \"a\"").unwrap();
    }
    let (routes, _) = table(&text);
    let start = std::time::Instant::now();
    for number in 0..5000 {
        let to = format!("u@d{number}.example");
        assert_eq!(found(&routes, &to, "x@y.example", None), Some(number));
    }
    // A walk through the list would be 12,500,000 comparisons; generous for a busy machine.
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn patterns() {
    for text in ["example.org", "*.example.org", "*.jp", "*"] {
        assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(
        Pattern::parse("Bücher.Example").unwrap(),
        Pattern::parse("bücher.example").unwrap()
    );
    for bad in ["", "*.", "**", "*example.org", "a.*.b", ".", "@x.example"] {
        assert!(Pattern::parse(bad).is_err(), "{bad}");
    }
}
