//! What `MAIL` may ask beyond the message itself: values of its rarer parameters.

use address::Mailbox;
use envelope::{ByMode, xtext};

use super::datetime;

/// Who submitted the message at first, as `AUTH=` says (RFC 4954 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitter {
    /// `<>`: not known, or not trusted; also what is well formed and no mailbox.
    Unknown,
    /// This mailbox.
    Mailbox(Mailbox),
}

impl Submitter {
    /// From the value of `AUTH=`: `<>`, or a mailbox as xtext; in UTF-8, and then with `\x{…}` for
    /// what must not stand in a parameter, where `utf8` (RFC 6531 section 3.2, RFC 6533
    /// section 3).
    pub(crate) fn parse(value: &str, utf8: bool) -> Option<Self> {
        if value == "<>" {
            return Some(Self::Unknown);
        }
        if value.is_empty() {
            return None;
        }
        let decoded = if value.is_ascii() && !value.contains("\\x{") {
            xtext::decode(value).and_then(|octets| alloc::string::String::from_utf8(octets).ok())?
        } else if utf8 {
            xtext::decode_unitext(value)?
        } else {
            return None;
        };
        if decoded.chars().any(char::is_control) || (!utf8 && !decoded.is_ascii()) {
            return None;
        }
        Some(Mailbox::parse(&decoded).map_or(Self::Unknown, Self::Mailbox))
    }
}

/// When the message is to be released (RFC 4865).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `HOLDFOR`: so many seconds after it was accepted; at least 1.
    For(u32),
    /// `HOLDUNTIL`: at this time, in Unix seconds. It may have passed by now.
    Until(i64),
}

impl Hold {
    /// From the value of `HOLDFOR=`: 1 to 9 digits, not 0.
    pub(crate) fn parse_for(value: &str) -> Option<Self> {
        digits(value, 9)
            .and_then(|seconds| u32::try_from(seconds).ok())
            .filter(|&n| n > 0)
            .map(Self::For)
    }

    /// From the value of `HOLDUNTIL=`: a date-time of RFC 3339.
    pub(crate) fn parse_until(value: &str) -> Option<Self> {
        datetime::parse(value).map(Self::Until)
    }

    /// Whether it holds no longer than `max` seconds, counted from `at`.
    pub(crate) fn is_within(self, max: u32, at: i64) -> bool {
        match self {
            Self::For(seconds) => seconds <= max,
            Self::Until(time) => time <= at.saturating_add(max.into()),
        }
    }
}

/// By when the message is to be delivered (RFC 2852).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// Seconds from now, 9 digits at most; with [`ByMode::Return`] above 0. With
    /// [`ByMode::Notify`], the time may have passed already.
    pub seconds: i64,
    /// What to do if it is not.
    pub mode: ByMode,
    /// Whether each server that relays it tells the sender (`T`).
    pub trace: bool,
}

impl By {
    /// From the value of `BY=`: `120;R`, `-10;NT`.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (time, mode) = value.split_once(';')?;
        let (negative, magnitude) = match time.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, time.strip_prefix('+').unwrap_or(time)),
        };
        let seconds = i64::try_from(digits(magnitude, 9)?).ok()?;
        let seconds = if negative { -seconds } else { seconds };
        let (letter, rest) = mode.split_at_checked(1)?;
        let mode = match letter {
            "R" | "r" if seconds > 0 => ByMode::Return,
            "N" | "n" => ByMode::Notify,
            _ => return None,
        };
        let trace = match rest {
            "" => false,
            "T" | "t" => true,
            _ => return None,
        };
        Some(Self { seconds, mode, trace })
    }
}

/// A number of 1 to `max` digits and nothing else; what does not fit is `u64::MAX`.
pub(crate) fn digits(value: &str, max: usize) -> Option<u64> {
    let fits = (1..=max).contains(&value.len());
    let all = value.bytes().all(|octet| octet.is_ascii_digit());
    (fits && all).then(|| value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submitters() {
        let mailbox = |text: &str| Some(Submitter::Mailbox(Mailbox::parse(text).unwrap()));
        assert_eq!(Submitter::parse("e+3Dmc2@example.com", false), mailbox("e=mc2@example.com"));
        assert_eq!(Submitter::parse("<>", false), Some(Submitter::Unknown));
        assert_eq!(Submitter::parse("anna", false), Some(Submitter::Unknown));
        assert_eq!(Submitter::parse("jörg@example.org", true), mailbox("jörg@example.org"));
        assert_eq!(Submitter::parse("j\\x{F6}rg@example.org", true), mailbox("jörg@example.org"));
        for bad in
            ["", "a+4", "a=b", "a+0Ab@example.org", "jörg@example.org", "j+C3+B6@example.org"]
        {
            assert_eq!(Submitter::parse(bad, false), None, "{bad}");
        }
        assert_eq!(Submitter::parse("j\\x{D}ö@example.org", true), None);
    }

    #[test]
    fn holds() {
        assert_eq!(Hold::parse_for("1"), Some(Hold::For(1)));
        assert_eq!(Hold::parse_for("999999999"), Some(Hold::For(999_999_999)));
        for bad in ["", "0", "-1", "+1", "1234567890", "1s", "1 "] {
            assert_eq!(Hold::parse_for(bad), None, "{bad}");
        }
        assert!(Hold::For(60).is_within(60, 0) && !Hold::For(61).is_within(60, 0));
        assert!(Hold::Until(160).is_within(60, 100) && !Hold::Until(161).is_within(60, 100));
    }

    #[test]
    fn deadlines() {
        let by = |seconds, mode, trace| Some(By { seconds, mode, trace });
        assert_eq!(By::parse("120;R"), by(120, ByMode::Return, false));
        assert_eq!(By::parse("-10;nt"), by(-10, ByMode::Notify, true));
        assert_eq!(By::parse("+0;N"), by(0, ByMode::Notify, false));
        for bad in [
            "",
            "120",
            "120;",
            ";R",
            "0;R",
            "-1;R",
            "1;X",
            "1;RX",
            "1;RTT",
            "1234567890;N",
            "--1;N",
            "1;é",
        ] {
            assert_eq!(By::parse(bad), None, "{bad}");
        }
    }
}
