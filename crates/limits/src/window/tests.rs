//! Windows: nothing is forgotten at the full hour, and the wait that is told is true.

use proptest::prelude::*;

use super::*;

#[test]
fn a_full_hour_forgets_nothing() {
    let mut windows = Windows::default();
    let at = 100 * DAY + HOUR - 1;
    windows.roll(at);
    windows.add(&Addition { messages: 200, recipients: 300, first_time: 5, kib: 9 });
    assert_eq!(windows.estimate(0, at), 200);
    windows.roll(at + 1);
    assert_eq!(windows.estimate(0, at + 1), 200, "a second later they still count");
    windows.roll(at + 1 + HOUR / 2);
    assert_eq!(windows.estimate(0, at + 1 + HOUR / 2), 100);
    windows.roll(at + 1 + HOUR);
    assert_eq!(windows.estimate(0, at + 1 + HOUR), 0);
    assert_eq!(windows.estimate(3, at + 1 + HOUR), 200, "the day goes on");
    assert_eq!(windows.estimate(5, at + 1 + HOUR), 5);
}

#[test]
fn a_clock_that_runs_backwards_stands_still() {
    let mut windows = Windows::default();
    windows.roll(50 * DAY);
    windows.add(&Addition { messages: 7, ..Addition::default() });
    let kept = windows;
    windows.roll(10 * DAY);
    assert_eq!(windows, kept);
}

#[test]
fn what_is_taken_back_after_the_hour_comes_from_the_bucket_before() {
    let mut windows = Windows::default();
    windows.roll(HOUR - 1);
    windows.add(&Addition { messages: 10, ..Addition::default() });
    windows.roll(HOUR);
    windows.add(&Addition { messages: 1, ..Addition::default() });
    windows.take(&Addition { messages: 3, ..Addition::default() });
    assert_eq!(windows.counts[0], Window { now: 0, before: 8 });
    windows.take(&Addition { messages: 100, ..Addition::default() });
    assert_eq!(windows.counts[0], Window::default());
}

#[test]
fn counters_stop_at_their_end() {
    let mut window = Window { now: u32::MAX - 1, before: u32::MAX };
    window.add(10);
    assert_eq!(window.now, u32::MAX);
    assert_eq!(window.estimate(0, DAY), 2 * u64::from(u32::MAX));
}

proptest! {
    #[test]
    fn the_wait_is_neither_too_short_nor_absurd(
        now in 0_u32..5000, before in 0_u32..5000, elapsed in 0_u64..HOUR, most in 0_u64..3000,
    ) {
        let window = Window { now, before };
        let wait = window.wait(elapsed, HOUR, most);
        prop_assert!(wait <= 2 * HOUR);
        let mut later = window;
        later.roll((elapsed + wait) / HOUR);
        prop_assert!(later.estimate((elapsed + wait) % HOUR, HOUR) <= most);
        // A good while earlier it would not have been enough.
        if wait > 10 {
            let mut earlier = window;
            let at = elapsed + wait - wait.min(3 + HOUR / 400);
            earlier.roll(at / HOUR);
            let slack = u64::from(now.max(before)) / 300 + 1;
            prop_assert!(earlier.estimate(at % HOUR, HOUR) + slack >= most);
        }
    }

    #[test]
    fn what_counts_falls_as_time_goes_by(now in 0_u32..5000, before in 0_u32..5000) {
        let mut last = u64::MAX;
        for step in 0..2 * HOUR / 60 {
            let mut window = Window { now, before };
            let at = step * 60;
            window.roll(at / HOUR);
            let estimate = window.estimate(at % HOUR, HOUR);
            prop_assert!(estimate <= last);
            last = estimate;
        }
    }
}
