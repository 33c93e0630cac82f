//! Templates with `%u`, `%n` and `%d` in them, and the values that stand for these.

use address::AccountKey;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Octets as they are.
    Text(Vec<u8>),
    /// `%u`: the whole login or address.
    Whole,
    /// `%n`: the part before the `@`.
    Local,
    /// `%d`: the domain.
    Domain,
}

impl Piece {
    /// The variable that a letter behind `%` stands for.
    pub(super) fn variable(letter: char) -> Option<Self> {
        match letter {
            'u' => Some(Self::Whole),
            'n' => Some(Self::Local),
            'd' => Some(Self::Domain),
            _ => None,
        }
    }

    pub(super) fn is_variable(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// What is asked for: a login or an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    whole: &'a str,
    local: &'a str,
    domain: Option<&'a str>,
}

impl<'a> Values<'a> {
    pub(super) fn of_login(key: &'a AccountKey) -> Self {
        let whole = key.as_str();
        let local = whole.split_once('@').map_or(whole, |(local, _)| local);
        Self { whole, local, domain: key.domain() }
    }

    /// Of an address that is spelled `whole`.
    pub(super) fn of_address(whole: &'a str) -> Self {
        let (local, domain) = match whole.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (whole, None),
        };
        Self { whole, local, domain }
    }

    /// The login or address.
    pub(super) fn whole(&self) -> &str {
        self.whole
    }

    /// What stands for a piece; none if it is the domain and there is none.
    pub(super) fn get<'b>(&self, piece: &'b Piece) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        match piece {
            Piece::Text(text) => Some(text),
            Piece::Whole => Some(self.whole.as_bytes()),
            Piece::Local => Some(self.local.as_bytes()),
            Piece::Domain => self.domain.map(str::as_bytes),
        }
    }
}
