//! The AUTHORIZATION state (RFC 1939 section 4, RFC 2595, RFC 5034).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sasl::{Mechanism, Secret};

use super::State;
use super::exchange::SaslExchange;
use super::mode;
use crate::capability;
use crate::claim::Claim;
use crate::command::{Command, SyntaxError};
use crate::messages::Messages;
use crate::pending::{PendingLogin, PendingTls, PendingXclient};
use crate::reply;
use crate::session::{Link, Session, Step};
use crate::terms::TlsState;
use crate::text;
use crate::xclient::{Malformed, XclientFacts};

/// Waiting for a login.
#[derive(Default)]
pub(crate) struct Authorization {
    /// The name of a `USER` that has neither been used nor replaced by another way in.
    user: Option<Box<[u8]>>,
}

impl Authorization {
    pub(crate) fn obey<M: Messages>(
        self,
        command: Command<'_>,
        mut link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        let language = link.language;
        match command {
            Command::User(name) => return self.obey_user(name, link, out),
            Command::Pass(password) => return self.obey_pass(password, link, out),
            Command::Auth { mechanism, initial } => {
                return obey_auth(mechanism, initial, link, out);
            }
            Command::Apop { login, digest } => return self.obey_apop(login, digest, link, out),
            Command::Stls => return self.obey_stls(link, out),
            Command::Xclient(attributes) => {
                return self.obey_xclient(XclientFacts::parse(attributes), link, out);
            }
            Command::Xoip(address) => {
                return self.obey_xclient(XclientFacts::parse_address(address), link, out);
            }
            Command::Quit => {
                reply::ok(out, language.say(text::BYE));
                return Step::Close;
            }
            Command::AuthList => capability::mechanism_list(out, &link.terms, language),
            Command::Capa => capability::before_login(out, &link.terms, language, link.utf8),
            Command::Lang(range) => mode::obey_lang(range, &mut link, out),
            Command::Utf8 => mode::obey_utf8(&mut link, out),
            Command::LeftOut => reply::err(out, language.say(text::NOT_SUPPORTED)),
            Command::Last if !link.terms.last => {
                reply::err(out, language.say(text::NOT_SUPPORTED));
            }
            Command::Stat
            | Command::List(_)
            | Command::Uidl(_)
            | Command::Retr(_)
            | Command::Top(..)
            | Command::Dele(_)
            | Command::Last
            | Command::Rset
            | Command::Noop => {
                return link.fault(State::Authorization(self), text::LOG_IN_FIRST, out);
            }
        }
        self.stay(link)
    }

    fn stay<M: Messages>(self, link: Link) -> Step<M> {
        Step::Continue(Session::new(link, State::Authorization(self)))
    }

    /// Any name gets the same answer, so that nobody learns which ones exist.
    fn obey_user<M: Messages>(self, name: &[u8], link: Link, out: &mut Vec<u8>) -> Step<M> {
        if !link.terms.allow_login() {
            return refuse_cleartext(link, out);
        }
        reply::ok(out, link.language.say(text::SEND_PASSWORD));
        Self { user: Some(name.into()) }.stay(link)
    }

    fn obey_pass<M: Messages>(self, password: &[u8], link: Link, out: &mut Vec<u8>) -> Step<M> {
        if !link.terms.allow_login() {
            return refuse_cleartext(link, out);
        }
        let Some(user) = self.user else {
            return link.fault(State::Authorization(self), text::SEND_USER_FIRST, out);
        };
        let login = login_name(&user);
        let claim = if password.is_empty() {
            Claim::Void { login: Some(login) }
        } else {
            Claim::Password { login, password: Secret::from(password) }
        };
        Step::Verify(claim, PendingLogin::new(link))
    }

    /// Also in clear: no password crosses the network, and that is what `APOP` is for.
    fn obey_apop<M: Messages>(
        self,
        login: &[u8],
        digest: Option<[u8; 16]>,
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        let Some(stamp) = link.terms.apop_stamp.clone() else {
            reply::err(out, link.language.say(text::NOT_SUPPORTED));
            return self.stay(link);
        };
        let login = login_name(login);
        let claim = match digest {
            Some(digest) => Claim::Digest { login, stamp, digest },
            None => Claim::Void { login: Some(login) },
        };
        Step::Verify(claim, PendingLogin::new(link))
    }

    fn obey_stls<M: Messages>(self, link: Link, out: &mut Vec<u8>) -> Step<M> {
        let text = match link.terms.tls {
            // RFC 6856 section 2.1.
            TlsState::Offered if link.utf8 => text::TLS_AFTER_UTF8,
            TlsState::Offered => return Step::StartTls(PendingTls::new(link)),
            TlsState::Active => text::TLS_ACTIVE,
            TlsState::Unavailable => text::TLS_NOT_OFFERED,
        };
        reply::err(out, link.language.say(text));
        self.stay(link)
    }

    fn obey_xclient<M: Messages>(
        self,
        facts: Result<XclientFacts, Malformed>,
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        if !link.terms.xclient {
            reply::err(out, link.language.say(text::NOT_SUPPORTED));
            return self.stay(link);
        }
        match facts {
            Ok(facts) => Step::Xclient(facts, PendingXclient::new(link)),
            Err(Malformed) => {
                link.fault(State::Authorization(self), SyntaxError::Malformed.text(), out)
            }
        }
    }
}

/// A name that is no UTF-8 is nobody's; it takes the way of every other wrong one (RFC 6856
/// section 2.2 has it rejected).
fn login_name(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn obey_auth<M: Messages>(
    mechanism: &[u8],
    initial: Option<&[u8]>,
    link: Link,
    out: &mut Vec<u8>,
) -> Step<M> {
    let terms = &link.terms;
    match Mechanism::parse(mechanism) {
        Some(mechanism) if terms.mechanisms.contains(mechanism) => {
            SaslExchange::begin(mechanism, initial, link, out)
        }
        Some(mechanism)
            if !terms.allow_login() && terms.mechanisms_under_tls.contains(mechanism) =>
        {
            refuse_cleartext(link, out)
        }
        _ => {
            reply::err(out, link.language.say(text::MECHANISM_UNKNOWN));
            Authorization::default().stay(link)
        }
    }
}

/// Not `[AUTH]`: the credentials are not at fault (RFC 3206 section 4).
fn refuse_cleartext<M: Messages>(link: Link, out: &mut Vec<u8>) -> Step<M> {
    let remedy = match link.terms.tls {
        TlsState::Offered => text::CLEARTEXT_STARTTLS,
        _ => text::CLEARTEXT_TLS,
    };
    reply::err(out, link.language.say(remedy));
    Authorization::default().stay(link)
}
