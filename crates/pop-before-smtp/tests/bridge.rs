//! The bridge as the daemons see it: order of the consult, quotas, brownouts, reload, ledger.

#![allow(clippy::unwrap_used, reason = "a test")]

mod kit;

use std::time::Duration;

use auth::Clock;
use kit::{ELSEWHERE, HOME, Provider, SCHEDULE};
use phaseout::{Access, Filter, Outcome, Phase, Reliance, Severity, Use};
use pop_before_smtp::{BridgeConfig, NotPublished, Published, ReloadError, Revocation};

#[test]
fn a_session_that_authenticated_or_failed_to_never_consults() {
    let isp = Provider::with("quota.messages = 1");
    isp.fetch("alice@open.example", HOME);
    // Authenticated: smtp-auth decides, and the grant's one message is not touched.
    let login = isp.login("bob@open.example", HOME);
    for _ in 0..3 {
        let permit = isp.mail_with(&login, "bob@open.example", HOME);
        assert_eq!(permit.unwrap().authority(), "smtp-auth");
        let foreign = isp.mail_with(&login, "alice@open.example", HOME);
        assert_eq!((foreign.unwrap_err().code), 550);
    }
    // Failed: no fall-back, whichever of the two is asked first.
    let failed = isp.mail_as("alice@open.example", HOME, |a| a.failed_auth = true);
    assert_eq!(failed.unwrap_err().reason, "auth-failed-before");
    let bridge_alone = auth::Chain::new(vec![isp.bridge.clone() as _], Vec::new());
    let provider = Provider { chain: bridge_alone, ..isp };
    let failed = provider.mail_as("alice@open.example", HOME, |a| a.failed_auth = true);
    assert_eq!(failed.unwrap_err().reason, "no-authority");
    // The grant is as it was.
    let permit = provider.mail("alice@open.example", HOME).unwrap();
    assert_eq!(permit.authority(), "pop-before-smtp");
}

#[test]
fn a_bridge_that_is_off_has_no_opinion() {
    let isp = Provider::with_file(SCHEDULE);
    assert_eq!(isp.fetch("alice@open.example", HOME), Published::Not(NotPublished::Disabled));
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-authority");
    assert!(isp.bridge.recorder().ledger().is_none());
}

#[test]
fn brownouts_refuse_at_mail_by_the_wall_clock() {
    let isp = Provider::with("");
    assert_eq!(isp.fetch("bob@brown.example", HOME), Published::New);
    let refusal = isp.mail("bob@brown.example", HOME).unwrap_err();
    assert_eq!((refusal.code, refusal.reason), (530, "brownout"));
    assert!(refusal.text.starts_with(
        "Sending without authentication is suspended until 2027-02-20 14:00 (UTC). This way of \
         sending ends on 2027-04-01 (UTC)."
    ));
    // Also where he did not fetch: fetching would not help.
    assert_eq!(isp.outcome("bob@brown.example", ELSEWHERE), "brownout");
    isp.pass(2 * 3600 - 1);
    isp.fetch("bob@brown.example", HOME);
    assert_eq!(isp.outcome("bob@brown.example", HOME), "brownout");
    isp.pass(1);
    assert_eq!(isp.outcome("bob@brown.example", HOME), "allowed");
    assert_eq!(isp.outcome("bob@brown.example", ELSEWHERE), "no-grant");

    let soft = Provider::with("reply.brownout = \"temporary\"");
    soft.fetch("bob@brown.example", HOME);
    let refusal = soft.mail("bob@brown.example", HOME).unwrap_err();
    assert_eq!((refusal.code, refusal.enhanced), (450, "4.7.0"));
}

#[test]
fn the_flip_needs_no_restart_and_no_reload() {
    let isp = Provider::with("");
    isp.clock.step_wall("2027-02-28T23:59:00Z".parse().unwrap());
    isp.fetch("alice@notice.example", HOME);
    isp.pass(59);
    isp.send("alice@notice.example", HOME).unwrap();
    isp.pass(1);
    let refusal = isp.mail("alice@notice.example", HOME).unwrap_err();
    assert_eq!(refusal.reason, "closed");
    assert!(refusal.text.contains("ended on 2027-03-01 (UTC)"));
    assert_eq!(isp.fetch("alice@notice.example", HOME), Published::Not(NotPublished::Closed));
}

#[test]
fn a_step_of_the_wall_clock_neither_prolongs_nor_ends_a_grant() {
    let isp = Provider::with("");
    isp.fetch("alice@open.example", HOME);
    isp.clock.step_wall("2026-06-01T00:00:00Z".parse().unwrap());
    isp.pass(1199);
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    isp.clock.step_wall("2026-05-01T00:00:00Z".parse().unwrap());
    isp.pass(1);
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-grant");
    isp.fetch("alice@open.example", HOME);
    isp.clock.step_wall("2028-06-01T00:00:00Z".parse().unwrap());
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
}

