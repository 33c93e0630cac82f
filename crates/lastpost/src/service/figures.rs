//! The figures of every room, for the status page and for metrics.

use auth::{Authenticator, Moment, UpgradeCounts};
use pop3d::Pop3d;
use relay::{HopState, HopStatus, RelayStats};
use spool::Spool;

use crate::control::Figure;

fn counter(name: &str, help: &'static str, value: u64) -> Figure {
    Figure::counter(name, help, value)
}

fn gauge(name: &str, help: &'static str, value: u64) -> Figure {
    Figure::gauge(name, help, value)
}

/// Passwords, hashes and attacks.
pub(super) fn of_auth(authenticator: &Authenticator, at: Moment) -> Vec<Figure> {
    let auth = authenticator.statistics();
    let mut figures = vec![
        counter("auth.attempts", "Logins tried", auth.attempts),
        counter("auth.succeeded", "Logins that succeeded", auth.succeeded),
        counter("auth.cached", "Logins that the cache of passwords answered", auth.cached),
        counter("auth.unknown", "Logins of nobody", auth.unknown),
        counter("auth.disabled", "Logins of disabled accounts", auth.disabled),
        counter("auth.wrong", "Wrong passwords of accounts", auth.wrong),
        counter("auth.busy", "Logins put off because too many waited", auth.busy),
        counter("auth.hashes", "Hashes computed", auth.hashes),
        counter("auth.delayed", "Answers held back after failures", auth.delayed),
        gauge("auth.waiting", "Logins that wait for a hash", auth.waiting),
    ];
    let outcomes = [
        ("accepted", auth.succeeded),
        ("unknown", auth.unknown),
        ("disabled", auth.disabled),
        ("wrong", auth.wrong),
        ("busy", auth.busy),
        ("unavailable", auth.unavailable),
        ("must-change", auth.must_change),
    ];
    figures.extend(outcomes.map(|(outcome, value)| {
        counter("auth.outcomes", "Logins by what became of them", value)
            .labelled("outcome", outcome)
    }));
    figures.extend([
        counter("auth.repeated", "Failures that repeated an earlier one", auth.repeated),
        counter("auth.displaced", "Logins that gave their place to others", auth.displaced),
        gauge("auth.hash_memory_peak", "Most KiB that hashes took together", auth.memory_peak),
        gauge("auth.blocked_networks", "Networks blocked now", authenticator.blocks_holding(at)),
        counter("auth.blocks", "Networks blocked here so far", auth.blocks),
        counter("auth.sprayings", "Of these, for password spraying", auth.sprayings),
        counter("auth.blocked", "Logins from blocked networks", auth.blocked),
        counter("auth.attacked", "Accounts found attacked from many networks", auth.attacked),
        counter("auth.attacked_refused", "Strangers put off there", auth.attacked_refused),
    ]);
    figures.extend(authenticator.upgrades().into_iter().flat_map(of_upgrades));
    figures
}

/// Hashes replaced after a login, where `auth.upgrade_to` is set.
fn of_upgrades(upgrades: UpgradeCounts) -> [Figure; 4] {
    let outcomes = [
        ("upgraded", upgrades.upgraded),
        ("overtaken", upgrades.overtaken),
        ("failed", upgrades.failed),
        ("skipped", upgrades.skipped),
    ];
    outcomes.map(|(outcome, value)| {
        let help = "Old password hashes by what became of their replacement";
        counter("auth.upgrades", help, value).labelled("outcome", outcome)
    })
}

/// Failures shared with other daemons and hosts.
pub(super) fn of_share(share: &auth_share::ShareStatistics) -> Vec<Figure> {
    vec![
        counter("auth_share.told_daemon", "Events told to the other daemon", share.told_daemon),
        counter("auth_share.told_hosts", "Events told to other hosts", share.told_hosts),
        counter("auth_share.lost", "Events that nobody was told of", share.lost),
        counter("auth_share.heard", "Events heard from others", share.heard),
        counter("auth_share.malformed", "Messages that were none of ours", share.malformed),
        counter("auth_share.failures", "Failures of the server", share.failures),
        gauge("auth_share.connected", "Whether the server answers", u64::from(share.connected)),
    ]
}

