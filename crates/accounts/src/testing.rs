//! What several unit tests need.

use std::path::PathBuf;
use std::sync::Arc;

use address::Domain;
use auth::{MaildirTemplate, SystemClock, WeakSchemes};

use crate::Common;

/// The default domain `example.net`, and `%h/Maildir`.
pub(crate) fn common() -> Common {
    Common {
        default_domain: Some(Domain::parse("example.net").unwrap()),
        maildir: MaildirTemplate::parse("%h/Maildir").unwrap(),
        weak_schemes: WeakSchemes::default(),
        clock: Arc::new(SystemClock::new()),
        state_directory: PathBuf::from("/nonexistent"),
    }
}
