//! `CAPA`: what is announced, and in which state (RFC 2449).

use alloc::vec::Vec;

use sasl::Mechanism;

use crate::reply;
use crate::terms::{Terms, TlsState};

/// What the server calls itself; without a version, which helps attackers alone.
pub(crate) const IMPLEMENTATION: &str = "Lastpost";

/// The capabilities before the login. `STLS`, `USER` and `SASL` appear only if the command
/// would be obeyed now.
pub(crate) fn before_login(out: &mut Vec<u8>, terms: Terms) {
    reply::ok(out, "Capability list follows");
    everywhere(out);
    if terms.tls == TlsState::Offered {
        reply::line(out, "STLS");
    }
    if terms.allow_login() {
        reply::line(out, "USER");
        out.extend_from_slice(b"SASL");
        for mechanism in Mechanism::ALL {
            out.push(b' ');
            out.extend_from_slice(mechanism.name().as_bytes());
        }
        reply::line(out, "");
    }
    reply::end(out);
}

/// The capabilities after the login.
pub(crate) fn after_login(out: &mut Vec<u8>) {
    reply::ok(out, "Capability list follows");
    everywhere(out);
    reply::end(out);
}

/// The mechanisms for `AUTH` without one ([`crate::Quirk::MechanismProbe`]).
pub(crate) fn mechanism_list(out: &mut Vec<u8>, terms: Terms) {
    reply::ok(out, "Mechanisms follow");
    if terms.allow_login() {
        for mechanism in Mechanism::ALL {
            reply::line(out, mechanism.name());
        }
    }
    reply::end(out);
}

fn everywhere(out: &mut Vec<u8>) {
    for capability in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"] {
        reply::line(out, capability);
    }
    out.extend_from_slice(b"IMPLEMENTATION ");
    reply::line(out, IMPLEMENTATION);
}
