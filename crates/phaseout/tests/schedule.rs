//! In which phase an account is: dates, zones, exceptions, brownouts, explanations.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use address::{AccountKey, Domain};
use jiff::{SignedDuration, Timestamp};
use phaseout::{Cause, Exception, Phase, Schedule, ScheduleConfig, Severity, Source};
use proptest::prelude::*;

fn schedule(text: &str) -> Schedule {
    let domain = Domain::parse("isp.example").unwrap();
    let source = Source::from_text(Path::new("s.toml"), text);
    let config: ScheduleConfig = source.parse().unwrap_or_else(|error| panic!("{error}"));
    Schedule::resolve(&config, &source, Some(&domain)).unwrap_or_else(|error| panic!("{error}"))
}

fn account(name: &str) -> AccountKey {
    AccountKey::parse(name, None).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const THREE: &str = r#"
zone = "Asia/Tokyo"

[[cohort]]
name = "north"
domains = ["north.example"]
notice = 2027-01-10
brownout = 2027-02-10
closed = 2027-03-10
brownout_windows = [
    { days = ["tue", "thu"], from = "10:00", to = "12:00" },
    { days = ["sat"], from = "22:00", to = "24:00" },
]

[[cohort]]
name = "family"
addresses = ["*.family@*", "sma?l@isp.example"]
closed = 2027-05-01T09:00:00

[[cohort]]
name = "rest"
rest = true

[[extension]]
account = "late@north.example"
until = 2027-04-01
reason = "hospital"

[[early_closing]]
account = "abuser@north.example"
from = 2027-01-05
reason = "stolen password"
"#;

#[test]
fn the_first_cohort_that_matches_takes_the_account() {
    let schedule = schedule(THREE);
    for (name, cohort) in [
        ("alice@north.example", "north"),
        ("a.family@north.example", "north"),
        ("a.family@isp.example", "family"),
        ("small@isp.example", "family"),
        ("alice@sub.north.example", "rest"),
        ("alice", "rest"),
    ] {
        assert_eq!(&**schedule.cohort_of(&account(name)).name(), cohort, "{name}");
    }
}

#[test]
fn a_phase_holds_from_its_instant_to_just_before_the_next() {
    let schedule = schedule(THREE);
    let alice = account("alice@north.example");
    // Midnight in Tokyo is 15:00 UTC of the day before.
    for (instant, phase, since) in [
        ("2027-01-09T14:59:59.999999999Z", Phase::Open, None),
        ("2027-01-09T15:00:00Z", Phase::Notice, Some("2027-01-09T15:00:00Z")),
        ("2027-02-09T14:59:59Z", Phase::Notice, Some("2027-01-09T15:00:00Z")),
        ("2027-02-09T15:00:00Z", Phase::Brownout, Some("2027-02-09T15:00:00Z")),
        ("2027-03-09T14:59:59Z", Phase::Brownout, Some("2027-02-09T15:00:00Z")),
        ("2027-03-09T15:00:00Z", Phase::Closed, Some("2027-03-09T15:00:00Z")),
        ("2099-01-01T00:00:00Z", Phase::Closed, Some("2027-03-09T15:00:00Z")),
    ] {
        let decision = schedule.phase_of(&alice, at(instant));
        assert_eq!((decision.phase, decision.since), (phase, since.map(at)), "{instant}");
        assert_eq!(&*decision.cohort.name().clone(), "north");
    }
    let notice = schedule.phase_of(&alice, at("2027-01-20T00:00:00Z"));
    assert_eq!(notice.next, Some((Phase::Brownout, at("2027-02-09T15:00:00Z"))));
    assert_eq!((notice.place.line, &*notice.place.file), (7, "s.toml"));
    let closed = schedule.phase_of(&alice, at("2027-03-20T00:00:00Z"));
    assert_eq!(closed.next, None);
    assert_eq!(closed.place.line, 9);
}

#[test]
fn brownout_windows_are_half_open_in_local_time() {
    let schedule = schedule(THREE);
    let alice = account("alice@north.example");
    let until = |instant: &str| {
        let decision = schedule.phase_of(&alice, at(instant));
        assert_eq!(decision.is_honoured(), decision.brownout.is_none());
        decision.brownout.map(|brownout| {
            assert_eq!(brownout.cause, Cause::Window);
            brownout.until.to_string()
        })
    };
    // 2027-02-11 is a Thursday.
    assert_eq!(until("2027-02-11T09:59:59+09:00"), None);
    assert_eq!(until("2027-02-11T10:00:00+09:00").unwrap(), "2027-02-11T03:00:00Z");
    assert_eq!(until("2027-02-11T11:59:59+09:00").unwrap(), "2027-02-11T03:00:00Z");
    assert_eq!(until("2027-02-11T12:00:00+09:00"), None);
    assert_eq!(until("2027-02-12T11:00:00+09:00"), None);
    assert_eq!(until("2027-02-13T23:59:59+09:00").unwrap(), "2027-02-13T15:00:00Z");
    assert_eq!(until("2027-02-14T00:00:00+09:00"), None);
    // No brownout before its phase, and after it the reason is another one.
    assert_eq!(until("2027-02-09T10:30:00+09:00"), None);
    let closed = schedule.phase_of(&alice, at("2027-03-11T10:30:00+09:00"));
    assert!(closed.brownout.is_none() && !closed.is_honoured());
}

#[test]
fn windows_follow_the_clock_through_summer_time() {
    let schedule = schedule(
        "zone = \"Europe/Berlin\"\n[[cohort]]\nname = \"rest\"\nrest = true\n\
         brownout = 2027-03-01\n\
         brownout_windows = [{ days = [\"sun\"], from = \"02:00\", to = \"03:30\" }]\n",
    );
    let refused =
        |instant: &str| schedule.phase_of(&account("a@b.example"), at(instant)).brownout.is_some();
    // In winter 02:00 is 01:00 UTC.
    assert!(!refused("2027-03-21T00:59:59Z"));
    assert!(refused("2027-03-21T01:00:00Z"));
    assert!(!refused("2027-03-21T02:30:00Z"));
    // On 28 March the clock goes from 02:00 to 03:00 at 01:00 UTC: half an hour is left.
    assert!(!refused("2027-03-28T00:59:59Z"));
    assert!(refused("2027-03-28T01:00:00Z"));
    assert!(refused("2027-03-28T01:29:59Z"));
    assert!(!refused("2027-03-28T01:30:00Z"));
    // On 31 October 02:00 to 03:00 comes twice, from 00:00 UTC to 02:00 UTC.
    assert!(refused("2027-10-31T00:00:00Z"));
    assert!(refused("2027-10-31T01:59:59Z"));
    assert!(refused("2027-10-31T02:29:59Z"));
    assert!(!refused("2027-10-31T02:30:00Z"));
}

#[test]
fn an_extension_holds_until_its_end_and_then_the_cohort_counts() {
    let schedule = schedule(THREE);
    let late = account("late@north.example");
    let phase = |instant: &str| schedule.phase_of(&late, at(instant)).phase;
    assert_eq!(phase("2027-01-01T00:00:00Z"), Phase::Open);
    assert_eq!(phase("2027-02-20T00:00:00Z"), Phase::Notice);
    // In a brownout window, and after the closing.
    assert!(schedule.phase_of(&late, at("2027-02-11T10:30:00+09:00")).is_honoured());
    let extended = schedule.phase_of(&late, at("2027-03-31T14:59:59Z"));
    assert_eq!(extended.phase, Phase::Notice);
    assert_eq!(extended.since, Some(at("2027-01-09T15:00:00Z")));
    assert_eq!(extended.next, Some((Phase::Closed, at("2027-03-31T15:00:00Z"))));
    assert!(matches!(extended.exception, Some(Exception::Extension(e)) if e.reason == "hospital"));
    assert_eq!(extended.place.line, 26);
    let over = schedule.phase_of(&late, at("2027-03-31T15:00:00Z"));
    assert_eq!((over.phase, over.since), (Phase::Closed, Some(at("2027-03-31T15:00:00Z"))));
    assert!(over.exception.is_none());
}

#[test]
fn an_early_closing_closes() {
    let schedule = schedule(THREE);
    let abuser = account("abuser@north.example");
    let before = schedule.phase_of(&abuser, at("2027-01-04T14:59:59Z"));
    assert_eq!(before.phase, Phase::Open);
    assert_eq!(before.next, Some((Phase::Closed, at("2027-01-04T15:00:00Z"))));
    let after = schedule.phase_of(&abuser, at("2027-01-04T15:00:00Z"));
    assert_eq!((after.phase, after.next), (Phase::Closed, None));
    assert!(!after.is_honoured());
    assert_eq!(after.place.line, 31);
    assert!(matches!(after.exception, Some(Exception::EarlyClosing(_))));
}

#[test]
fn without_cohorts_everyone_is_open_for_ever() {
    let schedule = schedule("");
    let decision = schedule.phase_of(&account("a@b.example"), at("2099-01-01T00:00:00Z"));
    assert_eq!((decision.phase, decision.since, decision.next), (Phase::Open, None, None));
    assert_eq!(&**decision.cohort.name(), "everyone");
}

#[test]
fn explanations_go_step_by_step_with_lines() {
    let schedule = schedule(THREE);
    let explained =
        schedule.explain(&account("late@north.example"), at("2027-03-20T00:00:00+09:00"));
    let steps: Vec<_> = explained
        .steps
        .iter()
        .map(|step| format!("{} [{}]", step.text, step.place.as_ref().unwrap()))
        .collect();
    assert_eq!(
        steps,
        [
            "cohort `north` (domains north.example) takes late@north.example [s.toml:5]",
            "notice has begun on 2027-01-10 (Asia/Tokyo) [s.toml:7]",
            "brownout has begun on 2027-02-10 (Asia/Tokyo) [s.toml:8]",
            "closed has begun on 2027-03-10 (Asia/Tokyo) [s.toml:9]",
            "its extension runs until 2027-04-01 (Asia/Tokyo): hospital [s.toml:26]",
            "notice with its extension: honoured [s.toml:26]",
        ]
    );
    assert_eq!(explained.at, "2027-03-20T00:00:00+09:00");
    assert!(explained.honoured);
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["phase"], "notice");
    assert_eq!(json["next"]["at"], "2027-04-01T00:00:00+09:00");

    let rest = schedule.explain(&account("x@isp.example"), at("2027-03-20T00:00:00Z"));
    assert_eq!(rest.steps.len(), 5);
    assert!(rest.steps[3].text.ends_with("has no dates: it is open for ever"));

    let overview = schedule.overview(at("2027-02-11T00:00:00Z"));
    assert_eq!(overview[0].phase, Phase::Brownout);
    assert_eq!(overview[0].brownout.as_deref(), Some("tue,thu 10:00-12:00; sat 22:00-24:00"));
    assert_eq!(overview[1].starts[0].at, "2027-05-01T09:00:00+09:00");
    assert_eq!(overview[2].selects, "all other accounts");
}

