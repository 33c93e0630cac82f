//! Stored password hashes.

/// A stored hash.
pub struct StoredHash(Box<str>);

impl std::fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredHash(..)")
    }
}
