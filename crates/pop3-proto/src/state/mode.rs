//! `LANG` and `UTF8`, which mean the same in both states (RFC 6856).

use alloc::vec::Vec;

use crate::capability;
use crate::language::Language;
use crate::reply;
use crate::session::Link;
use crate::text;

/// `LANG`: lists the languages, or chooses one for this reply and all that follow. A language
/// that nobody knows here changes nothing, and is no bad command: clients try what they have.
pub(crate) fn obey_lang(range: Option<&[u8]>, link: &mut Link, out: &mut Vec<u8>) {
    let Some(range) = range else {
        return capability::language_list(out, link.language);
    };
    let Some(chosen) = Language::for_range(range) else {
        return reply::err(out, link.language.say(text::LANGUAGE_UNKNOWN));
    };
    link.language = chosen;
    // The tag and its spaces are prescribed (RFC 6856 section 3.2).
    out.extend_from_slice(b"+OK ");
    out.extend_from_slice(chosen.tag().as_bytes());
    out.push(b' ');
    reply::line(out, chosen.say(text::LANGUAGE_CHOSEN));
}

/// `UTF8`, which the RFC has before the login only and some clients send later
/// ([`crate::Quirk::Utf8AfterLogin`]).
pub(crate) fn obey_utf8(link: &mut Link, out: &mut Vec<u8>) {
    link.utf8 = true;
    reply::ok(out, link.language.say(text::UTF8_MODE));
}
