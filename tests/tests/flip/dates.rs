//! retire: whole file
//! Dates that pass: closing, brownouts, extensions, early closings.

use crate::kit::{
    AIKO, BERT, CLARA, ELSEWHERE, HOME, SETTINGS, accepted, file, house, pass, refused,
    tells_the_remedy,
};
use lastpost_tests::{House, Plan};

const MAIL: &str = "MAIL FROM:<aiko@open.example>";

/// Aiko's cohort closes on 1 December in Tokyo, which is 15:00 on 30 November in London.
const DECEMBER: &str = r#"[schedule]
zone = "Asia/Tokyo"
[[schedule.cohort]]
name = "first"
addresses = ["aiko@*"]
notice = 2026-11-01
closed = 2026-12-01
[[schedule.cohort]]
name = "rest"
rest = true
closed = 2027-06-01T09:30:00
"#;

const ENDED: &str = "Sending without authentication ended on 2026-12-01 (Asia/Tokyo).";

#[test]
fn the_date_passes_while_both_daemons_run() {
    let house = house("2026-11-30T14:50:00Z", DECEMBER);
    let ports = [house.address("pop3"), house.address("legacy")];
    house.fetch(AIKO, HOME);
    house.fetch(BERT, HOME);
    let mut open = house.greeted(HOME, "aiko");
    accepted(&house.send(AIKO, HOME));
    pass(&house, 10 * 60 - 1);
    open.expect(MAIL, "250");
    open.expect("RCPT TO:<friend@elsewhere.example>", "250");
    // Midnight in Tokyo, in the middle of a transaction: it was permitted, and it holds.
    pass(&house, 1);
    accepted(&open.message(AIKO));
    // The grant has ten minutes left; her phase has none.
    refused(&open.ask(MAIL), ENDED);
    refused(&house.mail_from(AIKO, HOME), ENDED);
    refused(&house.mail_from("sales@open.example", HOME), ENDED);
    accepted(&house.send(BERT, HOME));
    // Her mail is still hers to fetch; it grants nothing any more.
    house.fetch(AIKO, ELSEWHERE);
    assert_eq!(house.grants(), [(HOME, AIKO.to_owned()), (HOME, BERT.to_owned())]);
    refused(&house.mail_from(AIKO, ELSEWHERE), ENDED);
    // What she is told works, in the session that was open all the time.
    assert!(open.auth_plain(AIKO, house.customer(AIKO).password).starts_with("235"));
    open.expect(MAIL, "250");
    open.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&open.message(AIKO));
    // Nobody restarted anything.
    assert_eq!(ports, [house.address("pop3"), house.address("legacy")]);
    assert_eq!(house.wait_for_mail(4).len(), 4);
}

#[test]
fn who_has_to_fetch_first_is_told_the_date_that_is_coming() {
    let house = house("2026-11-30T14:50:00Z", DECEMBER);
    let reply = |sender| house.mail_from(sender, HOME);
    let fetch = "No authentication, and no mail was fetched from your address within 20 minutes: \
                 fetch your mail, then send again.";
    let ends = |on: &str| format!("{fetch} This way of sending ends on {on} (Asia/Tokyo).");
    refused(&reply(AIKO), &ends("2026-12-01"));
    refused(&reply(BERT), &ends("2027-06-01 09:30"));
    pass(&house, 10 * 60);
    refused(&reply(AIKO), ENDED);
    refused(&reply(BERT), &ends("2027-06-01 09:30"));
}

/// 24 November 2026 is a Tuesday.
const BROWNOUTS: &str = r#"[schedule]
zone = "Europe/Berlin"
[[schedule.cohort]]
name = "brown"
addresses = ["aiko@*"]
brownout = 2026-11-20
brownout_windows = [{ days = ["tue", "thu"], from = "10:00", to = "12:00" }]
closed = 2026-12-15
[[schedule.cohort]]
name = "rest"
rest = true
"#;

#[test]
fn a_brownout_window_refuses_from_its_first_second_to_before_its_last() {
    let house = house("2026-11-24T08:50:00Z", BROWNOUTS);
    let suspended = "Sending without authentication is suspended until 2026-11-24 12:00 \
                     (Europe/Berlin). This way of sending ends on 2026-12-15 (Europe/Berlin).";
    house.fetch(AIKO, HOME);
    house.fetch(BERT, HOME);
    let mut open = house.greeted(HOME, "aiko");
    pass(&house, 10 * 60 - 1);
    open.expect(MAIL, "250");
    open.expect("RSET", "250");
    pass(&house, 1);
    refused(&open.ask(MAIL), suspended);
    refused(&house.mail_from(AIKO, HOME), suspended);
    // Fetching first would not help, so he is not told to.
    refused(&house.mail_from(AIKO, ELSEWHERE), suspended);
    accepted(&house.mail_from(BERT, HOME));
    pass(&house, 2 * 60 * 60 - 1);
    // A login during a brownout counts when it is over.
    house.fetch(AIKO, HOME);
    refused(&open.ask(MAIL), suspended);
    pass(&house, 1);
    open.expect(MAIL, "250");
    open.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&open.message(AIKO));
    // Wednesday has none; Thursday has one again.
    for (days, refuses) in [(1, false), (1, true), (1, false)] {
        pass(&house, days * 24 * 60 * 60 - 60 * 60);
        house.fetch(AIKO, HOME);
        let reply = house.mail_from(AIKO, HOME);
        assert_eq!(reply.contains("is suspended until 2026-11-26 12:00"), refuses, "{reply}");
        assert_eq!(reply.starts_with("250"), !refuses, "{reply}");
        pass(&house, 60 * 60);
    }
}

