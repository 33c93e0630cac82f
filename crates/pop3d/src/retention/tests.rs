//! What is promised, what the file remembers, and when nothing is removed.

use super::memory::{Memory, Plan, Reason};
use super::*;

const EVERY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;

fn config(retrieval: &str, arrival: &str) -> RetentionConfig {
    RetentionConfig {
        after_retrieval: RetentionDays::parse(retrieval).unwrap(),
        after_arrival: RetentionDays::parse(arrival).unwrap(),
        ..RetentionConfig::default()
    }
}

fn account(retrieval: Option<&str>, arrival: Option<&str>) -> AccountPolicy {
    AccountPolicy {
        expire_after_retrieval: retrieval.map(|days| RetentionDays::parse(days).unwrap()),
        expire_after_arrival: arrival.map(|days| RetentionDays::parse(days).unwrap()),
        ..AccountPolicy::default()
    }
}

#[test]
fn the_promise_is_the_shorter_one_and_the_accounts_own_word_counts() {
    for (all, own, promised) in [
        (("never", "never"), (None, None), "never"),
        (("30d", "never"), (None, None), "30d"),
        (("30d", "365d"), (None, None), "30d"),
        (("30d", "7d"), (None, None), "7d"),
        (("30d", "7d"), (None, Some("never")), "30d"),
        (("30d", "7d"), (Some("never"), Some("never")), "never"),
        (("never", "never"), (None, Some("9d")), "9d"),
        (("1d", "2d"), (Some("9d"), None), "2d"),
    ] {
        let promise = promise(&config(all.0, all.1), &account(own.0, own.1));
        assert_eq!(promise.to_string(), promised, "{all:?} {own:?}");
    }
}

#[test]
fn before_the_login_the_least_is_promised() {
    let never = u32::MAX;
    let spread = |least, most| Some(auth::Spread { least, most });
    for (all, retrieval, arrival, promised, varies) in [
        (("never", "never"), None, None, "never", false),
        (("30d", "never"), None, None, "30d", false),
        (("30d", "never"), spread(30, 30), None, "30d", false),
        (("30d", "never"), spread(60, 60), None, "30d", true),
        (("30d", "never"), spread(7, never), None, "7d", true),
        (("never", "never"), None, spread(90, 90), "90d", true),
        (("never", "never"), spread(never, never), None, "never", false),
    ] {
        let accounts = PolicySpread {
            expire_after_retrieval: retrieval,
            expire_after_arrival: arrival,
            ..PolicySpread::default()
        };
        let config = config(all.0, all.1);
        let (days, differ) = promise_to_all(&config, &accounts);
        assert_eq!((days.to_string().as_str(), differ), (promised, varies), "{all:?}");
        assert_eq!(config.removes(&accounts), promised != "never");
    }
}

