//! Which mechanisms are offered.

use core::fmt;

use crate::Mechanism;

/// A set of mechanisms, in the order in which they are offered. Small and copied freely: a
/// session keeps one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Offer(u16);

impl Offer {
    /// No mechanism.
    pub const NONE: Self = Self(0);

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether `mechanism` is one of them.
    #[must_use]
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & Self::bit(mechanism) != 0
    }

    /// These and `mechanism`.
    #[must_use]
    pub fn with(self, mechanism: Mechanism) -> Self {
        Self(self.0 | Self::bit(mechanism))
    }

    /// These without `mechanism`.
    #[must_use]
    pub fn without(self, mechanism: Mechanism) -> Self {
        Self(self.0 & !Self::bit(mechanism))
    }

    /// Each of them, the one that clients should prefer first.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::EVERY.into_iter().filter(move |&mechanism| self.contains(mechanism))
    }

    fn bit(mechanism: Mechanism) -> u16 {
        1 << mechanism as u16
    }
}

impl FromIterator<Mechanism> for Offer {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(mechanisms: I) -> Self {
        mechanisms.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_a_set_in_the_order_of_preference() {
        let offer: Offer = [Mechanism::Login, Mechanism::Plain].into_iter().collect();
        assert!(offer.iter().eq([Mechanism::Plain, Mechanism::Login]));
        assert!(offer.contains(Mechanism::Login) && !offer.contains(Mechanism::External));
        assert_eq!(offer.without(Mechanism::Login), Offer::NONE.with(Mechanism::Plain));
        assert!(offer.without(Mechanism::Login).without(Mechanism::Plain).is_empty());
        let every: Offer = Mechanism::EVERY.into_iter().collect();
        assert!(every.iter().eq(Mechanism::EVERY));
    }
}
