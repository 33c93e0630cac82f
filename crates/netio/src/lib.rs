//! Listeners, TLS, PROXY protocol, limits, deadlines and drain: drives any session.