#[test]
fn the_order_of_the_reasons() {
    let isp = Provider::with(
        "sharing.accounts_per_address = 1\nsharing.helo_pin = true\nquota.messages = 1\n\
         excluded = [\"192.0.2.1\"]",
    );
    // Everything is wrong with brown; one after the other is put right.
    isp.fetch("bob@brown.example", HOME);
    isp.fetch("alice@open.example", HOME);
    let mail = |client: &str, sender: &str, helo: &'static str| {
        isp.mail_as(sender, client, |attempt| attempt.helo = helo)
    };
    let reason = |client: &str, sender: &str, helo| mail(client, sender, helo).unwrap_err().reason;
    assert_eq!(reason("192.0.2.1", "", "x"), "excluded-network");
    assert_eq!(reason(ELSEWHERE, "", "x"), "no-grant");
    assert_eq!(reason(HOME, "", "x"), "null-sender");
    assert_eq!(reason(HOME, "carol@open.example", "x"), "sender-not-owned");
    assert_eq!(reason(HOME, "bob@brown.example", "x"), "brownout");
    isp.pass(2 * 3600);
    isp.fetch("bob@brown.example", HOME);
    isp.fetch("alice@open.example", HOME);
    assert_eq!(reason(HOME, "bob@brown.example", "x"), "shared-address");
    isp.bridge.revoke(&Revocation::Account("alice@open.example".parse_key()));
    let permit = mail(HOME, "bob@brown.example", "x").unwrap();
    isp.settle(&permit, true, 1);
    assert_eq!(reason(HOME, "bob@brown.example", "other"), "helo-changed");
    assert_eq!(reason(HOME, "bob@brown.example", "x"), "message-quota");
}

trait ParseKey {
    fn parse_key(&self) -> address::AccountKey;
}

impl ParseKey for str {
    fn parse_key(&self) -> address::AccountKey {
        address::AccountKey::parse(self, None).unwrap()
    }
}

#[test]
fn quotas_hold_for_what_is_under_way() {
    let isp = Provider::with(
        "quota.messages = 4\nquota.recipients = 10\nquota.recipients_per_message = 6",
    );
    isp.fetch("alice@open.example", HOME);
    let first = isp.mail("alice@open.example", HOME).unwrap();
    let second = isp.mail("alice@open.example", HOME).unwrap();
    assert_eq!((first.recipients_max(), second.recipients_max()), (Some(6), Some(4)));
    let third = isp.mail("alice@open.example", HOME).unwrap_err();
    assert_eq!((third.code, third.enhanced, third.reason), (450, "4.7.1", "recipient-quota"));
    assert!(third.text.contains("10 recipients within 20 minutes"));
    // The first is given up, the second had two recipients.
    isp.settle(&first, false, 0);
    isp.settle(&second, true, 2);
    for _ in 0..3 {
        isp.send("alice@open.example", HOME).unwrap();
    }
    let fifth = isp.mail("alice@open.example", HOME).unwrap_err();
    assert_eq!(fifth.reason, "message-quota");
    assert_eq!(isp.bridge.counts().accepted, 4);
    assert_eq!(isp.bridge.open_transactions(), 0);
    // A settlement that comes twice changes nothing.
    isp.settle(&second, false, 0);
    assert_eq!(isp.outcome("alice@open.example", HOME), "message-quota");
}

#[test]
fn an_account_that_lost_an_address_or_was_disabled_loses_the_grant() {
    // The table of accounts changes under a live grant: another directory, same window.
    let folder = tempfile::tempdir().unwrap();
    let passwd = folder.path().join("passwd");
    let write = |extra: &str| {
        let line = format!("alice@open.example:{{PLAIN}}x::::/home/alice::{extra}\n");
        std::fs::write(&passwd, line).unwrap();
    };
    write("addresses=alice@open.example,sales@open.example");
    let config =
        auth::AccountsConfig { passwd_file: passwd.clone(), ..auth::AccountsConfig::default() };
    let directory = auth::Directory::load(&config).unwrap_or_else(|error| panic!("{error}"));
    let isp = Provider::with("");
    let config = BridgeConfig::load(&isp.file, None).unwrap();
    let bridge = std::sync::Arc::new(
        pop_before_smtp::Bridge::start(config, directory.clone(), isp.clock.now()).unwrap(),
    );
    let chain = auth::Chain::new(vec![bridge.clone() as _], Vec::new());
    let isp = Provider { bridge, chain, directory: directory.clone(), ..isp };
    isp.fetch("alice@open.example", HOME);
    assert_eq!(isp.outcome("sales@open.example", HOME), "allowed");
    write("addresses=alice@open.example");
    kit::reread(&directory);
    assert_eq!(isp.outcome("sales@open.example", HOME), "sender-not-owned");
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    write("disabled=yes");
    kit::reread(&directory);
    assert_eq!(isp.outcome("alice@open.example", HOME), "sender-not-owned");
}