#[test]
fn check_finds_cohorts_and_exceptions_for_nobody() {
    let schedule = schedule(THREE);
    let accounts = ["alice@north.example", "late@north.example", "bob@isp.example"].map(account);
    let report = schedule.check(&accounts);
    let counts: Vec<_> = report.cohorts.iter().map(|c| (&*c.cohort, c.accounts)).collect();
    assert_eq!(counts, [("north", 2), ("family", 0), ("rest", 1)]);
    assert!(report.has_errors());
    let found: Vec<_> =
        report.findings.iter().map(|f| (f.severity, f.place.line, f.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (
                Severity::Error,
                16,
                "the cohort `family` takes none of the 3 accounts: correct its selection \
                 (addresses *.family@*, sma?l@isp.example), move it before the cohort that takes \
                 them, or delete it"
            ),
            (
                Severity::Warning,
                21,
                "the cohort `rest`, which takes 1 of the 3 accounts, is never closed"
            ),
            (
                Severity::Error,
                31,
                "no account is called abuser@north.example: correct or delete its early closing"
            ),
        ]
    );
}

#[test]
fn a_share_is_the_same_for_the_whole_hour_and_rises() {
    let schedule = schedule(
        "[[cohort]]\nname = \"rest\"\nrest = true\nbrownout = 2027-02-01\n\
         closed = 2027-03-01\nbrownout_share = [10, 50]\n",
    );
    let begin = at("2027-02-01T00:00:00Z");
    let hour = |n: i64| begin + SignedDuration::from_hours(n);
    let mut by_week = [0u32; 4];
    for n in 0..200 {
        let account = account(&format!("user{n}@isp.example"));
        for week in 0..4i64 {
            for h in week * 168..(week + 1) * 168 {
                let refused = schedule.phase_of(&account, hour(h)).brownout;
                let later = hour(h) + SignedDuration::from_secs(3599);
                assert_eq!(schedule.phase_of(&account, later).brownout, refused);
                assert!(refused.is_none_or(|brownout| brownout.until == hour(h + 1)));
                by_week[week as usize] += u32::from(refused.is_some());
            }
        }
    }
    let percent = by_week.map(|hours| f64::from(hours) / 336.0);
    for (got, meant) in percent.iter().zip([15.0, 25.0, 35.0, 45.0]) {
        assert!((got - meant).abs() < 1.0, "{percent:?}");
    }
}

