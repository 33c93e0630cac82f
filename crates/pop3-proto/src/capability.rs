//! `CAPA`: what is announced, and in which state (RFC 2449).
//!
//! `UTF8 USER` (RFC 6856 section 2.2) is announced because names and passwords may be UTF-8,
//! in every command and without `UTF8` before them. They are compared as they come, octet by
//! octet: the SASLprep that the RFC wishes for would change passwords whose hashes were made
//! without it, and lock their owners out. What UTF-8 mode is about is said at
//! [`Internationalised`](crate::Internationalised).

use alloc::vec::Vec;

use crate::language::Language;
use crate::reply;
use crate::terms::{Expire, PerUser, Terms, TlsState};
use crate::text;

/// What the server calls itself; without a version, which helps attackers alone.
pub(crate) const IMPLEMENTATION: &str = "Lastpost";

/// The capabilities before the login. `STLS` appears only if it would be obeyed now (RFC 2595
/// section 4).
pub(crate) fn before_login(out: &mut Vec<u8>, terms: &Terms, language: Language, utf8: bool) {
    reply::ok(out, language.say(text::CAPABILITIES));
    everywhere(out, terms);
    if terms.tls == TlsState::Offered && !utf8 {
        reply::line(out, "STLS");
    }
    ways_in(out, terms);
    reply::end(out);
}

/// The capabilities after the login. `USER` and `SASL` stay although nobody can use them any
/// more: RFC 2449 sections 5, 6.2 and 6.3 have them announced in both states, so that a client
/// may ask once and whenever it likes.
pub(crate) fn after_login(out: &mut Vec<u8>, terms: &Terms, language: Language) {
    reply::ok(out, language.say(text::CAPABILITIES));
    everywhere(out, terms);
    ways_in(out, terms);
    reply::end(out);
}

/// The mechanisms for `AUTH` without one ([`crate::Quirk::MechanismProbe`]).
pub(crate) fn mechanism_list(out: &mut Vec<u8>, terms: &Terms, language: Language) {
    reply::ok(out, language.say(text::MECHANISMS));
    for mechanism in terms.mechanisms.iter() {
        reply::line(out, mechanism.name());
    }
    reply::end(out);
}

/// The languages for `LANG` without one (RFC 6856 section 3.2).
pub(crate) fn language_list(out: &mut Vec<u8>, language: Language) {
    reply::ok(out, language.say(text::LANGUAGES));
    for known in Language::ALL {
        out.extend_from_slice(known.tag().as_bytes());
        out.push(b' ');
        reply::line(out, known.own_name());
    }
    reply::end(out);
}

fn everywhere(out: &mut Vec<u8>, terms: &Terms) {
    for capability in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"] {
        reply::line(out, capability);
    }
    if let Some(PerUser { value, varies }) = terms.login_delay {
        out.extend_from_slice(b"LOGIN-DELAY ");
        reply::decimal(out, value.into());
        end_per_user(out, varies);
    }
    if let Some(PerUser { value, varies }) = terms.expire {
        out.extend_from_slice(b"EXPIRE ");
        match value {
            Expire::Never => out.extend_from_slice(b"NEVER"),
            Expire::Days(days) => reply::decimal(out, days.into()),
        }
        end_per_user(out, varies);
    }
    reply::line(out, "UTF8 USER");
    reply::line(out, "LANG");
    out.extend_from_slice(b"IMPLEMENTATION ");
    reply::line(out, IMPLEMENTATION);
}

fn end_per_user(out: &mut Vec<u8>, varies: bool) {
    reply::line(out, if varies { " USER" } else { "" });
}

/// `USER`, if a password may be sent over this connection, and `SASL` with what is offered
/// there (RFC 5034 section 3).
fn ways_in(out: &mut Vec<u8>, terms: &Terms) {
    if terms.allow_login() {
        reply::line(out, "USER");
    }
    if terms.mechanisms.is_empty() {
        return;
    }
    out.extend_from_slice(b"SASL");
    for mechanism in terms.mechanisms.iter() {
        out.push(b' ');
        out.extend_from_slice(mechanism.name().as_bytes());
    }
    reply::line(out, "");
}
