//! `lastpost dkim` and `lastpost trace`: what they print goes into DNS and configuration as it
//! stands.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::site::{Site, check, run};
use crate::table::GOOD;

#[test]
fn a_new_key_goes_into_dns_and_configuration() {
    let site = Site::new();
    let file = site.write("lastpost.toml", GOOD.as_bytes());
    let none = run(&file, "dkim show");
    assert!(none.output.contains("no keys: add a [[dkim.key]]"), "{}", none.output);

    let made = run(&file, "dkim keygen --domain example.net --selector s1");
    assert_eq!(made.status, Some(0), "{}", made.errors);
    let key = site.path("dkim/example.net.s1.pem");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&key), mode(&site.path("dkim"))), (0o600, 0o700));
    assert!(!made.output.contains("PRIVATE"), "{}", made.output);
    let record = "s1._domainkey.example.net. IN TXT (\n    \"v=DKIM1; k=rsa; p=MIIBIjANBg";
    assert!(made.output.contains(record), "{}", made.output);
    let quoted = made.output.lines().filter(|line| line.starts_with("    \""));
    assert!(quoted.clone().count() == 2 && quoted.clone().all(|line| line.len() <= 4 + 255 + 4));

    let more = "dkim keygen --domain example.net --selector s2 --type ed25519 --json";
    let second = run(&file, more);
    let json: serde_json::Value = serde_json::from_str(&second.output).unwrap();
    assert_eq!(json["record"]["name"], "s2._domainkey.example.net");

    // What was printed is configuration as it stands.
    let section = made.output.split("configuration:\n").nth(1).unwrap();
    let section = format!("{section}\n{}", json["configuration"].as_str().unwrap());
    let text = GOOD.replacen("[log]", &format!("{section}\n[log]"), 1);
    let file = site.write("lastpost.toml", text.as_bytes());
    let checked = check(&file, &[]);
    assert_eq!(checked.status, Some(0), "{}", checked.errors);
    assert!(!checked.output.contains("warning"), "{}", checked.output);
    let shown = run(&file, "dkim show");
    assert!(shown.output.contains(record), "{}", shown.output);
    assert!(
        shown.output.contains("s2._domainkey.example.net. IN TXT (\n    \"v=DKIM1; k=ed25519;")
    );
    assert!(!run(&file, "dkim show --domain example.org").output.contains("example.net"));

    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let warned = check(&file, &[]);
    assert!(warned.output.contains("example.net.s1.pem: every user"), "{}", warned.output);
}

#[test]
fn no_key_is_replaced_and_no_nonsense_made() {
    let site = Site::new();
    let file = site.write("lastpost.toml", GOOD.as_bytes());
    let ed25519 = "--type ed25519 --selector s1 --domain";
    assert_eq!(run(&file, &format!("dkim keygen {ed25519} example.net")).status, Some(0));
    let before = std::fs::read(site.path("dkim/example.net.s1.pem")).unwrap();
    let again = run(&file, &format!("dkim keygen {ed25519} example.net"));
    assert_eq!(again.status, Some(1));
    assert!(
        again.errors.contains("example.net.s1.pem: cannot write the new key"),
        "{}",
        again.errors
    );
    assert_eq!(std::fs::read(site.path("dkim/example.net.s1.pem")).unwrap(), before);
    for words in [
        "dkim keygen --selector s1 --domain example",
        "dkim keygen --selector ../s1 --domain example.net",
        "dkim keygen --selector s;1 --domain example.net",
        "dkim keygen --selector s1 --domain ../example.net",
        "dkim keygen --selector s1 --domain example.net --type md5",
    ] {
        let refused = run(&file, words);
        assert_eq!(refused.status, Some(2), "{words}: {}", refused.errors);
    }
    let names = std::fs::read_dir(site.path("dkim")).unwrap().count();
    assert_eq!(names, 1, "nothing else was written");
}

#[test]
fn a_token_of_nobody_is_said_to_be_one() {
    let site = Site::new();
    let file = site.write("lastpost.toml", GOOD.as_bytes());
    let id = "kzuz3awbpv6fkq2xf6ibqvunfe";
    let token = "mf2xgztboqqhi33lmvxca3lbpeqho2lumggq2djs";
    let without = run(&file, &format!("trace {id} {token}"));
    assert_eq!(without.status, Some(2));
    assert!(without.errors.contains("submission.header.client: no tokens"), "{}", without.errors);
    site.write("token.key", &[7; 32]);
    let section =
        "[submission.header]\nclient = \"token\"\nclient_key_file = \"token.key\"\n\n[log]";
    let file = site.write("lastpost.toml", GOOD.replacen("[log]", section, 1).as_bytes());
    assert_eq!(check(&file, &[]).status, Some(0));
    let unknown = run(&file, &format!("trace {id} {token}"));
    assert_eq!(unknown.status, Some(1));
    assert!(unknown.errors.contains("belongs to no account of now"), "{}", unknown.errors);
}
