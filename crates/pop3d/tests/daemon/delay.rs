//! LOGIN-DELAY: how often an account may log in.

use std::sync::Arc;
use std::time::Duration;

use auth::{AccountPolicy, ManualClock};

use crate::counting::Counting;
use crate::kit::{Client, Daemon, Setup};

const SECOND: Duration = Duration::from_secs(1);

struct House {
    daemon: Daemon,
    clock: Arc<ManualClock>,
    told: Arc<Counting>,
}

/// One login a minute, for all but `often`, for whom there is no delay, and `seldom`, who has
/// an hour.
fn house(change: impl FnOnce(&mut Setup)) -> House {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.account("often", "secret");
    setup.agree(AccountPolicy { login_delay: Some(Duration::ZERO), ..AccountPolicy::default() });
    setup.account("seldom", "secret");
    setup.agree(AccountPolicy { login_delay: Some(SECOND * 3600), ..AccountPolicy::default() });
    let clock = Arc::new(ManualClock::new("2026-11-24T12:00:00Z".parse().unwrap()));
    let told = Arc::new(Counting::default());
    setup.clock = Arc::<ManualClock>::clone(&clock);
    setup.observers = vec![Arc::<Counting>::clone(&told)];
    setup.config.maildrop.login_delay = SECOND * 60;
    setup.config.errors_max = 20;
    change(&mut setup);
    House { daemon: setup.start(), clock, told }
}

impl House {
    /// A whole session, or the reply that refuses it.
    fn visit(&self, login: &str) -> Result<(), String> {
        let mut client = self.daemon.greeted();
        let reply = try_login(&mut client, login, "secret");
        if reply.starts_with("+OK") {
            client.ask("QUIT", "+OK");
            return Ok(());
        }
        Err(reply)
    }
}

fn try_login(client: &mut Client, login: &str, password: &str) -> String {
    client.ask(&format!("USER {login}"), "+OK");
    client.ask(&format!("PASS {password}"), "")
}

#[test]
fn too_soon_is_told_by_its_code_and_is_no_login() {
    let house = house(|_| {});
    house.visit("aiko").unwrap();
    let reply = house.visit("aiko").unwrap_err();
    assert!(reply.starts_with("-ERR [LOGIN-DELAY] "), "{reply}");
    // fetchmail looks for this word as well.
    assert!(reply.contains("wait"), "{reply}");
    assert_eq!(house.told.told().len(), 1, "it was told of a login that was none");
    let statistics = house.daemon.pop3d.statistics();
    assert_eq!((statistics.too_soon, statistics.logins), (1, 1));
    house.clock.advance(SECOND * 59);
    house.visit("aiko").unwrap_err();
    house.clock.advance(SECOND);
    house.visit("aiko").unwrap();
    // A clock on the wall that is set back does not matter.
    house.clock.step_wall("2020-01-01T00:00:00Z".parse().unwrap());
    house.clock.advance(SECOND * 60);
    house.visit("aiko").unwrap();
}

#[test]
fn it_says_nothing_about_a_password() {
    let house = house(|_| {});
    let wrong = |login: &str| {
        let mut client = house.daemon.greeted();
        try_login(&mut client, login, "wrong")
    };
    let (fresh, nobody) = (wrong("aiko"), wrong("nobody"));
    house.visit("aiko").unwrap();
    house.visit("aiko").unwrap_err();
    // While the delay runs, a wrong password reads as before, and does not touch the bucket.
    for _ in 0..10 {
        assert_eq!(wrong("aiko"), fresh);
        assert_eq!(wrong("nobody"), nobody);
    }
    assert!(fresh.starts_with("-ERR [AUTH] "));
    house.clock.advance(SECOND * 60);
    for _ in 0..10 {
        wrong("aiko");
    }
    house.visit("aiko").unwrap();
}

#[test]
fn a_refusal_costs_nothing_and_does_not_end_the_session() {
    let house = house(|setup| setup.config.errors_max = 2);
    house.visit("aiko").unwrap();
    let mut client = house.daemon.greeted();
    for _ in 0..10 {
        let reply = try_login(&mut client, "aiko", "secret");
        assert!(reply.starts_with("-ERR [LOGIN-DELAY] "), "{reply}");
    }
    house.clock.advance(SECOND * 60);
    assert!(try_login(&mut client, "aiko", "secret").starts_with("+OK"));
}

#[test]
fn accounts_have_agreements_of_their_own() {
    let house = house(|_| {});
    for _ in 0..5 {
        house.visit("often").unwrap();
    }
    house.visit("seldom").unwrap();
    house.clock.advance(SECOND * 3599);
    house.visit("seldom").unwrap_err();
    house.clock.advance(SECOND);
    house.visit("seldom").unwrap();
}

