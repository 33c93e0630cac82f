//! Writes and flushes that fail.

use lastpost_tests::eventually;

use crate::fault::{Fault, Plan, SYNCS, possible};
use crate::kit::{PATIENCE, Shop};

/// Positional writes: the spool's, and nobody else's.
const WRITES: &str = "pwrite64,pwritev,pwritev2";
/// A body that is part of the log, and one that has a file of its own.
const SIZES: [usize; 2] = [10, 6000];

#[test]
fn a_write_or_a_flush_that_fails_is_told_and_nothing_acknowledged_is_lost() {
    if !possible() {
        return;
    }
    let mut shop = Shop::open();
    let mut customer = shop.customer();
    let mut acknowledged = 0;
    for (calls, error, reply) in
        [(WRITES, "EIO", "451 4.3.0"), (WRITES, "ENOSPC", "452 4.3.1"), (SYNCS, "EIO", "451 4.3.0")]
    {
        for lines in SIZES {
            let fault = Fault::inject(&shop, &Plan::all(calls, error, Vec::new()));
            let answer = customer.send(lines);
            assert!(answer.starts_with(reply), "{calls} {error} {lines}: {answer}");
            // The session lives on.
            customer.talk.expect("NOOP", "250");
            fault.lift_after_hits();
            // A new piece of the log may have to be made first; until then clients come back.
            eventually(PATIENCE, "mail to be taken again", || {
                let answer = customer.send(lines);
                assert!(answer.starts_with("250 2.0.0") || answer.starts_with("45"), "{answer}");
                answer.starts_with("250")
            });
            acknowledged += 1;
        }
    }
    customer.talk.expect("QUIT", "221");
    shop.crash();
    assert_eq!(shop.queued(), acknowledged);
}
