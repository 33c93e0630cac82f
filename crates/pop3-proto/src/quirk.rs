//! What real clients do beyond the RFCs, each by name, with who does it and what it gets.

/// A departure from the letter of the protocol that is answered on purpose, or a habit that
/// the letter allows and some server once did not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Outlook and Outlook Express send `AUTH` or `AUTH ` without a mechanism and expect a
    /// list of mechanisms, as of a multi-line reply.
    MechanismProbe,
    /// Outlook (2018) sends `UTF8` after the login although RFC 6856 allows it before only. It
    /// gets `+OK`, and UTF-8 mode.
    Utf8AfterLogin,
    /// Space before the line end, and more than one space between arguments: scripts and
    /// fax machines. Dropped everywhere but in a password.
    StraySpaces,
    /// Lines that end in LF alone: scripts and people with `nc`.
    BareLineFeed,
    /// Thunderbird sends `AUTH PLAIN` and waits for `+ ` before its response, with the space
    /// behind the plus.
    NoInitialResponse,
    /// fetchmail takes a refused login for a wrong password and stops asking, unless the reply
    /// has "lock", "wait", `[IN-USE]`, `[LOGIN-DELAY]`, or "service" and "unavailable".
    RetryWords,
    /// fetchmail asks `LAST` of a server that does not list it. `-ERR`, and no bad command.
    LastProbe,
    /// fetchmail fetches by `TOP` with a huge count of lines.
    TopForAll,
    /// K-9 and Thunderbird for Android ask `UIDL n` or `LIST n` thousands of times instead of
    /// once. Each costs one look-up and no memory.
    SingleLookups,
    /// mpop, MailKit and Evolution send a hundred commands before they read a reply.
    DeepPipeline,
    /// mutt and its family ask `CAPA` at the start, after `STLS` and after the login.
    RepeatedCapa,
    /// Thunderbird forgets which messages it has when `STAT` says 0, and fetches all of them
    /// again. A maildrop that cannot be read therefore refuses the login; it is never empty.
    ZeroForgetsAll,
    /// Outlook 2002 retrieves in one session and deletes in the next: `DELE` of a message that
    /// was not retrieved.
    DeletesUnread,
    /// Outlook Express and Netscape want the blank line behind the headers in an answer to
    /// `TOP`, also of a message that has none. `RETR` adds nothing, for it sends what `LIST`
    /// has counted.
    EndOfHeaders,
    /// APOP digests in capital letters, where RFC 1939 has small ones.
    CapitalDigest,
    /// Zimbra's nginx names its client by `XOIP` and an address.
    Xoip,
}

impl Quirk {
    /// Every quirk. Each has a transcript `quirk_<name>.txt` among this crate's tests.
    pub const ALL: [Self; 16] = [
        Self::MechanismProbe,
        Self::Utf8AfterLogin,
        Self::StraySpaces,
        Self::BareLineFeed,
        Self::NoInitialResponse,
        Self::RetryWords,
        Self::LastProbe,
        Self::TopForAll,
        Self::SingleLookups,
        Self::DeepPipeline,
        Self::RepeatedCapa,
        Self::ZeroForgetsAll,
        Self::DeletesUnread,
        Self::EndOfHeaders,
        Self::CapitalDigest,
        Self::Xoip,
    ];

    /// A stable name for documentation and tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MechanismProbe => "mechanism-probe",
            Self::Utf8AfterLogin => "utf8-after-login",
            Self::StraySpaces => "stray-spaces",
            Self::BareLineFeed => "bare-line-feed",
            Self::NoInitialResponse => "no-initial-response",
            Self::RetryWords => "retry-words",
            Self::LastProbe => "last-probe",
            Self::TopForAll => "top-for-all",
            Self::SingleLookups => "single-lookups",
            Self::DeepPipeline => "deep-pipeline",
            Self::RepeatedCapa => "repeated-capa",
            Self::ZeroForgetsAll => "zero-forgets-all",
            Self::DeletesUnread => "deletes-unread",
            Self::EndOfHeaders => "end-of-headers",
            Self::CapitalDigest => "capital-digest",
            Self::Xoip => "xoip",
        }
    }
}

/// [`Quirk::StraySpaces`]: whether an argument is none.
pub(crate) fn is_blank(argument: &[u8]) -> bool {
    argument.iter().all(|&octet| octet == b' ')
}
