//! Octets that must neither be shown nor left behind.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

/// A password. It is overwritten when dropped, is never printed, and has no equality: whoever
/// compares passwords does so in constant time, by [`expose`](Self::expose).
///
/// It need not be UTF-8. What was copied out of a read buffer is overwritten here, the read
/// buffer is its owner's business.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over. The vector must not have been reallocated while it held them.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are no octets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Secret {
    fn from(octets: &[u8]) -> Self {
        Self::new(octets.to_vec())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
