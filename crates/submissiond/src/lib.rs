//! The submission daemon: answers the session's actions with auth and spool.
