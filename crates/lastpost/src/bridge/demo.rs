//! retire: whole file
//! The bridge's part of the demo: its file, and its lines of the walk-through.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::demo::installation::{DemoAccount, Installation};
use crate::demo::walkthrough::{Lines, Step, step};

/// Writes the bridge's file; the text to add to the legacy listener's authorities.
pub(crate) fn write_demo_config(directory: &Path, window: Duration) -> io::Result<String> {
    let text = format!(
        r#"# The bridge of the demo. retire: whole file
enabled = true
window = "{window}s"
# Everything here comes from loopback, which a real installation excludes.
excluded = ["127.0.0.9/32"]

[reply]
help_url = "https://help.lastpost.example/smtp-auth"

[ledger]
path = "state/ledger.sqlite"

[socket]
path = "state/grants.sock"

[schedule]
zone = "Asia/Tokyo"

# Already over: a POP3 login no longer lets these customers send.
[[schedule.cohort]]
name = "closed"
domains = ["closed.example"]
notice = 2026-05-01
brownout = 2026-07-01
brownout_share = [10]
closed = 2026-09-01

# Still honoured, and told of the end.
[[schedule.cohort]]
name = "notice"
domains = ["notice.example"]
notice = 2026-09-01
closed = 2099-03-31

# Not yet dated.
[[schedule.cohort]]
name = "open"
rest = true
"#,
        window = window.as_secs(),
    );
    std::fs::write(directory.join(super::FILE), text)?;
    Ok(format!(", \"{}\"", pop_before_smtp::NAME))
}

/// The story of the three customers.
pub(crate) fn demo_steps(installation: &Installation, lines: &Lines<'_>) -> Vec<Step> {
    let open = installation.in_cohort("open");
    let notice = installation.in_cohort("notice");
    let closed = installation.in_cohort("closed");
    vec![
        step(
            "Olivia has just fetched: for 20 minutes she may send without a password.",
            without_password(installation, open, "127.0.0.1"),
            "250 2.0.0",
        ),
        step(
            "A neighbour with another address is not let in, though he names her as the sender.",
            without_password(installation, open, "127.0.0.2"),
            "530 5.7.0",
        ),
        step(
            "Naoko's cohort has been told of the end, and still may. She fetches …",
            lines.pop3(notice, ""),
            "1 ",
        ),
        step("… and sends.", without_password(installation, notice, "127.0.0.1"), "250 2.0.0"),
        step("Clara's cohort is closed. She fetches as ever …", lines.pop3(closed, ""), "1 "),
        step(
            "… and is told since when, and what to switch on.",
            without_password(installation, closed, "127.0.0.1"),
            "530 5.7.0",
        ),
        step("Who may send right now?", lines.lastpost("grants list"), "olivia@open.example"),
        step(
            "Why may Clara not?",
            lines.lastpost("phaseout show --account clara@closed.example"),
            "closed",
        ),
        step("Who still relies on it?", lines.lastpost("phaseout who"), "olivia@open.example"),
    ]
}

/// curl sends without a password on the legacy port, from a local address.
fn without_password(installation: &Installation, account: &DemoAccount, from: &str) -> String {
    format!(
        "curl -sS -v --url smtp://127.0.0.1:{} --interface {from} --mail-from {} \
         --mail-rcpt friend@elsewhere.example --upload-file {} 2>&1 | grep '^<'",
        installation.ports().legacy,
        account.addresses[0],
        installation.letter_file(account).display()
    )
}
