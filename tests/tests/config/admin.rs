//! The admin's guide: the commands that it shows exist, and its words are those of the programs.

use std::path::Path;
use std::process::Command;

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/admin.md");
    std::fs::read_to_string(path).unwrap()
}

/// The lines of all blocks of this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (inside, line.strip_prefix("```")) {
            (None, Some(name)) => inside = Some(name == language),
            (Some(_), Some(_)) => inside = None,
            (Some(true), None) => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

#[test]
fn every_command_in_the_guide_exists() {
    let text = guide();
    let mut asked = 0;
    for line in blocks(&text, "sh") {
        let command = line.rsplit(" | ").next().unwrap();
        let words: Vec<&str> = command.split_whitespace().collect();
        let [program, arguments @ ..] = words.as_slice() else { continue };
        if !program.starts_with("lastpost") {
            continue;
        }
        // Whatever stands in front of --help must be understood.
        let output = Command::new(env!("CARGO_BIN_EXE_lastpost-under-test"))
            .env("LASTPOST_PROGRAM", program)
            .args(arguments)
            .arg("--help")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        asked += 1;
    }
    assert!(asked >= 25, "{asked} commands");
    for command in
        ["account", "check", "demo", "hash", "maildrop", "queue", "reload", "serve", "status"]
    {
        assert!(text.contains(&format!("lastpost {command}")), "{command} is not in the guide");
    }
}

#[test]
fn every_key_in_the_guide_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/lastpost.toml");
    let documented = std::fs::read_to_string(path).unwrap();
    let mut looked_up = 0;
    for word in guide().split('`').skip(1).step_by(2) {
        let Some((table, key)) = word.split_once('.') else { continue };
        let is_table =
            ["accounts", "auth", "pop3", "submission", "spool", "relay", "control", "log"];
        if !is_table.contains(&table) || key.contains([' ', '/', ':']) || key == "token" {
            continue;
        }
        let shown = documented.lines().any(|line| {
            let line = line.trim_start_matches("# ").trim_start_matches("Example: ");
            line.starts_with(&format!("{key} = "))
        });
        assert!(shown, "`{word}` is in the guide and not in config/lastpost.toml");
        looked_up += 1;
    }
    assert!(looked_up >= 15, "{looked_up} keys");
}
