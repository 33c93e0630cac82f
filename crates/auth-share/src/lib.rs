//! What daemons and hosts tell each other of failed logins.
