//! The POP3 daemon: answers the session's actions with auth and maildrop.
