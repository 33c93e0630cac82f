//! The grammar of the client's messages (RFC 5802 section 7).

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::name::{authzid as authzid_in, unescape};
use crate::{Failure, SaslError};

/// The longest nonce that a client may bring; those of real ones have 16 to 64 characters.
const NONCE_MAX: usize = 512;

/// What a client says of channel binding: `gs2-cbind-flag`.
#[derive(Debug)]
pub(super) enum Binding<'a> {
    /// `n`: it knows none.
    Unable,
    /// `y`: it knows it, and believes that the server does not.
    NotOffered,
    /// `p=`: it uses the one of this name.
    Used(&'a str),
}

/// `client-first-message`.
#[derive(Debug)]
pub(super) struct ClientFirst<'a> {
    pub(super) binding: Binding<'a>,
    /// `gs2-header`, with the comma at its end.
    pub(super) header: &'a str,
    pub(super) authzid: Option<String>,
    pub(super) bare: &'a str,
    /// The name, unescaped.
    pub(super) name: String,
    pub(super) nonce: &'a str,
    /// The name for the log.
    pub(super) shown: String,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Failure> {
        let malformed = || Failure::nobodys(SaslError::Malformed);
        let text = core::str::from_utf8(message).map_err(|_| malformed())?;
        let (flag, rest) = text.split_once(',').ok_or_else(malformed)?;
        let (authzid, bare) = rest.split_once(',').ok_or_else(malformed)?;
        let header = &text[..text.len() - bare.len()];
        // `m=`, an extension that must not be ignored, would stand before the name.
        let mut attributes = bare.split(',');
        let name = attributes.next().and_then(|first| first.strip_prefix("n="));
        let name = name.ok_or_else(malformed)?;
        let failed = || Failure::of(SaslError::Malformed, name.as_bytes());
        let binding = binding(flag).ok_or_else(failed)?;
        let authzid = authzid_in(authzid).map_err(|_| failed())?;
        let nonce = attributes.next().and_then(|second| second.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| is_nonce(nonce)).ok_or_else(failed)?;
        if !attributes.all(is_extension) {
            return Err(failed());
        }
        if name.is_empty() {
            return Err(Failure::of(SaslError::Empty, b""));
        }
        let name = unescape(name).ok_or_else(failed)?;
        let shown = name.clone();
        Ok(Self { binding, header, authzid, bare, name, nonce, shown })
    }
}

/// `client-final-message`.
#[derive(Debug)]
pub(super) struct ClientFinal<'a> {
    /// What stands in base64 behind `c=`.
    pub(super) binding: Vec<u8>,
    pub(super) nonce: &'a str,
    pub(super) proof: Vec<u8>,
    pub(super) without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(message).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        attributes.all(is_extension).then_some(())?;
        let decode = |text: &str| STANDARD.decode(text).ok();
        Some(Self { binding: decode(binding)?, nonce, proof: decode(proof)?, without_proof })
    }
}

fn binding(flag: &str) -> Option<Binding<'_>> {
    match flag {
        "n" => Some(Binding::Unable),
        "y" => Some(Binding::NotOffered),
        _ => {
            let name = flag.strip_prefix("p=").filter(|name| !name.is_empty())?;
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            name.bytes().all(fits).then_some(Binding::Used(name))
        }
    }
}

