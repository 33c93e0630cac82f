//! The weak schemes that an operator lets pass.

use serde::{Deserialize, Serialize};

use super::Scheme;

/// The weak schemes that are verified: `auth.weak_schemes`. By default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct WeakSchemes {
    /// A bit for each, by its place in [`weak`].
    bits: u8,
}

impl WeakSchemes {
    /// All of them: for tools that change hashes and verify none.
    #[must_use]
    pub fn all() -> Self {
        Self { bits: u8::MAX }
    }

    /// Whether hashes of `scheme` may be verified: those that are not weak always.
    #[must_use]
    pub fn allow(self, scheme: Scheme) -> bool {
        // Asked of every account of a table: most are not weak.
        let place = || weak().zip(0..).find(|(known, _)| *known == scheme);
        !scheme.is_weak() || place().is_some_and(|(_, at)| self.has(at))
    }

    fn has(self, at: u32) -> bool {
        self.bits >> at & 1 == 1
    }
}

fn weak() -> impl Iterator<Item = Scheme> {
    Scheme::every().filter(|scheme| scheme.is_weak())
}

impl TryFrom<Vec<String>> for WeakSchemes {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let mut bits = 0;
        for name in names {
            let place = Scheme::by_name(&name)
                .and_then(|named| weak().zip(0..).find(|(scheme, _)| *scheme == named));
            match place {
                Some((_, at)) => bits |= 1 << at,
                None => {
                    let known: Vec<&str> = weak().map(Scheme::as_str).collect();
                    let known = known.join(", ");
                    return Err(format!("{name:?} is no weak scheme; expected some of {known}"));
                }
            }
        }
        Ok(Self { bits })
    }
}

impl From<WeakSchemes> for Vec<String> {
    fn from(allowed: WeakSchemes) -> Self {
        let names = weak().zip(0..).filter(|(_, at)| allowed.has(*at));
        names.map(|(scheme, _)| scheme.as_str().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_weak_is_refused_until_it_is_named() {
        assert!(weak().count() <= 8, "a bit for each");
        let names = |names: &[&str]| {
            WeakSchemes::try_from(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
        };
        let none = WeakSchemes::default();
        assert!(Scheme::every().all(|scheme| none.allow(scheme) != scheme.is_weak()));
        assert!(Scheme::every().all(|scheme| WeakSchemes::all().allow(scheme)));
        let two = names(&["crypt", "CRAM-MD5"]).unwrap();
        assert!(two.allow(Scheme::DesCrypt) && two.allow(Scheme::CramMd5));
        assert!(!two.allow(Scheme::Sha) && two.allow(Scheme::Ssha));
        assert_eq!(Vec::<String>::from(two), ["CRYPT", "CRAM-MD5"]);
        for wrong in ["SSHA", "DES3", ""] {
            let problem = names(&[wrong]).unwrap_err();
            assert!(
                problem.contains("SHA512, SHA256, SHA, LDAP-MD5, CRYPT, CRAM-MD5"),
                "{problem}"
            );
        }
    }
}