#[test]
fn values_out_of_range_are_named() {
    assert_eq!(RetentionConfig::default().check(), Ok(()));
    for (text, says) in [
        ("every = \"59m\"", "pop3.retention.every: 3540s is out of range; expected \"1h\""),
        ("every = \"169h\"", "pop3.retention.every"),
        ("accounts_per_second = 0", "pop3.retention.accounts_per_second: 0"),
        ("accounts_per_second = 10001", "expected 1 to 10000"),
        ("after_arrival = \"0d\"", "\"never\" or days such as \"30d\""),
        ("after_retrieval = 30", "expected a string"),
        ("after = \"30d\"", "unknown field `after`"),
    ] {
        let parsed: Result<RetentionConfig, _> = toml::from_str(text);
        let problem = match parsed {
            Ok(config) => config.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(problem.contains(says), "{text}: {problem}");
    }
}

/// A memory that has been through one run, which ended at `NOW`.
fn settled() -> Memory {
    let mut memory = Memory::default();
    assert_eq!(memory.plan(NOW, "p", EVERY, false), Plan::PutOff(Reason::NewPolicy));
    memory.finished(NOW, NOW, EVERY);
    memory
}

#[test]
fn a_new_policy_waits_for_a_whole_period() {
    let mut memory = Memory::default();
    assert_eq!(memory.plan(NOW, "p", EVERY, false), Plan::PutOff(Reason::NewPolicy));
    assert_eq!(memory.due(), NOW + EVERY);
    for (later, plan) in [(0, Plan::Wait), (EVERY - 1, Plan::Wait), (EVERY, Plan::Run)] {
        assert_eq!(memory.plan(NOW + later, "p", EVERY, false), plan, "{later}");
    }
    memory.resume = Some("ann".to_owned());
    let changed = memory.plan(NOW + EVERY, "q", EVERY, false);
    assert_eq!(changed, Plan::PutOff(Reason::NewPolicy), "a mistake in it can be seen first");
    assert_eq!((memory.due(), memory.resume), (NOW + 2 * EVERY, None));
}

#[test]
fn runs_keep_their_rhythm_and_a_long_one_is_followed_at_once() {
    let mut memory = settled();
    assert_eq!(memory.plan(NOW + EVERY - 1, "p", EVERY, false), Plan::Wait);
    assert_eq!(memory.plan(NOW + EVERY + 5, "p", EVERY, false), Plan::Run);
    memory.finished(NOW + EVERY + 5, NOW + EVERY + 500, EVERY);
    assert_eq!(memory.due(), NOW + 2 * EVERY + 5);
    memory.finished(NOW, NOW + 3 * EVERY, EVERY);
    assert_eq!(memory.due(), NOW + 3 * EVERY);
}

#[test]
fn a_clock_that_jumps_removes_nothing() {
    let mut memory = settled();
    assert_eq!(memory.plan(NOW - 1, "p", EVERY, false), Plan::Behind, "before the last run");
    assert_eq!(memory.plan(i64::MIN, "p", EVERY, false), Plan::Behind);
    let year = 365 * EVERY;
    let stepped = memory.plan(NOW + year, "p", EVERY, true);
    assert_eq!(stepped, Plan::PutOff(Reason::ClockStepped));
    // Put right again, it goes on as if nothing had been.
    assert_eq!(memory.plan(NOW + EVERY, "p", EVERY, false), Plan::Wait);
    assert_eq!(memory.due(), NOW + 2 * EVERY, "and not after a year");
    // A jump while the daemon was off looks like a long absence.
    let mut memory = settled();
    assert_eq!(memory.plan(NOW + year, "p", EVERY, false), Plan::PutOff(Reason::VeryLate));
    let mut memory = settled();
    assert_eq!(memory.plan(NOW + 8 * EVERY, "p", EVERY, false), Plan::Run, "a week is none");
    assert_eq!(memory.plan(i64::MAX, "p", i64::MAX, true), Plan::PutOff(Reason::ClockStepped));
}

#[test]
fn the_file_reads_back_and_nonsense_is_refused() {
    let mut memory = settled();
    for resume in [None, Some("ann@example.net".to_owned())] {
        memory.resume = resume;
        assert_eq!(Memory::parse(&memory.text()), Some(memory.clone()));
    }
    let text = memory.text();
    for cut in 0..text.len() {
        if text.is_char_boundary(cut) && cut != text.find("resume").unwrap() {
            assert_eq!(Memory::parse(&text[..cut]), None, "{:?}", &text[..cut]);
        }
    }
    for wrong in ["", "\n", "lastpost-retention 2\n", "\0", &format!("{text}more\n")] {
        assert_eq!(Memory::parse(wrong), None, "{wrong:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pop3-retention");
    assert_eq!(Memory::read(&file).unwrap(), Memory::default());
    memory.write(&file).unwrap();
    assert_eq!(Memory::read(&file).unwrap(), memory);
    std::fs::write(&file, [0xff; 100_000]).unwrap();
    assert!(Memory::read(&file).is_err());
}