#[test]
fn a_brownout_does_not_outlast_its_phase() {
    let schedule = schedule(
        "[[cohort]]\nname = \"rest\"\nrest = true\nbrownout = 2027-02-01\n\
         closed = 2027-03-01T00:20:00\nbrownout_share = [100]\n",
    );
    let last = schedule.phase_of(&account("a@isp.example"), at("2027-03-01T00:10:00Z"));
    assert_eq!(last.brownout.unwrap().until, at("2027-03-01T00:20:00Z"));
}

/// A schedule with some of its dates, at random distances.
fn any_schedule() -> impl Strategy<Value = (String, i64)> {
    let day = 86_400i64;
    let base = at("2027-01-01T00:00:00Z").as_second();
    (1i64..60, 1i64..60, 1i64..60, 0u8..8, 1u32..100, 0i64..200).prop_map(
        move |(a, b, c, which, share, probe)| {
            let date = |seconds: i64| {
                Timestamp::from_second(base + seconds).unwrap().strftime("%Y-%m-%d").to_string()
            };
            let mut text = "zone = \"America/New_York\"\n[[cohort]]\nname = \"part\"\n".to_owned();
            text += &format!("percent = {share}\n");
            if which & 1 != 0 {
                text += &format!("notice = {}\n", date(a * day));
            }
            if which & 2 != 0 {
                text +=
                    &format!("brownout = {}\nbrownout_share = [{share}]\n", date((a + b) * day));
            }
            if which & 4 != 0 {
                text += &format!("closed = {}\n", date((a + b + c) * day));
            }
            text += "[[cohort]]\nname = \"rest\"\nrest = true\n";
            (text, base + probe * day)
        },
    )
}

