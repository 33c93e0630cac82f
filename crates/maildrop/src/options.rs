//! What a caller may choose when a maildrop is opened.

use crate::UidlFormat;

/// Choices for [`crate::Maildrop::open`].
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Make a Maildir that is missing (and `new`, `cur`, `tmp` missing from one), provided its
    /// parent directory exists. The parent is never made: a mount that is not there must not
    /// look like an empty maildrop. Default: true.
    pub create_missing: bool,
    /// Most messages a maildrop may hold; beyond it opening fails rather than show a part.
    /// Default: 4,000,000.
    pub messages_max: usize,
    /// At update, give the retrieved messages the Maildir flag `S` (seen), which moves them from
    /// `new` to `cur`. Costs one rename per message. Default: false, flags are left alone.
    pub mark_seen: bool,
    /// How messages that have no unique id yet get one. Default: from the file name.
    pub uidl_format: UidlFormat,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            create_missing: true,
            messages_max: 4_000_000,
            mark_seen: false,
            uidl_format: UidlFormat::FileName,
        }
    }
}
