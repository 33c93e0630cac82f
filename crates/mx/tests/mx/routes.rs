//! Which hosts, and in which order.

use std::collections::HashSet;

use mx::{Family, Kind, LookupError, MxConfig, MxError, Security};

use crate::kit::{Zone, address, mx, names};

const SERVFAIL: fn() -> LookupError = || LookupError::Refused("SERVFAIL".to_owned());

/// example.net with these hosts, each of which has an address.
fn zone(hosts: &[(u16, &str)]) -> Zone {
    let mut zone = Zone::default();
    zone.put("example.net", Kind::Mx, hosts.iter().map(|(p, name)| mx(*p, name)).collect());
    for (_, name) in hosts {
        zone.put(name, Kind::A, vec![address("192.0.2.1")]);
    }
    zone
}

#[tokio::test]
async fn by_preference_and_at_random_among_equals() {
    let zone = zone(&[(20, "c.example"), (10, "a.example"), (10, "b.example"), (30, "d.example")]);
    let mut orders = HashSet::new();
    for _ in 0..64 {
        let hosts = zone.route("Example.NET").await.unwrap();
        let order: Vec<_> = names(&hosts).into_iter().map(str::to_owned).collect();
        assert_eq!(order[2..], ["c.example", "d.example"]);
        assert_eq!(hosts[0].preference, 10);
        orders.insert(order);
    }
    assert_eq!(orders.len(), 2, "both orders occur");
}

