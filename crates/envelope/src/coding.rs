//! What octets a body may hold.

/// What octets a body may hold, as `BODY=` says (RFC 6152 section 3, RFC 3030 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coding {
    /// Lines of ASCII.
    #[default]
    SevenBit,
    /// Lines of any octets but NUL, CR and LF.
    EightBit,
    /// Any octets; what looks like a line end is none. It can be sent by BDAT alone.
    Binary,
}

impl Coding {
    /// The value of `BODY=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBit => "8BITMIME",
            Self::Binary => "BINARYMIME",
        }
    }

    /// From the value of `BODY=`, in any case.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        [Self::SevenBit, Self::EightBit, Self::Binary]
            .into_iter()
            .find(|coding| coding.keyword().eq_ignore_ascii_case(value))
    }
}