/// `1*printable`.
fn is_nonce(text: &str) -> bool {
    (1..=NONCE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `attr-val` that may be ignored: not `m=`, nor one that has its place elsewhere.
fn is_extension(text: &str) -> bool {
    match text.as_bytes() {
        [b'm' | b'n' | b'r' | b'c' | b'p', b'=', ..] => false,
        [name, b'=', value @ ..] => {
            name.is_ascii_alphabetic() && !value.is_empty() && !value.contains(&0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;

    fn first(message: &str) -> Result<(Option<String>, String), Failure> {
        ClientFirst::parse(message.as_bytes()).map(|first| (first.authzid, first.name))
    }

    #[test]
    fn names_are_unescaped_and_headers_kept_to_the_letter() {
        let parsed = ClientFirst::parse(b"n,a=x=3Dy=2Cz,n=a=2Cb=3D,r=abc,x=1,Y=2").unwrap();
        assert_eq!(parsed.header, "n,a=x=3Dy=2Cz,");
        assert_eq!(parsed.bare, "n=a=2Cb=3D,r=abc,x=1,Y=2");
        assert_eq!((parsed.authzid.as_deref(), &*parsed.name), (Some("x=y,z"), "a,b="));
        assert_eq!(first("n,a=,n=user,r=+").unwrap(), (None, "user".to_owned()));
        assert_eq!(first("y,,n=\u{e9},r=+").unwrap(), (None, "\u{e9}".to_owned()));
    }

    #[test]
    fn what_is_not_in_the_grammar_is_refused_under_its_name() {
        for message in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,r=abc",
            "n,,m=x,n=user,r=abc",
            "n,,N=user,r=abc",
            "n,,n:user,r=abc",
        ] {
            assert_eq!(
                first(message).unwrap_err(),
                Failure::nobodys(SaslError::Malformed),
                "{message}"
            );
        }
        for message in [
            "x,,n=user,r=abc",
            "N,,n=user,r=abc",
            "p=,,n=user,r=abc",
            "p=a_b,,n=user,r=abc",
            "p,,n=user,r=abc",
            "nn,,n=user,r=abc",
            "n,b=x,n=user,r=abc",
            "n,a=x=,n=user,r=abc",
            "n,,n=user",
            "n,,n=user,r=",
            "n,,n=user,r=a b",
            "n,,n=user,r=\u{e9}",
            "n,,n=user,r=abc,",
            "n,,n=user,r=abc,m=x",
            "n,,n=user,r=abc,xx=1",
            "n,,n=user,r=abc,x=",
            "n,,n=user,r=abc,1=x",
            "n,,n=user,r=abc,x=\0",
            "n,,n=user,r=abc,n=root",
            "n,,n=user,r=abc,r=d",
        ] {
            let failure = first(message).unwrap_err();
            assert_eq!(failure, Failure::of(SaslError::Malformed, b"user"), "{message}");
        }
        let long = "a".repeat(NONCE_MAX + 1);
        assert!(first(&alloc::format!("n,,n=user,r={long}")).is_err());
        for name in ["a=2c", "a=3d", "a=", "a=2", "a=41", "a\0", "=="] {
            let failure = first(&alloc::format!("n,,n={name},r=abc")).unwrap_err();
            assert_eq!(failure, Failure::of(SaslError::Malformed, name.as_bytes()), "{name}");
        }
        assert_eq!(first("n,,n=,r=abc").unwrap_err().error, SaslError::Empty);
    }

    #[test]
    fn a_final_message_has_its_three_parts_in_order() {
        let parsed = ClientFinal::parse(b"c=biws,r=abc,x=1,p=AAAA").unwrap();
        assert_eq!((&*parsed.binding, parsed.nonce), (&b"n,,"[..], "abc"));
        assert_eq!((&*parsed.proof, parsed.without_proof), (&[0; 3][..], "c=biws,r=abc,x=1"));
        for message in [
            "",
            "c=biws,r=abc",
            "p=AAAA",
            "r=abc,c=biws,p=AAAA",
            "c=biws,p=AAAA",
            "c=biws,r=abc,p=AAA",
            "c=biw,r=abc,p=AAAA",
            "c=biws,r=abc,p=AAAB\n",
            "c=biws,r=abc,p=AAAA,x=1",
            "c=biws,r=abc,m=x,p=AAAA",
            " c=biws,r=abc,p=AAAA",
            "c=biws,r=abc,p=AAAA,p=AAAA",
            "c=bi ws,r=abc,p=AAAA",
            "c=biws,r=abc,,p=AAAA",
            "c=biws,r=abc,p=AB==",
        ] {
            assert!(ClientFinal::parse(message.as_bytes()).is_none(), "{message:?}");
        }
    }
}
