//! The page for administrators: what it shows of the configuration is good, and says the truth
//! about defaults.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

use pop3d::Pop3Config;
use serde::Deserialize;

/// A piece of `lastpost.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    pop3: Pop3Config,
}

fn blocks() -> Vec<String> {
    let page = include_str!("../../../docs/pop3.md");
    let mut blocks = Vec::new();
    for part in page.split("```toml\n").skip(1) {
        blocks.push(part.split("```").next().unwrap().to_owned());
    }
    blocks
}

#[test]
fn every_example_is_good_configuration() {
    let blocks = blocks();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    for block in blocks {
        let piece: Piece = toml::from_str(&block).unwrap_or_else(|error| panic!("{error}"));
        piece.pop3.check().unwrap_or_else(|error| panic!("{error} in\n{block}"));
    }
}

#[test]
fn what_is_not_marked_is_the_default() {
    let mut shown = 0;
    for block in
        blocks().iter().filter(|block| !block.contains("listen") && !block.contains("xclient"))
    {
        let unmarked: Vec<&str> =
            block.lines().filter(|line| !line.contains("# default")).collect();
        let piece: Piece = toml::from_str(&unmarked.join("\n")).unwrap();
        assert_eq!(piece.pop3, Pop3Config::default(), "{block}");
        // And what is marked says the default behind the mark.
        for line in block.lines().filter(|line| line.contains("# default: ")) {
            let (key, _) = line.split_once(" = ").unwrap();
            let default = line.split("# default: ").nth(1).unwrap();
            let default = default.split(", ").next().unwrap();
            let default = if default == "none" { "[]" } else { default };
            let as_default: Vec<String> = block
                .lines()
                .map(|other| match other == line {
                    true => format!("{key} = {default}"),
                    false if other.contains("# default: ") => String::new(),
                    false => other.to_owned(),
                })
                .collect();
            let piece: Piece = toml::from_str(&as_default.join("\n")).unwrap();
            assert_eq!(piece.pop3, Pop3Config::default(), "{line}");
            shown += 1;
        }
    }
    assert!(shown >= 6, "{shown}");
}
