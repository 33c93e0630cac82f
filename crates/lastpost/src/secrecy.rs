//! Memory that holds passwords and mail stays in memory.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Lets a crash leave no core file, and nobody but root look into the process (prctl(2),
/// `PR_SET_DUMPABLE`).
///
/// # Errors
/// If the system refuses.
pub(crate) fn keep_memory_private() -> io::Result<()> {
    // The limit alone would not hold back a `core_pattern` that names a program.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_crash_leaves_no_core() {
        keep_memory_private().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }
}