#[test]
fn a_burst_is_let_in_and_the_rate_holds() {
    let house = house(|setup| setup.config.maildrop.login_burst = 3);
    for _ in 0..3 {
        house.visit("aiko").unwrap();
    }
    house.visit("aiko").unwrap_err();
    house.clock.advance(SECOND * 60);
    house.visit("aiko").unwrap();
    house.visit("aiko").unwrap_err();
}

#[test]
fn a_login_that_finds_the_maildrop_in_use_is_not_counted() {
    let house = house(|setup| {
        setup.config.maildrop.login_burst = 2;
        setup.config.maildrop.lock_wait = Duration::ZERO;
    });
    let mut first = house.daemon.logged_in("aiko", "secret");
    for _ in 0..5 {
        let reply = house.visit("aiko").unwrap_err();
        assert!(reply.starts_with("-ERR [IN-USE] "), "{reply}");
    }
    first.ask("QUIT", "+OK");
    house.visit("aiko").unwrap();
    assert!(house.visit("aiko").unwrap_err().contains("[LOGIN-DELAY]"));
}

#[test]
fn many_at_once_get_as_many_logins_as_there_are() {
    let house = house(|setup| {
        setup.config.maildrop.login_burst = 5;
        setup.config.maildrop.lock_wait = crate::kit::LONG;
        setup.config.maildrop.sessions_per_account_max = 100;
    });
    let visits: Vec<_> = std::thread::scope(|scope| {
        let visits: Vec<_> = (0..30).map(|_| scope.spawn(|| house.visit("aiko"))).collect();
        visits.into_iter().map(|visit| visit.join().unwrap()).collect()
    });
    assert_eq!(visits.iter().filter(|visit| visit.is_ok()).count(), 5);
    for refused in visits.into_iter().filter_map(Result::err) {
        assert!(refused.starts_with("-ERR [LOGIN-DELAY] "), "{refused}");
    }
    assert_eq!(house.told.told().len(), 5);
}

fn capability(client: &mut Client, name: &str) -> Option<String> {
    client.ask("CAPA", "+OK");
    let lines = client.listing().into_iter().map(|line| String::from_utf8(line).unwrap());
    lines.into_iter().find(|line| line.split(' ').next() == Some(name))
}

#[test]
fn capa_says_what_holds() {
    let house = house(|_| {});
    let mut client = house.daemon.greeted();
    // Before it is known who it is: the longest, and that it differs.
    let before = capability(&mut client, "LOGIN-DELAY");
    assert_eq!(before.as_deref(), Some("LOGIN-DELAY 3600 USER"));
    assert_eq!(capability(&mut client, "EXPIRE").as_deref(), Some("EXPIRE NEVER"));
    client.log_in("aiko", "secret");
    assert_eq!(capability(&mut client, "LOGIN-DELAY").as_deref(), Some("LOGIN-DELAY 60"));
    let mut often = house.daemon.logged_in("often", "secret");
    assert_eq!(capability(&mut often, "LOGIN-DELAY"), None);
    assert_eq!(capability(&mut often, "EXPIRE").as_deref(), Some("EXPIRE NEVER"));
}

#[test]
fn without_a_delay_none_is_announced_and_with_one_for_all_no_user() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.retention.after_arrival = auth::RetentionDays::Days(365);
    setup.config.retention.after_retrieval = auth::RetentionDays::Days(30);
    let daemon = setup.start();
    let mut client = daemon.greeted();
    assert_eq!(capability(&mut client, "LOGIN-DELAY"), None);
    assert_eq!(capability(&mut client, "EXPIRE").as_deref(), Some("EXPIRE 30"));

    let mut setup = Setup::aiko(&[b"x\n"]);
    let forever = Some(auth::RetentionDays::Never);
    setup.agree(AccountPolicy { expire_after_retrieval: forever, ..AccountPolicy::default() });
    setup.config.retention.after_retrieval = auth::RetentionDays::Days(30);
    setup.config.maildrop.login_delay = SECOND * 10;
    let daemon = setup.start();
    let mut client = daemon.greeted();
    assert_eq!(capability(&mut client, "LOGIN-DELAY").as_deref(), Some("LOGIN-DELAY 10"));
    assert_eq!(capability(&mut client, "EXPIRE").as_deref(), Some("EXPIRE 30 USER"));
    client.log_in("aiko", "secret");
    assert_eq!(capability(&mut client, "EXPIRE").as_deref(), Some("EXPIRE NEVER"));
}
