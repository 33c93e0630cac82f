//! `lastpost route`: what it says of an address is what the configuration means.

use crate::site::{Site, check, run};
use crate::table::GOOD;

const ROUTES: &str = r#"
[[relay.hop]]
name = "scan"
address = "scan.example.net:2525"
[[relay.hop]]
name = "spare"
address = "192.0.2.8"
[[relay.hop]]
name = "dovecot"
address = "unix:/run/dovecot/lmtp"
protocol = "lmtp"
[[relay.route]]
domains = ["*"]
accounts = ["aiko@example.net"]
hops = [["scan", "spare"], "next_hop"]
[[relay.route]]
domains = ["direct.example", "*.direct.example"]
hops = "mx"
[[relay.route]]
domains = ["gone.example"]
deliver = "refuse"
text = "that service has ended"
[[relay.route]]
domains = ["lists.example"]
hops = "dovecot"
[control]
"#;

#[test]
fn each_address_is_shown_with_its_hops() {
    let site = Site::new();
    let file = site.write("lastpost.toml", GOOD.replacen("[control]", ROUTES, 1).as_bytes());
    let checked = check(&file, &[]);
    assert_eq!(checked.status, Some(0), "{}", checked.errors);
    assert!(!checked.output.contains("warning"), "{}", checked.output);

    let addresses = "route x@remote.example y@a.direct.example z@gone.example l@lists.example \
                     aiko@example.net nobody@example.net";
    let shown = run(&file, addresses);
    assert_eq!(shown.status, Some(0), "{}", shown.errors);
    for part in [
        "x@remote.example goes to a hop, by relay.next_hop\n  1. next_hop",
        "y@a.direct.example goes to a hop, by relay.route[1]\n  1. mx               a.direct",
        "z@gone.example comes back to its sender (5.7.1), by relay.route[2]\n  that service",
        "l@lists.example goes to a hop, by relay.route[3]\n  1. dovecot          unix:/run",
        "aiko@example.net goes into a Maildir, by relay.local_domains\n",
        "nobody@example.net comes back to its sender (5.1.1)",
    ] {
        assert!(shown.output.contains(part), "{part}\n---\n{}", shown.output);
    }

    let words = "route x@remote.example --account aiko@example.net --sender a@b.example --json";
    let json = run(&file, words).output;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names = |group: usize| -> Vec<&str> {
        let hops = json[0]["hops"][group].as_array().unwrap();
        hops.iter().map(|hop| hop["name"].as_str().unwrap()).collect()
    };
    assert_eq!((names(0), names(1)), (vec!["scan", "spare"], vec!["next_hop"]));
    assert_eq!(json[0]["by"], "relay.route[0]");
    assert!(json[0]["hops"][0][0]["status"].is_null(), "no daemon runs");

    let wrong = run(&file, "route not-an-address");
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.errors.contains("not-an-address"), "{}", wrong.errors);
}

#[test]
fn what_is_probably_not_meant_is_told() {
    let site = Site::new();
    let routes = ROUTES.replace("accounts = [\"aiko@example.net\"]\n", "");
    let file = site.write("lastpost.toml", GOOD.replacen("[control]", &routes, 1).as_bytes());
    let checked = check(&file, &[]);
    assert_eq!(checked.status, Some(0), "{}", checked.errors);
    for number in [1, 2, 3] {
        let warning = format!("relay.route[{number}] gets no mail: relay.route[0] before it");
        assert!(checked.output.contains(&warning), "{}", checked.output);
    }
}