/// The POP3 daemon.
pub(super) fn of_pop3(pop3: &Pop3d) -> Vec<Figure> {
    let pop3d = pop3.statistics();
    let sessions = pop3.gate().counts().sessions as u64;
    vec![
        gauge("pop3.sessions", "Sessions that are open", sessions),
        counter("pop3.logins", "Logins that reached their maildrop", pop3d.logins),
        counter("pop3.in_use", "Logins that found the maildrop in use", pop3d.in_use),
        counter("pop3.taken_over", "Idle sessions that a new login ended", pop3d.taken_over),
        counter("pop3.too_soon", "Logins that came too soon", pop3d.too_soon),
        counter("pop3.too_many", "Logins beyond the sessions of an account", pop3d.too_many),
        counter("pop3.unavailable", "Logins to unreadable maildrops", pop3d.unavailable),
        counter("pop3.retrieved", "Messages sent whole", pop3d.retrieved),
        counter("pop3.tops", "Answers to TOP", pop3d.tops),
        counter("pop3.octets", "Octets of messages sent", pop3d.octets),
        counter("pop3.unreadable", "Messages that could not be read", pop3d.unreadable),
        counter("pop3.removed", "Messages removed by QUIT", pop3d.removed),
        counter("pop3.failed_updates", "QUITs that removed less than asked", pop3d.failed_updates),
        counter("pop3.expired", "Messages removed because of their age", pop3d.expired),
    ]
}

/// The submission daemon.
pub(super) fn of_submission(submission: &submissiond::Observer) -> Vec<Figure> {
    let taken = submission.statistics();
    let sessions = submission.gate().counts().sessions as u64;
    let octets = taken.octets_accepted;
    vec![
        gauge("submission.sessions", "Sessions that are open", sessions),
        counter("submission.logins", "SMTP AUTH that succeeded", taken.logins),
        counter("submission.logins_denied", "SMTP AUTH that was denied", taken.logins_denied),
        counter("submission.senders_permitted", "MAIL permitted", taken.senders_permitted),
        counter("submission.senders_refused", "MAIL refused", taken.senders_refused),
        counter("submission.recipients_refused", "RCPT refused", taken.recipients_refused),
        counter("submission.accepted", "Messages taken, on disk", taken.messages_accepted),
        counter("submission.octets", "Octets of messages taken", octets),
        counter("submission.refused", "Messages received and refused", taken.messages_refused),
        counter("submission.held", "Messages taken and held for review", taken.messages_held),
        counter("submission.discarded", "Messages dropped in silence", taken.messages_discarded),
    ]
}

/// The queue.
pub(super) fn of_spool(spool: &Spool) -> Vec<Figure> {
    let stats = spool.stats();
    vec![
        gauge("spool.queued", "Messages in the queue", stats.queued),
        gauge("spool.held", "Messages that are held", stats.held),
        gauge("spool.in_delivery", "Messages being delivered", stats.in_delivery),
        gauge("spool.segments", "Files of the log", stats.segments),
        gauge("spool.live_octets", "Octets of the log that are needed", stats.live_octets),
        counter("spool.batches", "Flushes of the log", stats.batches),
        counter("spool.records", "Records of the log", stats.records),
        counter("spool.failures", "Flushes of the log that failed", stats.failures),
        gauge("spool.unsaved", "Outcomes that are not on disk yet", stats.unsaved),
        gauge("spool.full", "Whether mail is refused for lack of room", u64::from(stats.full)),
    ]
}

/// Delivery.
pub(super) fn of_relay(relay: &RelayStats) -> Vec<Figure> {
    let tried = relay.connections.get();
    vec![
        counter("relay.relayed", "Recipients handed to a next hop", relay.relayed.get()),
        counter("relay.delivered", "Recipients delivered here", relay.delivered.get()),
        counter("relay.deferred", "Attempts that failed for the time being", relay.deferred.get()),
        counter("relay.failed", "Recipients refused for good", relay.failed.get()),
        counter("relay.expired", "Recipients given up because of age", relay.expired.get()),
        counter("relay.reports", "Reports of failures to senders", relay.reports.get()),
        counter("relay.delay_reports", "Reports of delays to senders", relay.delay_reports.get()),
        counter("relay.success_reports", "Reports of success", relay.success_reports.get()),
        counter("relay.converted", "Messages converted for a next hop", relay.converted.get()),
        counter("relay.unreported", "Failures that nobody was told of", relay.unreported.get()),
        counter("relay.connections", "Connections to next hops", tried),
        counter("relay.connections_failed", "Failed connections", relay.connections_failed.get()),
        counter("relay.ambiguous", "Transfers without an answer", relay.ambiguous.get()),
        gauge("relay.in_flight", "Messages being delivered", relay.in_flight.get()),
        gauge("relay.connections_open", "Connections that are open", relay.connections_open.get()),
    ]
}

