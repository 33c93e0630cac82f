//! The checker sees what is wrong, on a small workspace made for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::path::Path;

use xtask::tidy;

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn each_broken_rule_is_named_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
    let package = |name: &str, more: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n{more}"
        )
    };
    write(root, "crates/auth/Cargo.toml", &package("auth", "pop3d = { path = \"../pop3d\" }\n"));
    write(root, "crates/auth/src/lib.rs", "//! Auth.\n");
    write(root, "crates/pop3d/Cargo.toml", &package("pop3d", ""));
    let long = format!("use x;\nfn f() {{\n{}}}\n", "x();\n".repeat(400));
    write(root, "crates/pop3d/src/lib.rs", &long);
    write(root, "target/debug/x.rs", "no subject");
    write(root, "docs/architecture.md", "see\n`crates/auth` and `crates/nowhere`\n");

    let findings = tidy::run(root);
    let has = |path: &str, line: usize, rule: &str, says: &str| {
        findings
            .iter()
            .any(|f| f.path == path && f.line == line && f.rule == rule && f.message.contains(says))
    };
    assert!(has("crates/auth/Cargo.toml", 0, "rooms", "may not name `pop3d`"), "{findings:#?}");
    assert!(has("crates/pop3d/src/lib.rs", 1, "subject", "//!"), "{findings:#?}");
    assert!(has("crates/pop3d/src/lib.rs", 0, "file-length", "403 lines"), "{findings:#?}");
    assert!(has("crates/pop3d/src/lib.rs", 2, "function-length", "`f` has 402"), "{findings:#?}");
    assert!(has("docs/architecture.md", 2, "docs", "crates/nowhere"), "{findings:#?}");
    assert!(!findings.iter().any(|f| f.path.starts_with("target")), "{findings:#?}");
}

#[test]
fn a_broken_manifest_is_a_finding() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "Cargo.toml", "[workspace\n");
    let findings = tidy::run(directory.path());
    assert!(findings.iter().any(|f| f.rule == "metadata"), "{findings:#?}");
    assert!(findings.iter().any(|f| f.rule == "docs"), "{findings:#?}");
}