#[test]
fn a_bad_file_leaves_the_old_one_in_force_and_says_why() {
    let isp = Provider::with("");
    isp.fetch("alice@open.example", HOME);
    let good = std::fs::read_to_string(&isp.file).unwrap();
    let reload_of = |text: &str| {
        std::fs::write(&isp.file, text).unwrap();
        isp.bridge.reload(isp.clock.now())
    };
    let said = |text: &str| reload_of(text).unwrap_err().to_string();
    let broken = said(&good.replace("closed = 2027-03-01", "closed = 2027-01-01"));
    assert!(broken.contains("`closed` (2027-01-01) does not come after `notice`"), "{broken}");
    assert!(broken.contains("pop-before-smtp.toml:"), "{broken}");
    let nobody = said(&good.replace("\"notice.example\"", "\"nobody.example\""));
    assert!(nobody.contains("the cohort `notice` takes none of the 70 accounts"), "{nobody}");
    assert!(said("enabled = maybe").contains("pop-before-smtp.toml:1:11"));
    std::fs::remove_file(&isp.file).unwrap();
    let missing = isp.bridge.reload(isp.clock.now()).unwrap_err();
    assert!(matches!(&missing, ReloadError::File(_)), "{missing}");
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    // A shorter window counts for grants that exist.
    isp.pass(600);
    let report = reload_of(&format!("window = \"10m\"\n{good}")).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].severity, Severity::Warning);
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-grant");
    // Switched off, it forgets; switched on again, it begins anew.
    isp.fetch("alice@open.example", HOME);
    reload_of(&good.replace("enabled = true", "enabled = false")).unwrap();
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-authority");
    reload_of(&good).unwrap();
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-grant");
}

#[test]
fn a_bridge_switched_on_by_reload_opens_its_ledger() {
    let isp = Provider::with_file(SCHEDULE);
    let enabled = format!("enabled = true\nledger.path = \"l.sqlite\"\n{SCHEDULE}");
    std::fs::write(&isp.file, enabled.replace("l.sqlite", "/nonexistent/l.sqlite")).unwrap();
    let error = isp.bridge.reload(isp.clock.now()).unwrap_err();
    assert!(matches!(error, ReloadError::Ledger(_)), "{error}");
    assert!(!isp.bridge.is_enabled());
    std::fs::write(&isp.file, enabled).unwrap();
    isp.bridge.reload(isp.clock.now()).unwrap();
    isp.fetch("alice@open.example", HOME);
    isp.send("alice@open.example", HOME).unwrap();
    let ledger = isp.bridge.recorder().ledger().unwrap();
    ledger.flush(Duration::from_secs(30)).unwrap();
    assert!(isp.folder().join("l.sqlite").exists());
    assert_eq!(ledger.usage(&Filter::default()).unwrap().accounts.len(), 1);
}

