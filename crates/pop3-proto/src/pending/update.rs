//! Are the deleted messages gone (RFC 1939 section 6)?

use alloc::vec::Vec;

use crate::language::Language;
use crate::reply;
use crate::text;

/// A `QUIT` that waits until the maildrop is updated and its lock released. The session is
/// over either way: write the output and close.
#[must_use = "the client waits for an answer"]
pub struct PendingUpdate {
    language: Language,
}

impl PendingUpdate {
    pub(crate) fn new(language: Language) -> Self {
        Self { language }
    }

    /// Every deleted message is gone, on disk too.
    pub fn accept(self, out: &mut Vec<u8>) {
        reply::ok(out, self.language.say(text::BYE));
    }

    /// At least one is still there.
    pub fn refuse(self, out: &mut Vec<u8>) {
        reply::err(out, self.language.say(text::NOT_REMOVED));
    }
}
