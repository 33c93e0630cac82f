//! What real clients do beyond the RFCs, each by name, with who does it and what it gets.

/// A departure from the letter of the protocol that is answered on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Outlook and Outlook Express send `AUTH` or `AUTH ` without a mechanism and expect a
    /// list of mechanisms, as of a multi-line reply.
    MechanismProbe,
    /// Outlook (2018) sends `UTF8` after the login although RFC 6856 allows it before only and
    /// nobody announced it. It gets `+OK`: messages are sent as they are stored anyway.
    Utf8AfterLogin,
    /// Space before the line end, and more than one space between arguments: scripts and
    /// fax machines. Dropped everywhere but in a password.
    StraySpaces,
    /// Lines that end in LF alone: scripts and people with `nc`.
    BareLineFeed,
}

impl Quirk {
    /// Every quirk. Each has a transcript `quirk-<name>.txt` among this crate's tests.
    pub const ALL: [Self; 4] =
        [Self::MechanismProbe, Self::Utf8AfterLogin, Self::StraySpaces, Self::BareLineFeed];

    /// A stable name for documentation and tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MechanismProbe => "mechanism-probe",
            Self::Utf8AfterLogin => "utf8-after-login",
            Self::StraySpaces => "stray-spaces",
            Self::BareLineFeed => "bare-line-feed",
        }
    }
}

/// [`Quirk::StraySpaces`]: whether an argument is none.
pub(crate) fn is_blank(argument: &[u8]) -> bool {
    argument.iter().all(|&octet| octet == b' ')
}
