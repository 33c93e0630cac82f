//! Seats, claims and takeovers, without a network.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use address::AccountKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Full, Occupancy, Seat, Taker, Tenure};

const MINUTE: Duration = Duration::from_secs(60);

fn taker(last: u8) -> Taker {
    Taker { client: IpAddr::from([192, 0, 2, last]), after: MINUTE }
}

fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, None).unwrap()
}

/// Everybody of one account.
struct House {
    occupancy: Arc<Occupancy>,
    end: Arc<Notify>,
}

impl House {
    fn new() -> Self {
        Self { occupancy: Arc::new(Occupancy::default()), end: Arc::new(Notify::new()) }
    }

    fn enter(&self, most: u32) -> Result<Seat, Full> {
        self.occupancy.enter(&key("aiko"), most, &taker(1), Instant::now())
    }

    fn serving(&self) -> Tenure {
        let tenure = self.enter(9).unwrap().hold(taker(1).client, &self.end).unwrap();
        tenure.serve();
        tenure
    }
}

async fn is_ended(end: &Notify) -> bool {
    tokio::time::timeout(Duration::ZERO, end.notified()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn seats_are_counted_and_come_back() {
    let house = House::new();
    let first = house.enter(2).unwrap();
    let _second = house.enter(2).unwrap();
    assert_eq!(house.enter(2).unwrap_err(), Full);
    drop(first);
    let third = house.enter(2).unwrap();
    let other = house.occupancy.enter(&key("bea"), 1, &taker(1), Instant::now()).unwrap();
    assert_eq!(house.occupancy.accounts(), 2);
    drop((other, third, _second));
    assert_eq!(house.occupancy.accounts(), 0, "nobody is there, nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn one_has_it_and_the_next_gets_it_when_it_is_free() {
    let house = House::new();
    let tenure = house.serving();
    let (seat, holder) = house.enter(9).unwrap().hold(taker(2).client, &house.end).unwrap_err();
    let waiting = tokio::spawn(async move {
        holder.freed(Instant::now() + MINUTE).await;
        Instant::now()
    });
    tokio::time::sleep(Duration::from_secs(7)).await;
    drop(tenure);
    let freed = Instant::now();
    assert_eq!(waiting.await.unwrap(), freed, "woken, not timed out");
    let tenure = seat.hold(taker(2).client, &house.end).unwrap();
    assert_eq!(house.occupancy.accounts(), 1);
    drop(tenure);
    assert_eq!(house.occupancy.accounts(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_what_is_free_already_does_not_wait() {
    let house = House::new();
    let tenure = house.serving();
    let holder = Arc::clone(tenure.holder());
    drop(tenure);
    let before = Instant::now();
    holder.freed(before + MINUTE).await;
    assert_eq!(Instant::now(), before);
    assert!(!holder.take_over(&taker(2), before + MINUTE * 9), "there is nothing left to take");
}

#[tokio::test(start_paused = true)]
async fn only_an_idle_session_is_taken_over_and_by_one_alone() {
    let house = House::new();
    let tenure = house.serving();
    let (holder, begun) = (tenure.holder(), Instant::now());
    // At work: it may take as long as it likes.
    assert!(!holder.take_over(&taker(2), begun + MINUTE * 9));
    holder.idleness().begin(begun);
    assert_eq!(holder.open_to(&taker(2), begun), Some(begun + MINUTE));
    assert!(!holder.take_over(&taker(2), begun + MINUTE - Duration::from_millis(1)));
    assert!(!is_ended(&house.end).await);
    let never = Taker { after: Duration::ZERO, ..taker(2) };
    assert!(!holder.take_over(&never, begun + MINUTE * 9));
    assert_eq!(holder.open_to(&never, begun), None);
    assert!(holder.take_over(&taker(2), begun + MINUTE));
    assert!(!holder.take_over(&taker(3), begun + MINUTE * 9));
    assert!(is_ended(&house.end).await);
    assert_eq!(holder.taken_over_by(), Some(taker(2).client));
    // It can no longer remove anything, and the log still knows who it was.
    assert!(!tenure.begin_update());
    let holder = Arc::clone(tenure.holder());
    drop(tenure);
    assert_eq!(holder.taken_over_by(), Some(taker(2).client));
    holder.freed(Instant::now() + MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_is_never_interrupted() {
    let house = House::new();
    let tenure = house.serving();
    let (holder, begun) = (tenure.holder(), Instant::now());
    holder.idleness().begin(begun);
    assert!(tenure.begin_update());
    assert!(!holder.take_over(&taker(2), begun + MINUTE * 9));
    assert_eq!(holder.open_to(&taker(2), begun), None);
    assert!(!is_ended(&house.end).await);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_still_opening_is_left_alone() {
    let house = House::new();
    let tenure = house.enter(9).unwrap().hold(taker(1).client, &house.end).unwrap();
    let begun = Instant::now();
    tenure.holder().idleness().begin(begun);
    assert!(!tenure.holder().take_over(&taker(2), begun + MINUTE * 9));
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_gives_its_seat_to_one() {
    let house = House::new();
    let tenure = house.enter(1).unwrap().hold(taker(1).client, &house.end).unwrap();
    tenure.serve();
    assert_eq!(house.enter(1).unwrap_err(), Full);
    tenure.holder().idleness().begin(Instant::now());
    tokio::time::sleep(MINUTE).await;
    let seat = house.enter(1).unwrap();
    assert!(is_ended(&house.end).await);
    assert_eq!(house.enter(1).unwrap_err(), Full, "one dead session lets one in");
    drop(tenure);
    drop(seat);
    assert_eq!(house.occupancy.accounts(), 0);
}

/// Updates and takeovers at the same moment: exactly one of them wins, each time.
#[test]
fn an_update_and_a_takeover_exclude_each_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let (mut updates, mut takeovers) = (0, 0);
    for _ in 0..2000 {
        let house = House::new();
        let tenure = house.serving();
        let begun = Instant::now();
        tenure.holder().idleness().begin(begun);
        let (updated, taken) = std::thread::scope(|scope| {
            let takers: Vec<_> = (2..4)
                .map(|last| {
                    let holder = Arc::clone(tenure.holder());
                    scope.spawn(move || holder.take_over(&taker(last), begun + MINUTE))
                })
                .collect();
            let updated = tenure.begin_update();
            let taken = takers.into_iter().map(|t| t.join().unwrap());
            (updated, taken.filter(|taken| *taken).count())
        });
        assert_eq!(usize::from(updated) + taken, 1);
        updates += usize::from(updated);
        takeovers += taken;
    }
    assert_eq!(updates + takeovers, 2000);
}
