//! Which recorded sizes are believed.

use crate::AdoptedId;
use crate::name;

/// A recorded size in CRLF form, unless the file's name or its stored size contradicts it.
pub(super) fn believed(base: &[u8], octets: u64, stored: Option<u64>) -> Option<u64> {
    let named = name::claimed_octets(base);
    let stored = name::stored_octets(base).or(stored);
    let fits = octets <= name::OCTETS_MAX
        && named.is_none_or(|named| named == octets)
        && stored.is_none_or(|stored| is_possible(octets, stored));
    fits.then_some(octets)
}

/// Whether a file of `stored` octets can have `octets` in CRLF form: at most each of them is an
/// LF that gains a CR, and a last line may gain its end.
fn is_possible(octets: u64, stored: u64) -> bool {
    octets >= stored && octets <= stored.saturating_mul(2).saturating_add(2)
}

/// Forgets the sizes that are not sure to be right. `file_of` knows the stored size of a
/// message's file, and whether its last line has an end. Where it has none, servers disagree
/// about the size: neither Dovecot nor Courier counts the end that they send.
pub(super) fn check(ids: &mut [AdoptedId], file_of: impl Fn(&[u8]) -> Option<(u64, bool)>) {
    for id in ids {
        if let Some(octets) = id.octets
            && !file_of(&id.base)
                .is_some_and(|(stored, ended)| ended && is_possible(octets, stored))
        {
            id.octets = None;
        }
    }
}