/// Destinations that are told apart in metrics.
const HOPS_MAX: usize = 200;

/// Each destination: those of the configuration, and the busiest of the others.
pub(super) fn of_hops(relay: &RelayStats) -> Vec<Figure> {
    type Value = fn(&HopStatus) -> u64;
    const COUNTERS: [(&str, &str, Value); 5] = [
        ("hop.delivered", "Recipients handed to a destination", |hop| hop.delivered),
        ("hop.deferred", "Attempts at a destination that failed for now", |hop| hop.deferred),
        ("hop.failed", "Recipients that a destination refused for good", |hop| hop.failed),
        ("hop.connections", "Connections to a destination", |hop| hop.connections),
        ("hop.connections_failed", "Its failed connections", |hop| hop.connections_failed),
    ];
    const GAUGES: [(&str, &str, Value); 5] = [
        ("hop.queued", "Messages in memory for a destination", |hop| hop.queued),
        ("hop.in_line", "Messages in the spool that wait for it", |hop| hop.in_line),
        ("hop.connections_open", "Connections that are open to it", |hop| hop.connections_open),
        ("hop.connections_allowed", "Connections it bears", |hop| hop.connections_allowed),
        ("hop.up", "Whether it takes mail", |hop| u64::from(hop.state == HopState::Up)),
    ];
    let hops = relay.destinations(HOPS_MAX);
    let all = |figure: fn(&str, &'static str, u64) -> Figure,
               of: &[(&str, &'static str, Value)]| {
        let of_each = |(name, help, value): &(&str, &'static str, Value)| -> Vec<Figure> {
            let one = |hop: &HopStatus| figure(name, help, value(hop)).labelled("hop", &*hop.name);
            hops.iter().map(one).collect()
        };
        of.iter().flat_map(of_each).collect::<Vec<_>>()
    };
    let mut figures = all(counter, &COUNTERS);
    figures.extend(all(gauge, &GAUGES));
    figures
}

/// The filters.
pub(super) fn of_filters(filters: &filter::Filters) -> Vec<Figure> {
    let filter::Statistics { passed, refused, held, discarded, changed, failures } =
        filters.statistics();
    vec![
        counter("filter.passed", "Messages that all filters let pass", passed),
        counter("filter.refused", "Senders, recipients and messages refused", refused),
        counter("filter.held", "Messages held for review", held),
        counter("filter.discarded", "Messages dropped", discarded),
        counter("filter.changed", "Messages changed", changed),
        counter("filter.failures", "Questions that a filter could not be asked", failures),
    ]
}

/// Limits on senders.
pub(super) fn of_limits(limits: &limits::Limits) -> Vec<Figure> {
    let of = limits.statistics();
    vec![
        counter("limits.passed", "Messages that no limit was against", of.passed),
        counter("limits.logged", "Messages over a limit that only logs", of.logged),
        counter("limits.held", "Messages held for review", of.held),
        counter("limits.deferred", "Steps deferred", of.deferred),
        counter("limits.suspended", "Accounts suspended by a limit", of.suspended),
        counter(
            "limits.shared_failures",
            "Questions the shared counters missed",
            of.shared_failures,
        ),
        gauge("limits.sharing", "Whether the shared counters answer", u64::from(of.sharing)),
        gauge("limits.accounts", "Accounts that are counted", of.accounts),
        gauge("limits.addresses", "Client addresses that are counted", of.addresses),
        gauge("limits.suspensions", "Accounts that may not send", of.suspensions),
    ]
}
