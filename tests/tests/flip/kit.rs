//! retire: whole file
//! A provider with a schedule.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lastpost_tests::{House, Plan};

pub(crate) const AIKO: &str = "aiko@open.example";
pub(crate) const BERT: &str = "bert@open.example";
pub(crate) const CLARA: &str = "clara@closed.example";
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// What every file here begins with.
pub(crate) const SETTINGS: &str = "enabled = true\nexcluded = []\n\
     reply.help_url = \"https://help.isp.example/\"\nledger.path = \"state/ledger.sqlite\"\n\
     socket.path = \"state/grants.sock\"\n";

/// A file with this schedule; its first lines are `[schedule]` and the zone.
pub(crate) fn file(schedule: &str) -> String {
    format!("{SETTINGS}{schedule}")
}

/// A house with this schedule whose story begins at `begins`.
pub(crate) fn house(begins: &'static str, schedule: &str) -> House {
    House::start(Plan { begins, ..Plan::default() }.with_bridge(&file(schedule)))
}

pub(crate) fn pass(house: &House, seconds: u64) {
    house.clock().advance(Duration::from_secs(seconds));
}

/// The reply must be a refusal for good whose first line is this, that tells the remedy and
/// where to read more.
#[track_caller]
pub(crate) fn refused(reply: &str, first: &str) {
    assert!(reply.starts_with(&format!("530-5.7.0 {first}\n")), "{first}: {reply}");
    tells_the_remedy(reply);
}

/// What every refusal says after its first line.
#[track_caller]
pub(crate) fn tells_the_remedy(reply: &str) {
    for words in [
        "Switch on SMTP authentication for the outgoing server: port 587 with STARTTLS or port \
         465 with SSL/TLS,",
        "with the user name and password that fetch your mail.",
        "How to: https://help.isp.example/",
    ] {
        assert!(reply.contains(words), "{words} is missing in {reply}");
    }
}

#[track_caller]
pub(crate) fn accepted(reply: &str) {
    assert!(reply.starts_with("250"), "{reply}");
}