#[test]
fn the_ledger_has_every_use_and_every_refusal_of_a_known_customer() {
    let isp = Provider::with("");
    isp.fetch("alice@open.example", HOME);
    isp.fetch("bob@brown.example", HOME);
    isp.send("alice@open.example", HOME).unwrap();
    isp.send("sales@open.example", HOME).unwrap();
    // Given up: no use.
    let permit = isp.mail("alice@open.example", HOME).unwrap();
    isp.settle(&permit, false, 3);
    for (sender, client) in [
        ("bob@brown.example", HOME),
        ("carol@closed.example", ELSEWHERE),
        ("dave@open.example", ELSEWHERE),
        // Behind an address where others fetched: refused all the same, and counted.
        ("carol@closed.example", HOME),
        ("dave@open.example", HOME),
        // Strangers are in the log, not in the ledger: anybody can be one at any rate.
        ("stranger@elsewhere.example", ELSEWHERE),
        ("stranger@elsewhere.example", HOME),
    ] {
        isp.mail(sender, client).unwrap_err();
    }
    let recorder = isp.bridge.recorder();
    recorder.record(&Use {
        at: isp.clock.now().wall,
        client: HOME.parse().unwrap(),
        account: &"dave@notice.example".parse_key(),
        access: Access::Modern,
        method: "smtp-auth",
        helo: "phone",
        extended: true,
        outcome: Outcome::Allowed,
        sender: None,
    });
    let ledger = recorder.ledger().unwrap();
    ledger.flush(Duration::from_secs(30)).unwrap();
    let report = ledger.usage(&Filter::default()).unwrap();
    let lines: Vec<_> = report
        .accounts
        .iter()
        .map(|u| {
            (
                u.account.as_str(),
                &*u.cohort,
                u.phase,
                u.reliance,
                u.legacy.allowed,
                u.legacy.refused,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("alice@open.example", "open", Phase::Open, Reliance::LegacyOnly, 2, 0),
            ("bob@brown.example", "brown", Phase::Brownout, Reliance::RefusedOnly, 0, 1),
            ("carol@closed.example", "closed", Phase::Closed, Reliance::RefusedOnly, 0, 2),
            ("dave@notice.example", "notice", Phase::Notice, Reliance::ModernOnly, 0, 0),
            ("dave@open.example", "open", Phase::Open, Reliance::RefusedOnly, 0, 2),
        ]
    );
    assert_eq!(report.accounts[1].reasons, ["brownout"]);
    assert_eq!(report.accounts[2].reasons, ["closed"]);
    let mut reasons = report.accounts[4].reasons.clone();
    reasons.sort();
    assert_eq!(reasons, ["no-grant", "sender-not-owned"]);
}

#[test]
fn the_operator_lists_and_revokes() {
    let isp = Provider::with("sharing.helo_pin = true");
    isp.fetch("bob@open.example", HOME);
    isp.pass(300);
    isp.fetch("alice@open.example", HOME);
    isp.send("alice@open.example", HOME).unwrap();
    isp.fetch("alice@open.example", ELSEWHERE);
    let list = isp.bridge.grants(isp.clock.now(), 100);
    let lines: Vec<_> = list
        .grants
        .iter()
        .map(|g| {
            (g.address.to_string(), g.account.as_str(), g.until.to_string(), g.messages, g.pinned)
        })
        .collect();
    let (early, late) = ("2027-02-20T12:20:00Z".to_owned(), "2027-02-20T12:25:00Z".to_owned());
    assert_eq!(
        lines,
        [
            (HOME.to_owned(), "alice@open.example", late.clone(), 1, true),
            (HOME.to_owned(), "bob@open.example", early, 0, false),
            (ELSEWHERE.to_owned(), "alice@open.example", late, 0, false),
        ]
    );
    assert_eq!(list.grants[1].login.to_string(), "2027-02-20T12:00:00Z");
    let json = serde_json::to_value(&list).unwrap();
    assert_eq!(json["grants"][0]["address"], HOME);
    let few = isp.bridge.grants(isp.clock.now(), 2);
    assert!(few.truncated && few.grants.len() == 2);
    assert_eq!(isp.bridge.revoke(&Revocation::Account("alice@open.example".parse_key())), 2);
    assert_eq!(isp.bridge.revoke(&Revocation::Account("alice@open.example".parse_key())), 0);
    assert_eq!(isp.bridge.grants(isp.clock.now(), 100).grants.len(), 1);
    assert_eq!(isp.bridge.revoke(&Revocation::All), 1);
    assert_eq!(isp.bridge.counts().grants, 0);
}

#[test]
fn reloading_under_load_never_tears_a_decision() {
    let isp = Provider::with("");
    let good = std::fs::read_to_string(&isp.file).unwrap();
    // Either everything is open to alice, or she is closed since 2027-02-01.
    let closed = good.replace(
        "[[schedule.cohort]]\nname = \"open\"",
        "[[schedule.early_closing]]\naccount = \"alice@open.example\"\nfrom = 2027-02-01\n\
         reason = \"test\"\n[[schedule.cohort]]\nname = \"open\"",
    );
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut allowed, mut refused) = (0, 0);
                    while refused == 0 || allowed == 0 || allowed + refused < 20_000 {
                        isp.fetch("alice@open.example", HOME);
                        match isp.mail("alice@open.example", HOME) {
                            Ok(permit) => {
                                isp.settle(&permit, false, 0);
                                allowed += 1;
                            }
                            Err(refusal) if refusal.reason == "closed" => {
                                assert!(refusal.text.contains("since 2027-02-01 (UTC)"));
                                refused += 1;
                            }
                            // She was closed when she fetched, and open when she sent.
                            Err(refusal) => assert_eq!(refusal.reason, "no-grant"),
                        }
                    }
                })
            })
            .collect();
        for n in 0.. {
            if senders.iter().all(|sender| sender.is_finished()) {
                break;
            }
            std::fs::write(&isp.file, if n % 2 == 0 { &closed } else { &good }).unwrap();
            isp.bridge.reload(isp.clock.now()).unwrap();
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
    assert_eq!(isp.bridge.open_transactions(), 0);
}
