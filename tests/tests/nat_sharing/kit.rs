//! retire: whole file
//! A provider whose customers share addresses.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lastpost_tests::{Customer, House, Plan};

/// Open, with a second address.
pub(crate) const AIKO: &str = "aiko@open.example";
/// The second one.
pub(crate) const SALES: &str = "sales@open.example";
/// Open.
pub(crate) const BERT: &str = "bert@open.example";
/// Closed since September.
pub(crate) const CLARA: &str = "clara@closed.example";
/// Nobody's.
pub(crate) const STRANGER: &str = "spam@elsewhere.example";

/// An address that several people share.
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Another, where the control client is.
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

const SCHEDULE: &str = r#"
[schedule]
zone = "UTC"
[[schedule.cohort]]
name = "closed"
domains = ["closed.example"]
notice = 2026-05-01
closed = 2026-09-01
[[schedule.cohort]]
name = "open"
rest = true
"#;

/// The bridge's file with further `settings`, as keys of the top level. No network is excluded
/// unless they say so.
pub(crate) fn bridge(settings: &str) -> String {
    let excluded = if settings.contains("excluded") { "" } else { "excluded = []\n" };
    format!(
        "enabled = true\n{excluded}{settings}\nreply.help_url = \"https://help.isp.example/\"\n\
         ledger.path = \"state/ledger.sqlite\"\nsocket.path = \"state/grants.sock\"\n{SCHEDULE}"
    )
}

/// The usual customers, and a bridge with these settings.
pub(crate) fn house(settings: &str) -> House {
    House::start(Plan::default().with_bridge(&bridge(settings)))
}

/// The usual customers and `count` more, called `crowd0@open.example` and so on.
pub(crate) fn crowded(settings: &str, count: usize) -> House {
    let mut plan = Plan {
        pop3: "sessions_per_ip_max = 1000\n",
        submission: "sessions_per_ip_max = 1000\n",
        ..Plan::default()
    };
    for number in 0..count {
        // The process ends soon enough.
        let login = Box::leak(crowd(number).into_boxed_str());
        plan.customers.push(Customer { login, password: "crowd", aliases: &[] });
    }
    House::start(plan.with_bridge(&bridge(settings)))
}

/// One of the crowd.
pub(crate) fn crowd(number: usize) -> String {
    format!("crowd{number}@open.example")
}

/// Lets time pass.
pub(crate) fn pass(house: &House, seconds: u64) {
    house.clock().advance(Duration::from_secs(seconds));
}

/// The reply must be a refusal with these codes whose first line begins so, that tells the
/// remedy and where to read more.
#[track_caller]
pub(crate) fn refused(reply: &str, codes: &str, begins: &str) {
    let (code, enhanced) = codes.split_once(' ').unwrap();
    assert!(reply.starts_with(&format!("{code}-{enhanced} {begins}")), "{codes} {begins}: {reply}");
    for word in ["port 587 with STARTTLS or port 465", "https://help.isp.example/"] {
        assert!(reply.contains(word), "{word} is missing in {reply}");
    }
}

#[track_caller]
pub(crate) fn accepted(reply: &str) {
    assert!(reply.starts_with("250"), "{reply}");
}

/// Without a live grant at the address.
pub(crate) const NO_GRANT: &str = "No authentication, and no mail was fetched from your address within 20 minutes: fetch your \
     mail, then send again.";
/// With live grants at the address, of other accounts.
pub(crate) const NOT_OWNED: &str = "No authentication, and nobody who may send as this sender fetched mail from your address \
     within 20 minutes";
pub(crate) const EXCLUDED: &str = "From this network only SMTP authentication is accepted.";
pub(crate) const CLOSED: &str = "Sending without authentication ended on 2026-09-01 (UTC).";
pub(crate) const HELO_CHANGED: &str = "Another computer at your address has sent";
