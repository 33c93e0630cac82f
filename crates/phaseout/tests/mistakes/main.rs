//! Broken schedules, and what is said about each: place, what is wrong, what to do.

#![allow(clippy::unwrap_used, reason = "a test")]

mod brownouts;
mod cohorts;
mod dates;
mod exceptions;

use std::path::Path;

use address::Domain;
use phaseout::{Mistakes, Schedule, ScheduleConfig, Source};

fn resolve(text: &str) -> Result<Schedule, Mistakes> {
    let domain = Domain::parse("isp.example").unwrap();
    let source = Source::from_text(Path::new("s.toml"), text);
    let config: ScheduleConfig = source.parse()?;
    Schedule::resolve(&config, &source, Some(&domain))
}

/// The rest of a schedule in which one cohort is broken.
const REST: &str = "\n[[cohort]]\nname = \"rest\"\nrest = true\n";

/// A broken file, and everything that is said about it.
#[derive(Clone, Copy)]
struct Case {
    text: &'static str,
    /// Whether [`REST`] follows.
    rest: bool,
    said: &'static str,
}

const fn case(text: &'static str, said: &'static str) -> Case {
    Case { text, rest: true, said }
}

const fn whole(text: &'static str, said: &'static str) -> Case {
    Case { text, rest: false, said }
}

#[test]
fn each_mistake_names_place_reason_and_remedy() {
    let tables = [cohorts::TABLE, dates::TABLE, brownouts::TABLE, exceptions::TABLE];
    let cases = tables.concat();
    let mut wrong = Vec::new();
    for Case { text, rest, said } in &cases {
        let text = if *rest { format!("{text}{REST}") } else { (*text).to_owned() };
        let found = match resolve(&text) {
            Ok(_) => "(nothing)".to_owned(),
            Err(mistakes) => mistakes.to_string(),
        };
        if found != said.trim_start_matches('\n') {
            wrong.push(format!("=== {text}\n--- said\n{found}\n--- expected\n{said}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "zone = \"Asia/Tokio\"\n\
                [[cohort]]\nname = \"A\"\npercent = 0\nnotice = 2027-02-30\n";
    let error = resolve(text).unwrap_err();
    // 30 February is no TOML date: the parser finds it before anything is resolved.
    assert_eq!(error.list().len(), 1, "{error}");
    let text = text.replace("02-30", "02-28");
    let error = resolve(&text).unwrap_err();
    let lines: Vec<_> =
        error.list().iter().filter_map(|m| m.place.as_ref()).map(|place| place.line).collect();
    assert_eq!(lines, [1, 2, 3, 4], "{error}");
}

#[test]
fn list_files_are_relative_and_their_mistakes_have_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.toml");
    let text = format!("[[cohort]]\nname = \"vip\"\nlist = \"vip.txt\"\n{REST}");
    std::fs::write(&path, &text).unwrap();
    let missing = Schedule::load(&path, None).unwrap_err().to_string();
    assert!(missing.contains("s.toml:3:8: "), "{missing}");
    assert!(missing.contains("vip.txt cannot be read: No such file"), "{missing}");
    std::fs::write(directory.path().join("vip.txt"), "a@x.example\nb c\n").unwrap();
    let malformed = Schedule::load(&path, None).unwrap_err().to_string();
    assert!(malformed.contains("vip.txt:2: not an account name"), "{malformed}");
    std::fs::write(directory.path().join("vip.txt"), "# nobody\n").unwrap();
    let empty = Schedule::load(&path, None).unwrap_err().to_string();
    assert!(empty.contains("vip.txt names no account"), "{empty}");
    std::fs::write(directory.path().join("vip.txt"), "a@x.example\n").unwrap();
    assert!(Schedule::load(&path, None).is_ok());
}

#[test]
fn unreadable_files_say_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.toml");
    assert!(Schedule::load(&path, None).unwrap_err().to_string().contains("cannot be read"));
    std::fs::write(&path, b"zone = \"UTC\"\n# \xff\n").unwrap();
    assert!(Schedule::load(&path, None).unwrap_err().to_string().ends_with("line 2 is not UTF-8"));
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    assert!(Schedule::load(&path, None).unwrap_err().to_string().contains("larger than 4 MiB"));
}
