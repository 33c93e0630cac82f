//! The languages that replies come in (`LANG`, RFC 6856 section 3).

use crate::text::Text;

/// A language for the text of replies. What programs read (`+OK`, response codes, figures) is
/// the same in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// What everybody gets who does not ask, and who asks for `*`. The same for everyone, so
    /// that it tells nobody which accounts exist (RFC 6856 section 7).
    #[default]
    English,
    Japanese,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// Its tag (RFC 5646).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// What it calls itself.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    /// A text in this language.
    pub(crate) fn say(self, text: Text) -> &'static str {
        match self {
            Self::English => text.english,
            Self::Japanese => text.japanese,
        }
    }

    /// The language for a range: `*`, a tag, or a tag with more behind it. `ja-JP` gets `ja`,
    /// as the lookup of RFC 4647 section 3.4 has it, for a client that sends its locale wants
    /// Japanese and not an error.
    pub(crate) fn for_range(range: &[u8]) -> Option<Self> {
        if range == b"*" {
            return Some(Self::default());
        }
        let mut subtags = range.split(|&octet| octet == b'-');
        let primary = subtags.next()?;
        let is_subtag = |subtag: &[u8]| {
            (1..=8).contains(&subtag.len()) && subtag.iter().all(u8::is_ascii_alphanumeric)
        };
        if !subtags.all(is_subtag) {
            return None;
        }
        Self::ALL.into_iter().find(|known| primary.eq_ignore_ascii_case(known.tag().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, found) in [
            ("*", Some(Language::English)),
            ("en", Some(Language::English)),
            ("EN-gb", Some(Language::English)),
            ("ja", Some(Language::Japanese)),
            ("ja-Jpan-JP", Some(Language::Japanese)),
            ("MUL", None),
            ("jap", None),
            ("j", None),
            ("", None),
            ("-ja", None),
            ("ja-", None),
            ("ja--JP", None),
            ("ja-\u{e9}", None),
            ("ja-toolongtag", None),
            ("i-default", None),
            ("**", None),
        ] {
            assert_eq!(Language::for_range(range.as_bytes()), found, "{range}");
        }
    }
}
