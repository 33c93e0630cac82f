//! What `MAIL` asks about the delivery, as it is stored.

use jiff::{SignedDuration, Timestamp};
use smtp_proto::server::{Hold, MailRequest, Reply};
use spool::{DeliverBy, Wishes};

use crate::checks::Refused;

/// What is to be kept back for longer than it may take.
pub(super) const CONTRADICTION: Refused = Refused {
    reply: Reply::fixed(
        501,
        "5.5.4",
        "The message would be released after the time by which it is to be delivered",
    ),
    reason: "released-too-late",
};

/// The wishes of `request`, which came at `at`, but for who submitted it. `None`: the message would be released (RFC 4865)
/// when it is late already (RFC 2852).
pub(super) fn of(request: &MailRequest, at: Timestamp) -> Option<Wishes> {
    let hold_until = match request.hold {
        None => None,
        Some(Hold::For(seconds)) => later(at, seconds.into()),
        // What has passed by now holds nothing back.
        Some(Hold::Until(second)) => {
            Timestamp::from_second(second).ok().filter(|&until| until > at)
        }
    };
    let deliver_by = request.by.and_then(|by| {
        let (mode, trace) = (by.mode, by.trace);
        later(at, by.seconds).map(|at| DeliverBy { at, mode, trace })
    });
    if let (Some(release), Some(by)) = (hold_until, deliver_by)
        && release >= by.at
    {
        return None;
    }
    Some(Wishes {
        ret: request.ret,
        envid: request.envid.clone(),
        hold_until,
        deliver_by,
        require_tls: request.require_tls,
        tls_optional: false,
        submitter: None,
    })
}

/// `at` and so many seconds; `None` beyond what a clock can show.
fn later(at: Timestamp, seconds: i64) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_secs(seconds)).ok()
}
