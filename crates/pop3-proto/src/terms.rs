//! On which terms a client is served: what the driver knows of the connection.

use alloc::boxed::Box;

use sasl::Offer;

/// Longest timestamp for `APOP`, so that the greeting fits 512 octets (RFC 1939 section 3).
const STAMP_MAX: usize = 256;

/// Whether the connection is, or can be, under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsState {
    /// In clear, and it stays so.
    Unavailable,
    /// In clear, and `STLS` is offered (RFC 2595).
    Offered,
    /// Under TLS.
    Active,
}

/// A figure that may differ from account to account (RFC 2449 sections 6.5 and 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerUser<T> {
    /// What holds for everybody, or the strictest that holds for anybody: the longest delay,
    /// the shortest time that messages are kept.
    pub value: T,
    /// Whether it differs: before the login the capability then ends in `USER`.
    pub varies: bool,
}

/// How long messages are kept on the server (RFC 2449 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Until the client deletes them.
    Never,
    /// So many days at least. 0: they may be removed as soon as they have been retrieved.
    Days(u32),
}

/// What becomes of an internationalised message, one with octets beyond ASCII in its header
/// (RFC 6532), when the client has not said `UTF8`. In UTF-8 mode all messages go out as they
/// are stored.
///
/// RFC 6856 section 2.1 leaves two ways: `-ERR [UTF8]`, or a surrogate, a message made up in
/// its place. No surrogate is made here: `RETR` and `DELE` behind it would leave the customer
/// with a poorer message than he was sent, and the better one destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Internationalised {
    /// It goes out as it is stored: against the letter of the RFC, which wants the first line
    /// of the next way, but what other servers do. Next to no client says `UTF8`, while
    /// senders of raw UTF-8 in `Subject` are many; and a client whose `RETR` is refused often
    /// fetches nothing behind it either.
    #[default]
    AsStored,
    /// `RETR` and `TOP` get `-ERR [UTF8]` (RFC 6856 section 5).
    Refused,
}

/// The terms of one session, made by the driver when a client connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// TLS now.
    pub tls: TlsState,
    /// Whether a password may cross the network in clear: loopback, or a network for which
    /// the administrator said so. Under TLS it always may.
    pub cleartext_login: bool,
    /// What `AUTH` offers as things stand; any other mechanism is unknown. The driver leaves
    /// out what would send a password in clear where that is not allowed.
    pub mechanisms: Offer,
    /// What it would offer under TLS: where a password must not come in clear, a client that
    /// asks for one of these learns what to do.
    pub mechanisms_under_tls: Offer,
    /// Bad commands and failed logins together, after which the session ends (at least 1).
    pub errors_before_login: u8,
    /// Bad commands in a row after the login, after which the session ends (at least 1).
    pub errors_after_login: u8,
    /// The timestamp for `APOP` (RFC 1939 section 7), of the form `<unique@host>`, never used
    /// before. `None`: no timestamp in the greeting, and `APOP` is refused.
    pub apop_stamp: Option<Box<str>>,
    /// Seconds between two logins of an account, as `LOGIN-DELAY` says; `None`: not announced.
    pub login_delay: Option<PerUser<u32>>,
    /// How long messages are kept, as `EXPIRE` says; `None`: not announced.
    pub expire: Option<PerUser<Expire>>,
    /// Whether `LAST` (RFC 1460 section 5) is obeyed.
    pub last: bool,
    /// Internationalised messages outside UTF-8 mode.
    pub internationalised: Internationalised,
    /// Whether `XCLIENT` is obeyed: the client is a proxy of ours.
    pub xclient: bool,
}

impl Default for Terms {
    /// The strictest and barest: no TLS, no password in clear, no mechanism, nothing optional.
    fn default() -> Self {
        Self {
            tls: TlsState::Unavailable,
            cleartext_login: false,
            mechanisms: Offer::NONE,
            mechanisms_under_tls: Offer::NONE,
            errors_before_login: 3,
            errors_after_login: 20,
            apop_stamp: None,
            login_delay: None,
            expire: None,
            last: false,
            internationalised: Internationalised::AsStored,
            xclient: false,
        }
    }
}

impl Terms {
    /// Forgets a timestamp that RFC 1939 section 7 does not allow in a greeting: `<left@right>`
    /// of printable characters, and short enough.
    pub(crate) fn checked(mut self) -> Self {
        fn is_stamp(stamp: &str) -> bool {
            let inner = stamp.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
            let graphic = |octet: u8| octet.is_ascii_graphic() && octet != b'<' && octet != b'>';
            stamp.len() <= STAMP_MAX
                && inner.is_some_and(|inner| inner.bytes().all(graphic))
                && inner.and_then(|inner| inner.split_once('@')).is_some_and(|(left, right)| {
                    !left.is_empty() && !right.is_empty() && !right.contains('@')
                })
        }
        self.apop_stamp = self.apop_stamp.filter(|stamp| is_stamp(stamp));
        self
    }

    /// Whether the client may send a password as things stand.
    pub(crate) fn allow_login(&self) -> bool {
        self.tls == TlsState::Active || self.cleartext_login
    }
}
