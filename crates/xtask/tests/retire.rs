//! The rehearsal, on small workspaces made for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::retire::{PlanError, Rehearsal, RehearsalError};

const MARK_FILE: &str = "retire: whole file";

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A house with a bridge: crate `bridge`, and `house`, which names it in marked places.
fn workspace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
    write(root, ".gitignore", "target/\nignored.rs\n");
    write(root, "ignored.rs", "the bridge is named here, and nobody cares\n");
    let package = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
    };
    let mark = "# retire: whole crate\n";
    write(root, "crates/old-bridge/Cargo.toml", &(package("old-bridge") + mark));
    write(root, "crates/old-bridge/src/lib.rs", "//! The bridge.\npub fn cross() -> u32 { 2 }\n");
    let line = ["old-bridge = { path = \"../old-bridge\" } # ", "retire\n"].concat();
    write(root, "crates/house/Cargo.toml", &(package("house") + "[dependencies]\n" + &line));
    let lib = [
        "//! The house.\n",
        "mod wiring; // ",
        "retire\n",
        "pub fn rooms() -> u32 {\n    1\n        + wiring::more() // ",
        "retire\n}\n",
    ]
    .concat();
    write(root, "crates/house/src/lib.rs", &lib);
    let wiring = format!("//! {MARK_FILE}\npub fn more() -> u32 {{ old_bridge::cross() }}\n");
    write(root, "crates/house/src/wiring.rs", &wiring);
    let test = "//! Tests.\n#[test]\nfn some_rooms() { assert!(house::rooms() > 0); }\n";
    write(root, "crates/house/tests/house.rs", test);
    let test = format!(
        "//! Tests.\n// {MARK_FILE}\n#[test]\nfn crossing() {{ assert_eq!(house::rooms(), 3); }}\n"
    );
    write(root, "crates/house/tests/crossing/main.rs", &test);
    let init = Command::new("git").args(["init", "-q"]).current_dir(root).status().unwrap();
    assert!(init.success());
    directory
}

fn rehearsal(root: &Path) -> Rehearsal {
    Rehearsal {
        root: root.to_owned(),
        target: root.join("target/retire"),
        skip_tests: false,
        only_touched: false,
        keep: false,
        quiet: true,
        test_arguments: Vec::new(),
    }
}

#[test]
fn what_is_marked_goes_and_what_is_left_works() {
    let directory = workspace();
    let root = directory.path();
    let plan = rehearsal(root).plan().unwrap();
    assert_eq!(plan.crates[0].name, "old-bridge");
    assert_eq!(plan.files, ["crates/house/src/wiring.rs", "crates/house/tests/crossing/main.rs"]);
    assert_eq!(plan.marked_lines(), 3);

    let report = Rehearsal { keep: true, ..rehearsal(root) }.run().unwrap();
    let copy = report.kept.unwrap();
    assert!(!copy.join("crates/old-bridge").exists());
    assert!(!copy.join("crates/house/tests/crossing").exists(), "empty folders go too");
    assert!(!copy.join("ignored.rs").exists());
    let lib = fs::read_to_string(copy.join("crates/house/src/lib.rs")).unwrap();
    assert_eq!(lib, "//! The house.\npub fn rooms() -> u32 {\n    1\n}\n");
    // The workspace itself is as it was.
    assert!(root.join("crates/old-bridge/src/lib.rs").exists());
    assert!(root.join("crates/house/src/wiring.rs").exists());
    fs::remove_dir_all(copy).unwrap();
}

#[test]
fn a_name_that_stays_is_found() {
    let directory = workspace();
    write(directory.path(), "crates/house/src/talk.rs", "//! Says `old_bridge` still.\n");
    match rehearsal(directory.path()).run() {
        Err(RehearsalError::Leftovers(found)) => {
            assert_eq!(found, ["crates/house/src/talk.rs:1: //! Says `old_bridge` still."]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_house_that_does_not_stand_alone_is_found() {
    let directory = workspace();
    let test = "//! Tests.\n#[test]\nfn three() { assert_eq!(house::rooms(), 3); }\n";
    write(directory.path(), "crates/house/tests/house.rs", test);
    match rehearsal(directory.path()).run() {
        Err(RehearsalError::Step { command, .. }) => assert_eq!(command, "cargo test --workspace"),
        other => panic!("{other:?}"),
    }
    let built = Rehearsal { skip_tests: true, ..rehearsal(directory.path()) };
    assert!(built.run().is_ok());
}

#[test]
fn nothing_marked_is_an_error() {
    let directory = workspace();
    fs::remove_dir_all(directory.path().join("crates/old-bridge")).unwrap();
    let error = rehearsal(directory.path()).plan().unwrap_err();
    assert!(matches!(error, RehearsalError::Plan(PlanError::NoCrate)), "{error}");
    let nowhere = tempfile::tempdir().unwrap();
    assert!(matches!(rehearsal(nowhere.path()).plan(), Err(RehearsalError::Git(_))));
}
