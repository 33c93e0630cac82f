//! Which room may name which other, and which library belongs to which rooms.

use super::Finding;
use crate::metadata::{Dependency, Package};

/// Package, and the packages of this workspace that it may name. A package may have several
/// rows. Layer 0 knows layer 0 alone; nobody but the programs knows the bridge.
const ROOMS: &[(&str, &[&str])] = &[
    // Layer 0: pure.
    ("address", &[]),
    ("textproto", &[]),
    ("sasl", &[]),
    ("envelope", &[]),
    ("pop3-proto", &["address", "textproto", "sasl"]),
    ("smtp-proto", &["address", "envelope", "textproto", "sasl"]),
    // Layer 1: state on disk.
    ("auth", &["address", "sasl"]),
    ("maildrop", &["textproto"]),
    ("spool", &["address", "envelope", "auth"]),
    ("dkim", &["address"]),
    ("phaseout", &["address"]),
    // Layer 2: network.
    ("netio", &[]),
    ("mx", &["address", "netio"]),
    ("limits", &["address", "auth"]),
    ("filter", &["address", "netio"]),
    ("https", &["netio"]),
    ("accounts", &["address", "sasl", "auth", "netio", "https"]),
    ("oauth", &["address", "sasl", "auth", "netio", "https"]),
    ("auth-share", &["address", "sasl", "auth"]),
    // Layer 3: daemons, and the bridge.
    ("pop3d", &["address", "textproto", "sasl", "pop3-proto", "auth", "maildrop", "netio"]),
    ("submissiond", &["address", "envelope", "textproto", "sasl", "smtp-proto", "auth", "spool"]),
    ("submissiond", &["netio", "dkim", "limits", "filter"]),
    (
        "relay",
        &["address", "envelope", "textproto", "sasl", "smtp-proto", "auth", "maildrop", "spool"],
    ),
    ("relay", &["netio", "mx"]),
    ("pop-before-smtp", &["address", "auth", "phaseout"]), // retire
    // Layer 4: programs.
    ("lastpost", &["address", "textproto", "sasl", "pop3-proto", "smtp-proto"]),
    ("lastpost", &["auth", "maildrop", "spool", "phaseout", "netio"]),
    ("lastpost", &["envelope", "pop3d", "submissiond", "relay", "dkim", "limits", "filter", "mx"]),
    ("lastpost", &["accounts", "https", "oauth", "auth-share"]),
    ("lastpost", &["pop-before-smtp"]), // retire
    // Development.
    ("xtask", &[]),
    ("lastpost-tests", &["address", "textproto", "sasl", "pop3-proto", "smtp-proto"]),
    ("lastpost-tests", &["auth", "maildrop", "spool", "phaseout", "netio"]),
    ("lastpost-tests", &["pop3d", "submissiond", "relay", "lastpost", "xtask"]),
    ("lastpost-tests", &["envelope", "dkim", "limits", "filter", "mx"]),
    ("lastpost-tests", &["accounts", "https", "oauth", "auth-share"]),
    ("lastpost-tests", &["pop-before-smtp"]), // retire
];

/// Dependencies that must be optional: package, dependency.
const OPTIONAL: &[(&str, &str)] = &[
    ("lastpost", "pop-before-smtp"), // retire
];

/// The packages that have no input or output, and the only libraries they may use.
const PURE: &[&str] = &["address", "envelope", "textproto", "sasl", "pop3-proto", "smtp-proto"];
const PURE_LIBRARIES: &[&str] = &["memchr", "base64", "zeroize"];
/// What the mechanisms of `sasl` compute with, and `address` compares names by: pure as well.
const PURE_EXTRAS: &[(&str, &[&str])] = &[
    ("hmac", &["sasl"]),
    ("sha1", &["sasl"]),
    ("sha2", &["sasl"]),
    ("md-5", &["sasl"]),
    ("pbkdf2", &["sasl"]),
    ("subtle", &["sasl"]),
    ("stringprep", &["sasl"]),
    ("idna", &["address"]),
    ("precis-profiles", &["address"]),
];

/// Libraries that belong to certain rooms: whoever needs them elsewhere is in the wrong room.
/// Tests and development tools are free.
const LIBRARIES: &[(&str, &[&str])] = &[
    // `auth` has bounded waiting, `spool` a flush to await, the bridge a socket of its own.
    ("tokio", &["auth", "spool", "netio", "pop3d", "submissiond", "relay", "lastpost"]),
    ("tokio", &["mx", "limits", "filter"]),
    ("tokio", &["accounts", "https", "oauth", "auth-share"]),
    ("tokio", &["pop-before-smtp"]), // retire
    ("tokio-rustls", &["netio", "relay"]),
    ("rustls", &["netio", "relay"]),
    ("hickory-resolver", &["mx"]),
    ("redis", &["limits", "auth-share"]),
    ("socket2", &["netio"]),
    ("proxy-header", &["netio"]),
    ("maildir", &["maildrop"]),
    ("rusqlite", &["phaseout", "accounts"]),
    ("argon2", &["auth"]),
    ("sha-crypt", &["auth"]),
    ("bcrypt", &["auth"]),
    ("yescrypt", &["auth"]),
    ("ldap3", &["accounts"]),
    ("hyper", &["https"]),
    ("axum", &["lastpost"]),
    ("clap", &["lastpost"]),
];
const FREE: &[&str] = &["xtask", "lastpost-tests"];

