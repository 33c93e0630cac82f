//! What a domain's policy means for its hosts. How it is fetched is tested beside that code.

use std::io::Write as _;

use mx::{Kind, MxConfig, Record, Security, StsMode};

use crate::kit::{Zone, address, mx, names, tlsa};

/// A configuration that knows this policy of example.net already.
fn knowing(mode: &str, pattern: &str) -> (tempfile::TempDir, MxConfig) {
    let directory = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(directory.path().join("example.net.json")).unwrap();
    let policy = format!(r#"{{"mode":"{mode}","mx":["{pattern}"],"max_age":1000}}"#);
    write!(file, r#"{{"id":"1","fetched_at":0,"policy":{policy}}}"#).unwrap();
    let policy_cache = Some(directory.path().to_owned());
    (directory, MxConfig { policy_cache, ..MxConfig::default() })
}

fn zone() -> Zone {
    let mut zone = Zone::default();
    zone.put("example.net", Kind::Mx, vec![mx(10, "a.example.net"), mx(20, "b.example.org")]);
    zone.put("a.example.net", Kind::A, vec![address("192.0.2.1")]);
    zone.put("b.example.org", Kind::A, vec![address("192.0.2.2")]);
    zone
}

#[tokio::test]
async fn hosts_that_the_policy_does_not_name_are_not_used() {
    let (_directory, config) = knowing("enforce", "*.example.net");
    let hosts = zone().route_by(&config, "example.net").await.unwrap();
    assert_eq!(names(&hosts), ["a.example.net", "b.example.org"]);
    match &hosts[0].security {
        Security::Sts(policy) => assert_eq!(policy.mode, StsMode::Enforce),
        other => panic!("{other}"),
    }
    assert!(matches!(hosts[1].security, Security::Unusable { status: (4, 7, 5), .. }));
    assert!(hosts[1].to_string().contains("policy does not name b.example.org"));
}

#[tokio::test]
async fn a_policy_under_test_demands_nothing() {
    let (_directory, config) = knowing("testing", "nowhere.example");
    let hosts = zone().route_by(&config, "example.net").await.unwrap();
    for host in &hosts {
        assert!(matches!(&host.security, Security::Sts(policy) if policy.mode == StsMode::Testing));
        assert!(host.to_string().contains("under test"));
    }
}

#[tokio::test]
async fn no_policy_for_what_lies_below_or_if_it_is_switched_off() {
    let (_directory, config) = knowing("enforce", "*.example.net");
    let mut zone = zone();
    zone.put("sub.example.net", Kind::Mx, vec![mx(10, "b.example.org")]);
    let hosts = zone.route_by(&config, "sub.example.net").await.unwrap();
    assert_eq!(hosts[0].security, Security::None);
    let off = MxConfig { mta_sts: false, ..config };
    let hosts = zone.route_by(&off, "example.net").await.unwrap();
    assert!(hosts.iter().all(|host| host.security == Security::None));
}

#[tokio::test]
async fn dane_comes_first() {
    let (_directory, config) = knowing("enforce", "nowhere.example");
    let mut zone = zone();
    zone.put_secure(
        "example.net",
        Kind::Mx,
        vec![mx(10, "a.example.net"), mx(20, "b.example.org")],
    );
    zone.put_secure("a.example.net", Kind::A, vec![address("192.0.2.1")]);
    zone.put_secure("_25._tcp.a.example.net", Kind::Tlsa, vec![Record::Tlsa(tlsa(3))]);
    let hosts = zone.route_by(&config, "example.net").await.unwrap();
    assert!(matches!(hosts[0].security, Security::Dane(_)));
    assert!(matches!(hosts[1].security, Security::Unusable { .. }));
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let config = MxConfig { policy_cache: Some(file.join("below")), ..MxConfig::default() };
    let means = mx::Means {
        lookup: std::sync::Arc::new(Zone::default()),
        trust: netio::Trust::Anybody,
        https_port: 443,
    };
    let error = mx::Resolver::with_means(&config, &[], means, 0).unwrap_err().to_string();
    assert!(error.starts_with("relay.mx.policy_cache = ") && error.contains("below"), "{error}");
}
