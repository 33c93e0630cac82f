//! The AUTHORIZATION state (RFC 1939 section 4, RFC 2595, RFC 5034).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sasl::{Credentials, Mechanism, Secret};

use super::State;
use super::exchange::SaslExchange;
use crate::capability;
use crate::command::Command;
use crate::messages::Messages;
use crate::pending::{LoginRefusal, PendingLogin, PendingTls};
use crate::reply;
use crate::session::{Link, Session, Step};
use crate::terms::TlsState;

/// Waiting for a login.
#[derive(Default)]
pub(crate) struct Authorization {
    /// The name of a `USER` that no other command but `CAPA` has followed yet.
    user: Option<Box<[u8]>>,
}

impl Authorization {
    pub(crate) fn obey<M: Messages>(
        self,
        command: Command<'_>,
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        match command {
            Command::User(name) => self.obey_user(name, link, out),
            Command::Pass(password) => self.obey_pass(password, link, out),
            Command::Auth { mechanism, initial } => obey_auth(mechanism, initial, link, out),
            Command::AuthList => {
                capability::mechanism_list(out, link.terms);
                self.stay(link)
            }
            Command::Capa => {
                capability::before_login(out, link.terms);
                self.stay(link)
            }
            Command::Stls => self.obey_stls(link, out),
            Command::Quit => {
                reply::ok(out, "Bye");
                Step::Close
            }
            Command::Utf8 | Command::LeftOut => {
                reply::err(out, "Not supported");
                self.stay(link)
            }
            Command::Stat
            | Command::List(_)
            | Command::Uidl(_)
            | Command::Retr(_)
            | Command::Top(..)
            | Command::Dele(_)
            | Command::Rset
            | Command::Noop => link.fault(State::Authorization(self), "Log in first", out),
        }
    }

    fn stay<M: Messages>(self, link: Link) -> Step<M> {
        Step::Continue(Session::new(link, State::Authorization(self)))
    }

    /// Any name gets the same answer, so that nobody learns which ones exist.
    fn obey_user<M: Messages>(self, name: &[u8], link: Link, out: &mut Vec<u8>) -> Step<M> {
        if !link.terms.allow_login() {
            return refuse_cleartext(link, out);
        }
        reply::ok(out, "Send the password");
        Self { user: Some(name.into()) }.stay(link)
    }

    fn obey_pass<M: Messages>(self, password: &[u8], link: Link, out: &mut Vec<u8>) -> Step<M> {
        if !link.terms.allow_login() {
            return refuse_cleartext(link, out);
        }
        let Some(user) = self.user else {
            return link.fault(State::Authorization(self), "Send USER first", out);
        };
        if password.is_empty() {
            let refused = PendingLogin::new(link).refuse(LoginRefusal::Credentials, out);
            return Step::Continue(refused);
        }
        // A name that is no UTF-8 is nobody's; it takes the way of every other wrong one.
        let login = String::from_utf8_lossy(&user).into_owned();
        let credentials = Credentials { authzid: None, login, password: Secret::from(password) };
        Step::Verify(credentials, PendingLogin::new(link))
    }

    fn obey_stls<M: Messages>(self, link: Link, out: &mut Vec<u8>) -> Step<M> {
        match link.terms.tls {
            TlsState::Offered => return Step::StartTls(PendingTls::new(link)),
            TlsState::Active => reply::err(out, "TLS is active already"),
            TlsState::Unavailable => reply::err(out, "TLS is not offered here"),
        }
        self.stay(link)
    }
}

fn obey_auth<M: Messages>(
    mechanism: &[u8],
    initial: Option<&[u8]>,
    link: Link,
    out: &mut Vec<u8>,
) -> Step<M> {
    let Some(mechanism) = Mechanism::parse(mechanism) else {
        reply::err(out, "Mechanism not supported");
        return Authorization::default().stay(link);
    };
    if !link.terms.allow_login() {
        return refuse_cleartext(link, out);
    }
    SaslExchange::begin(mechanism, initial, link, out)
}

/// Not `[AUTH]`: the credentials are not at fault (RFC 3206 section 4).
fn refuse_cleartext<M: Messages>(link: Link, out: &mut Vec<u8>) -> Step<M> {
    let remedy = match link.terms.tls {
        TlsState::Offered => {
            "Login without encryption is refused: switch on STARTTLS or SSL/TLS for incoming mail"
        }
        _ => "Login without encryption is refused: switch on SSL/TLS for incoming mail",
    };
    reply::err(out, remedy);
    Authorization::default().stay(link)
}
