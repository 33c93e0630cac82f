//! What a session that waits costs.

use super::*;

fn size<F>(_: impl Fn(Connection, Arc<Listening>, Drain) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_session_that_waits_is_small() {
    // As measured, and some room. The task is held as long as the client stays: whatever is used
    // for moments alone is boxed.
    assert!(size(converse) <= 1408, "{} octets", size(converse));
    assert!(size_of::<Conversation>() <= 896, "{} octets", size_of::<Conversation>());
}
