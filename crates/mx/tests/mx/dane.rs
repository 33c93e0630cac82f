//! When the DNS vouches for a host's certificate, and when nobody may connect.

use mx::{Kind, LookupError, MxConfig, MxHost, Record, Security, TlsaSet};

use crate::kit::{Zone, address, mx, tlsa};

const TLSA: &str = "_25._tcp.a.example";

/// example.net with one host, everything proven.
fn zone() -> Zone {
    let mut zone = Zone::default();
    zone.put_secure("example.net", Kind::Mx, vec![mx(10, "a.example")]);
    zone.put_secure("a.example", Kind::A, vec![address("192.0.2.1")]);
    zone.put_secure(TLSA, Kind::Tlsa, vec![Record::Tlsa(tlsa(3))]);
    zone
}

async fn host(zone: &Zone) -> MxHost {
    zone.route("example.net").await.unwrap().remove(0)
}

fn set(host: &MxHost) -> &TlsaSet {
    match &host.security {
        Security::Dane(set) => set,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_chain_that_is_proven_to_its_end() {
    let host = host(&zone()).await;
    let set = set(&host);
    assert_eq!((set.base.as_str(), set.records.as_slice()), ("a.example", &[tlsa(3)][..]));
    assert_eq!(set.names, ["a.example", "example.net"]);
    assert!(set.is_usable() && matches!(set.trust(), netio::Trust::Dane(_)));
    let digest = "03".repeat(32);
    let text = format!("TLS, certificate by DANE (_25._tcp.a.example: 3 1 1 {digest})");
    assert_eq!(host.security.to_string(), text);
}

#[tokio::test]
async fn a_domain_that_is_an_alias_counts_under_both_names() {
    let mut zone = zone();
    zone.put_answer("example.net", Kind::Mx, |answer| {
        answer.records = vec![mx(10, "a.example")];
        answer.secure = true;
        answer.canonical = Some("hosting.example".to_owned());
    });
    let host = host(&zone).await;
    assert_eq!(set(&host).names, ["a.example", "example.net", "hosting.example"]);
}

#[tokio::test]
async fn no_dane_where_a_link_of_the_chain_is_not_proven() {
    let mut insecure_mx = zone();
    insecure_mx.put("example.net", Kind::Mx, vec![mx(10, "a.example")]);
    let mut insecure_address = zone();
    insecure_address.put("a.example", Kind::A, vec![address("192.0.2.1")]);
    let mut one_family = zone();
    one_family.put("a.example", Kind::Aaaa, vec![address("2001:db8::1")]);
    let mut insecure_record = zone();
    insecure_record.put(TLSA, Kind::Tlsa, vec![Record::Tlsa(tlsa(3))]);
    let mut none = zone();
    none.forget(TLSA);
    for zone in [insecure_mx, insecure_address, one_family, insecure_record, none] {
        assert_eq!(host(&zone).await.security, Security::None, "{zone:?}");
    }
    let off = MxConfig { dane: false, ..MxConfig::default() };
    let hosts = zone().route_by(&off, "example.net").await.unwrap();
    assert_eq!(hosts[0].security, Security::None);
}

#[tokio::test]
async fn a_record_that_is_withheld_is_no_permission() {
    for error in [LookupError::Timeout, LookupError::Bogus, LookupError::Refused("SERVFAIL".into())]
    {
        let mut zone = zone();
        zone.fail(TLSA, Kind::Tlsa, error);
        match host(&zone).await.security {
            Security::Unusable { reason, status: (4, 7, 5) } => assert!(reason.contains(TLSA)),
            other => panic!("{other}"),
        }
        // Where the address is not proven there would be no DANE anyway: nobody asks.
        zone.put("a.example", Kind::A, vec![address("192.0.2.1")]);
        assert_eq!(host(&zone).await.security, Security::None);
    }
}

#[tokio::test]
async fn records_that_cannot_be_used_still_demand_tls() {
    let mut zone = zone();
    zone.put_secure(TLSA, Kind::Tlsa, vec![Record::Tlsa(tlsa(1)), Record::Tlsa(tlsa(0))]);
    let host = host(&zone).await;
    assert!(!set(&host).is_usable() && matches!(set(&host).trust(), netio::Trust::Anybody));
    assert!(host.to_string().ends_with("without a usable record (_25._tcp.a.example)"), "{host}");
    zone.put_secure(TLSA, Kind::Tlsa, vec![Record::Tlsa(tlsa(1)), Record::Tlsa(tlsa(2))]);
    assert!(set(&self::host(&zone).await).is_usable());
}

#[tokio::test]
async fn the_end_of_an_alias_comes_first() {
    let mut zone = zone();
    zone.put_answer("a.example", Kind::A, |answer| {
        answer.records = vec![address("192.0.2.1")];
        answer.secure = true;
        answer.canonical = Some("b.example".to_owned());
    });
    // Only the alias has a record.
    assert_eq!(set(&host(&zone).await).base, "a.example");
    zone.put_secure("_25._tcp.b.example", Kind::Tlsa, vec![Record::Tlsa(tlsa(2))]);
    let host = host(&zone).await;
    assert_eq!((set(&host).base.as_str(), &set(&host).records[0]), ("b.example", &tlsa(2)));
    assert_eq!(set(&host).names, ["b.example", "example.net"]);
}

#[tokio::test]
async fn an_alias_that_is_proven_alone() {
    let mut zone = zone();
    zone.put_answer("a.example", Kind::A, |answer| {
        answer.records = vec![address("192.0.2.1")];
        answer.canonical = Some("b.example".to_owned());
    });
    zone.put("a.example", Kind::Cname, vec![Record::Cname("b.example".to_owned())]);
    assert_eq!(host(&zone).await.security, Security::None);
    zone.put_secure("a.example", Kind::Cname, vec![Record::Cname("b.example".to_owned())]);
    assert_eq!(set(&host(&zone).await).base, "a.example");
    zone.fail("a.example", Kind::Cname, LookupError::Timeout);
    assert!(matches!(host(&zone).await.security, Security::Unusable { .. }));
}

#[tokio::test]
async fn a_domain_without_mx() {
    let mut zone = Zone::default();
    zone.put_secure("a.example", Kind::A, vec![address("192.0.2.1")]);
    zone.put_secure(TLSA, Kind::Tlsa, vec![Record::Tlsa(tlsa(3))]);
    let hosts = zone.route("a.example").await.unwrap();
    assert_eq!(set(&hosts[0]).names, ["a.example"]);
}

#[tokio::test]
async fn a_host_of_configuration_at_its_own_port() {
    let mut zone = Zone::default();
    zone.put_secure("relay.example", Kind::A, vec![address("127.0.0.1")]);
    zone.put_secure("_587._tcp.relay.example", Kind::Tlsa, vec![Record::Tlsa(tlsa(3))]);
    let resolver = zone.resolver(&MxConfig::default());
    let host = resolver.host("Relay.example", 587).await.unwrap();
    assert_eq!(set(&host).base, "relay.example");
    assert_eq!(resolver.host("relay.example", 25).await.unwrap().security, Security::None);
    assert!(resolver.host("gone.example", 25).await.is_err());
    assert!(resolver.host("a b", 25).await.is_err());
}

#[tokio::test]
async fn a_description_for_programs() {
    let json = serde_json::to_value(host(&zone()).await).unwrap();
    assert_eq!(json["name"], "a.example");
    assert_eq!(json["addresses"][0], "192.0.2.1");
    assert_eq!(json["security"]["dane"]["base"], "a.example");
    let record = json["security"]["dane"]["records"][0].as_str().unwrap();
    assert!(record.starts_with("3 1 1 0303"), "{record}");
}