#[tokio::test]
async fn addresses_alternate_by_family() {
    let mut zone = zone(&[(1, "a.example")]);
    zone.put("a.example", Kind::A, vec![address("192.0.2.1"), address("192.0.2.2")]);
    let v6 = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    zone.put("a.example", Kind::Aaaa, v6.iter().map(|text| address(text)).collect());
    for (addresses, expected) in [
        (Family::Ipv6First, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"),
        (Family::Ipv4First, "192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2"),
        (Family::Ipv6, "2001:db8::1 2001:db8::2 2001:db8::3"),
        (Family::Ipv4, "192.0.2.1 192.0.2.2"),
    ] {
        let config = MxConfig { addresses, addresses_max: 4, ..MxConfig::default() };
        let hosts = zone.route_by(&config, "example.net").await.unwrap();
        let found: Vec<_> = hosts[0].addresses.iter().map(ToString::to_string).collect();
        assert_eq!(found.join(" "), expected);
    }
}

#[tokio::test]
async fn without_mx_the_domain_itself() {
    let mut zone = Zone::default();
    zone.put("example.net", Kind::Aaaa, vec![address("2001:db8::1")]);
    let hosts = zone.route("example.net").await.unwrap();
    assert_eq!((names(&hosts), hosts[0].preference), (vec!["example.net"], 0));
    assert_eq!(hosts[0].to_string(), "0 example.net [2001:db8::1]: TLS where it is offered");
}

#[tokio::test]
async fn domains_outside_ascii_are_asked_for_in_a_labels() {
    let mut zone = Zone::default();
    zone.put("xn--bcher-kva.example", Kind::Mx, vec![mx(1, "a.example")]);
    zone.put("a.example", Kind::A, vec![address("192.0.2.1")]);
    assert_eq!(names(&zone.route("bücher.example").await.unwrap()), ["a.example"]);
}

#[tokio::test]
async fn domains_that_take_no_mail() {
    let mut zone = zone(&[]);
    zone.put("null.example", Kind::Mx, vec![mx(0, "")]);
    zone.put("null.example", Kind::A, vec![address("192.0.2.1")]);
    zone.put("mixed.example", Kind::Mx, vec![mx(0, ""), mx(10, "a.example")]);
    zone.put("a.example", Kind::A, vec![address("192.0.2.1")]);
    zone.put("empty.example", Kind::Txt, Vec::new());
    zone.put("dangling.example", Kind::Mx, vec![mx(10, "gone.example")]);
    for (domain, status, text) in [
        ("null.example", (5, 1, 10), "takes no mail"),
        ("none.example", (5, 1, 2), "does not exist"),
        ("empty.example", (5, 4, 4), "no host for mail"),
        ("dangling.example", (5, 4, 4), "no host for mail"),
    ] {
        let error = zone.route(domain).await.unwrap_err();
        assert!(error.is_permanent(), "{domain}");
        assert_eq!(error.status(), status, "{domain}");
        let message = error.to_string();
        assert!(message.contains(text) && message.contains(domain), "{message}");
    }
    // A null MX beside others is a mistake (RFC 7505 section 3): the others count.
    assert_eq!(names(&zone.route("mixed.example").await.unwrap()), ["a.example"]);
}

#[tokio::test]
async fn a_dns_that_fails_is_no_answer() {
    let mut zone = zone(&[(10, "a.example"), (20, "b.example")]);
    zone.fail("fail.example", Kind::Mx, SERVFAIL());
    let error = zone.route("fail.example").await.unwrap_err();
    assert!(!error.is_permanent() && error.status() == (4, 4, 3));
    assert_eq!(error.to_string(), "looking up fail.example: the name server said: SERVFAIL");
    // One family is enough; without any, the host waits and the next one is tried.
    zone.fail("a.example", Kind::Aaaa, LookupError::Timeout);
    assert_eq!(zone.route("example.net").await.unwrap()[0].addresses.len(), 1);
    zone.fail("a.example", Kind::A, LookupError::Timeout);
    let hosts = zone.route("example.net").await.unwrap();
    assert_eq!(names(&hosts), ["a.example", "b.example"]);
    assert!(matches!(hosts[0].security, Security::Unusable { status: (4, 4, 3), .. }));
    assert!(
        hosts[0].to_string().contains("not to be used: looking up a.example: no answer in time")
    );
}

#[tokio::test]
async fn this_host_and_those_behind_it_are_left_out() {
    let zone =
        zone(&[(10, "a.example"), (20, "mail.example.org"), (20, "b.example"), (30, "c.example")]);
    assert_eq!(names(&zone.route("example.net").await.unwrap()), ["a.example"]);
    let own = MxConfig { own_names: vec!["A.example".to_owned()], ..MxConfig::default() };
    let error = zone.route_by(&own, "example.net").await.unwrap_err();
    assert_eq!(error.status(), (5, 4, 6));
    assert!(error.is_permanent() && error.to_string().contains("(a.example)"), "{error}");
    let mut itself = Zone::default();
    itself.put("mail.example.org", Kind::A, vec![address("192.0.2.1")]);
    assert!(matches!(itself.route("mail.example.org").await, Err(MxError::Loop { .. })));
}

#[tokio::test]
async fn addresses_of_loopback_are_this_host() {
    for bad in
        ["127.0.0.1", "127.9.9.9", "0.0.0.0", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1"]
    {
        let mut zone = zone(&[(10, "a.example"), (20, "trap.example"), (30, "b.example")]);
        let kind = if bad.contains(':') { Kind::Aaaa } else { Kind::A };
        zone.forget("trap.example");
        zone.put("trap.example", kind, vec![address(bad)]);
        assert_eq!(names(&zone.route("example.net").await.unwrap()), ["a.example"], "{bad}");
        zone.put("trapped.example", Kind::Mx, vec![mx(10, "trap.example")]);
        assert_eq!(zone.route("trapped.example").await.unwrap_err().status(), (5, 4, 6), "{bad}");
        let loopback = MxConfig { loopback: true, ..MxConfig::default() };
        assert!(zone.route_by(&loopback, "trapped.example").await.is_ok());
    }
}

#[tokio::test]
async fn no_more_hosts_than_configured() {
    let many: Vec<_> = (0..500).map(|n| (n, format!("h{n}.example"))).collect();
    let many: Vec<_> = many.iter().map(|(n, name)| (*n, name.as_str())).collect();
    let hosts = zone(&many).route("example.net").await.unwrap();
    assert_eq!(hosts.len(), 10);
    assert_eq!((hosts[0].name.as_str(), hosts[9].name.as_str()), ("h0.example", "h9.example"));
}

#[tokio::test]
async fn address_literals() {
    let resolver = Zone::default().resolver(&MxConfig::default());
    let hosts = resolver.literal("192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(hosts[0].to_string(), "0 [192.0.2.1] [192.0.2.1]: TLS where it is offered");
    assert_eq!(resolver.literal("127.0.0.1".parse().unwrap()).unwrap_err().status(), (5, 4, 6));
}