#[test]
fn a_brownout_can_refuse_for_the_time_being() {
    let schedule = BROWNOUTS.replace(
        "brownout_windows = [{ days = [\"tue\", \"thu\"], from = \"10:00\", to = \"12:00\" }]",
        "brownout_share = [100]",
    );
    let text = format!("reply.brownout = \"temporary\"\n{}", file(&schedule));
    let plan = Plan { begins: "2026-12-14T21:30:00Z", ..Plan::default() };
    let house = House::start(plan.with_bridge(&text));
    house.fetch(AIKO, HOME);
    let reply = house.mail_from(AIKO, HOME);
    let first = "450-4.7.0 Sending without authentication is suspended until 2026-12-14 23:00 \
                 (Europe/Berlin). This way of sending ends on 2026-12-15 (Europe/Berlin).";
    assert!(reply.starts_with(first), "{reply}");
    tells_the_remedy(&reply);
    // From the last hour it goes over into the end, which is for good.
    pass(&house, 60 * 60);
    let reply = house.mail_from(AIKO, HOME);
    assert!(reply.starts_with(
        "450-4.7.0 Sending without authentication is suspended until 2026-12-15 (Eur"
    ));
    pass(&house, 30 * 60);
    refused(
        &house.mail_from(AIKO, HOME),
        "Sending without authentication ended on 2026-12-15 (Europe/Berlin).",
    );
}

const EXCEPTIONS: &str = r#"[schedule]
zone = "UTC"
[[schedule.cohort]]
name = "closed"
domains = ["closed.example"]
closed = 2026-09-01
[[schedule.cohort]]
name = "rest"
rest = true
[[schedule.extension]]
account = "clara@closed.example"
until = 2026-11-25
reason = "the copier is replaced on Tuesday"
[[schedule.early_closing]]
account = "bert@open.example"
from = 2026-11-24T23:55:00
reason = "the password was stolen"
"#;

#[test]
fn an_extension_is_honoured_to_its_end_and_an_early_closing_from_its_beginning() {
    let house = house("2026-11-24T23:50:00Z", EXCEPTIONS);
    for login in [AIKO, BERT, CLARA] {
        house.fetch(login, HOME);
        accepted(&house.send(login, HOME));
    }
    pass(&house, 5 * 60 - 1);
    accepted(&house.mail_from(BERT, HOME));
    pass(&house, 1);
    refused(
        &house.mail_from(BERT, HOME),
        "Sending without authentication has been closed for this account since 2026-11-24 23:55 \
         (UTC).",
    );
    pass(&house, 5 * 60 - 1);
    house.fetch(CLARA, HOME);
    accepted(&house.mail_from(CLARA, HOME));
    pass(&house, 1);
    refused(
        &house.mail_from(CLARA, HOME),
        "Sending without authentication ended on 2026-11-25 (UTC).",
    );
    accepted(&house.mail_from(AIKO, HOME));
}

#[test]
fn a_wall_clock_that_steps_moves_dates_and_not_grants() {
    let house = house("2026-11-30T14:50:00Z", DECEMBER);
    house.fetch(AIKO, HOME);
    pass(&house, 10 * 60);
    refused(&house.mail_from(AIKO, HOME), ENDED);
    // Somebody sets the clock back by an hour: the date has not come yet; the grant has aged.
    house.clock().step_wall("2026-11-30T14:00:00Z".parse().unwrap());
    accepted(&house.mail_from(AIKO, HOME));
    pass(&house, 10 * 60);
    assert!(house.mail_from(AIKO, HOME).starts_with("530-5.7.0 No authentication, and no mail"));
}

#[test]
fn without_dates_everybody_is_open_for_ever() {
    let house = House::start(Plan::default().with_bridge(SETTINGS));
    house.fetch(CLARA, HOME);
    pass(&house, 10 * 60);
    accepted(&house.send(CLARA, HOME));
    let off = SETTINGS.replace("enabled = true", "enabled = false");
    house.reload_bridge(&off).unwrap();
    assert!(house.mail_from(CLARA, HOME).starts_with("530 5.7.0 Authentication required"));
}