proptest! {
    #[test]
    fn phases_only_get_stricter_and_next_is_true(
        (text, from) in any_schedule(),
        name in "[a-z]{1,8}@(north|south)\\.example",
    ) {
        let schedule = schedule(&text);
        // As after a restart, or on another host.
        let again = self::schedule(&text);
        let account = account(&name);
        let mut before = Phase::Open;
        for hour in 0..240 {
            let now = Timestamp::from_second(from + hour * 3601).unwrap();
            let decision = schedule.phase_of(&account, now);
            prop_assert!(decision.phase >= before);
            before = decision.phase;
            prop_assert!(decision.since.is_none_or(|since| since <= now));
            if let Some((phase, change)) = decision.next {
                prop_assert!(change > now);
                let instant_before = change - SignedDuration::from_nanos(1);
                prop_assert_eq!(schedule.phase_of(&account, instant_before).phase, decision.phase);
                let then = schedule.phase_of(&account, change);
                prop_assert_eq!((then.phase, then.since), (phase, Some(change)));
            }
            let same = again.phase_of(&account, now);
            prop_assert_eq!(same.phase, decision.phase);
            prop_assert_eq!(same.brownout, decision.brownout);
            prop_assert_eq!(same.cohort.name(), decision.cohort.name());
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
        let source = Source::from_text(Path::new("s.toml"), text);
        if let Err(error) = source.parse::<ScheduleConfig>() {
            prop_assert!(error.to_string().starts_with("s.toml"));
        }
    }
}