/// Checks every line of every manifest.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, _) in ROOMS {
        if !packages.iter().any(|package| package.name == *name) {
            let message = format!("the table of rooms has `{name}`, which is no package any more");
            findings.push(finding("xtask", message));
        }
    }
    for package in packages {
        if !ROOMS.iter().any(|(name, _)| *name == package.name) {
            let message = "this package is in no row of the table of rooms".to_owned();
            findings.push(finding(&package.name, message));
        }
        for dependency in &package.dependencies {
            findings
                .extend(objection(package, dependency).map(|text| finding(&package.name, text)));
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn objection(package: &Package, dependency: &Dependency) -> Option<String> {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    if dependency.path.is_some() {
        if !allows(ROOMS, from, to) {
            return Some(format!("may not name `{to}`"));
        }
        let must = OPTIONAL.contains(&(from, to));
        return (must && !dependency.optional).then(|| format!("must name `{to}` as optional"));
    }
    if dependency.kind.as_deref() == Some("dev") || FREE.contains(&from) {
        return None;
    }
    if PURE.contains(&from) && !PURE_LIBRARIES.contains(&to) && !allows(PURE_EXTRAS, to, from) {
        return Some(format!("has no business with the library `{to}`: it is pure"));
    }
    let owned = LIBRARIES.iter().any(|(library, _)| *library == to);
    let owns = LIBRARIES.iter().any(|(library, rooms)| *library == to && rooms.contains(&from));
    (owned && !owns).then(|| format!("may not use the library `{to}`, which belongs elsewhere"))
}

fn allows(table: &[(&str, &[&str])], from: &str, to: &str) -> bool {
    table.iter().any(|(name, allowed)| *name == from && allowed.contains(&to))
}

fn finding(package: &str, message: String) -> Finding {
    let path = match package {
        "lastpost-tests" => "tests/Cargo.toml".to_owned(),
        other => format!("crates/{other}/Cargo.toml"),
    };
    Finding::new(path, 0, "rooms", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str) -> Dependency {
        Dependency { name: name.into(), kind: None, optional: false, path: None }
    }

    fn room(name: &str) -> Dependency {
        Dependency { path: Some(format!("/x/{name}")), ..dependency(name) }
    }

    fn objections(package: &str, dependencies: Vec<Dependency>) -> Vec<String> {
        let package = Package { name: package.into(), dependencies };
        package.dependencies.iter().filter_map(|d| objection(&package, d)).collect()
    }

    #[test]
    fn arrows_point_down_only() {
        assert!(objections("pop3d", vec![room("auth"), room("maildrop")]).is_empty());
        assert_eq!(objections("pop3d", vec![room("spool")]), ["may not name `spool`"]);
        assert_eq!(objections("auth", vec![room("pop3d")]), ["may not name `pop3d`"]);
        assert_eq!(objections("sasl", vec![room("auth")]).len(), 1);
        let mut for_tests = room("lastpost");
        for_tests.kind = Some("dev".into());
        assert_eq!(objections("pop3d", vec![for_tests]).len(), 1, "not for tests either");
    }

    #[test]
    fn libraries_belong_to_rooms() {
        assert_eq!(objections("maildrop", vec![dependency("tokio")]).len(), 1);
        assert!(objections("netio", vec![dependency("tokio")]).is_empty());
        assert_eq!(objections("pop3-proto", vec![dependency("serde")]).len(), 1);
        assert!(objections("pop3-proto", vec![dependency("memchr")]).is_empty());
        assert!(objections("xtask", vec![dependency("tokio")]).is_empty());
        let mut for_tests = dependency("tokio");
        for_tests.kind = Some("dev".into());
        assert!(objections("maildrop", vec![for_tests]).is_empty());
    }

    #[test]
    fn a_package_without_a_row_is_noticed_and_a_row_without_a_package() {
        let stranger = Package { name: "stranger".into(), dependencies: Vec::new() };
        let findings = check(&[stranger]);
        assert!(findings.iter().any(|f| f.path == "crates/stranger/Cargo.toml"));
        assert!(findings.iter().any(|f| f.message.contains("`maildrop`, which is no package")));
    }

    #[test]
    fn what_must_be_optional_is() {
        for (from, to) in OPTIONAL {
            assert_eq!(objections(from, vec![room(to)]).len(), 1);
            let optional = Dependency { optional: true, ..room(to) };
            assert!(objections(from, vec![optional]).is_empty());
        }
    }
}
