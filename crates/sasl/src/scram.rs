//! SCRAM (RFC 5802, RFC 7677): each side proves that it knows something of the password, and
//! neither learns it.

mod hash;
mod message;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::exchange::Exchange;
use crate::{ChannelBinding, Failure, SaslError, Secret, Step, Terms};
pub(crate) use hash::ScramHash;
use message::{Binding, ClientFinal, ClientFirst};

/// Before the client's first message.
#[derive(Debug)]
pub(crate) struct First {
    pub(crate) hash: ScramHash,
    /// Whether the mechanism is the one with channel binding.
    pub(crate) plus: bool,
    pub(crate) terms: Terms,
}

impl First {
    pub(crate) fn take(self, message: &[u8]) -> Result<SaltRequest, Failure> {
        let first = ClientFirst::parse(message)?;
        let failed = |error| Failure { error, login: Some(first.shown.clone()) };
        let data =
            self.bound_to(&first.binding).ok_or_else(|| failed(SaslError::ChannelBinding))?;
        let login = prepare(&first.name).ok_or_else(|| failed(SaslError::Malformed))?;
        Ok(SaltRequest(Box::new(Opened {
            hash: self.hash,
            login,
            authzid: first.authzid.clone(),
            expected_binding: [first.header.as_bytes(), data].concat(),
            bare: first.bare.into(),
            nonce: format!("{}{}", first.nonce, self.terms.nonce),
        })))
    }

    /// What the client's final message has to repeat of the channel (RFC 5802 section 6); none:
    /// what it says of the channel does not hold here.
    fn bound_to(&self, binding: &Binding<'_>) -> Option<&[u8]> {
        let ChannelBinding { exporter, end_point } = &self.terms.channel;
        match binding {
            Binding::Used("tls-exporter") if self.plus => {
                exporter.as_ref().map(<[u8; 32]>::as_slice)
            }
            Binding::Used("tls-server-end-point") if self.plus => end_point.as_deref(),
            Binding::Used(_) => None,
            Binding::Unable if !self.plus => Some(&[]),
            // It could, and believes that we cannot: somebody between us has said so.
            Binding::NotOffered if !self.plus && !self.terms.plus_offered => Some(&[]),
            Binding::Unable | Binding::NotOffered => None,
        }
    }
}

/// What is known after the client's first message.
#[derive(Debug)]
struct Opened {
    hash: ScramHash,
    login: String,
    authzid: Option<String>,
    /// `cbind-input` (RFC 5802 section 7).
    expected_binding: Vec<u8>,
    /// `client-first-message-bare`.
    bare: String,
    /// The client's and ours.
    nonce: String,
}

/// The client has said who it is, and wants to know the salt of its password.
#[derive(Debug)]
pub struct SaltRequest(Box<Opened>);

impl SaltRequest {
    /// The login name, unescaped and prepared by SASLprep (RFC 4013).
    #[must_use]
    pub fn login(&self) -> &str {
        &self.0.login
    }

    /// As whom the client wants to act; none: as [`Self::login`].
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.0.authzid.as_deref()
    }

    /// Sends the salt and the number of rounds (`server-first-message`, RFC 5802 section 7). For
    /// a name that nobody has they are to look like somebody's, and always be the same.
    pub fn answer(self, salt: &[u8], iterations: u32) -> Step {
        let opened = self.0;
        let server_first = format!("r={},s={},i={iterations}", opened.nonce, STANDARD.encode(salt));
        let challenge = Secret::from(server_first.as_str());
        let last = Box::new(Final { opened, server_first });
        Step::Challenge(challenge, Exchange::awaiting_proof(last))
    }
}

/// Before the client's final message.
#[derive(Debug)]
pub(crate) struct Final {
    opened: Box<Opened>,
    server_first: String,
}

impl Final {
    pub(crate) fn take(self, message: &[u8]) -> Result<ProofCheck, Failure> {
        let opened = &self.opened;
        let failed = |error| Failure { error, login: Some(opened.login.clone()) };
        let last = ClientFinal::parse(message).ok_or_else(|| failed(SaslError::Malformed))?;
        // Octet by octet: whatever else the client may have meant, it is not this session.
        if !bool::from(last.binding.as_slice().ct_eq(&opened.expected_binding)) {
            return Err(failed(SaslError::ChannelBinding));
        }
        if last.nonce != opened.nonce {
            return Err(failed(SaslError::Wrong));
        }
        let hash = opened.hash;
        let mut proof = Zeroizing::new([0; hash::LENGTH_MAX]);
        let place = &mut proof[..hash.length()];
        if last.proof.len() != place.len() {
            return Err(failed(SaslError::Malformed));
        }
        place.copy_from_slice(&last.proof);
        // `AuthMessage` (RFC 5802 section 3).
        let signed = format!("{},{},{}", opened.bare, self.server_first, last.without_proof);
        Ok(ProofCheck { hash, login: self.opened.login, proof, signed })
    }
}

/// A proof to be checked with the account's keys.
pub struct ProofCheck {
    hash: ScramHash,
    login: String,
    proof: Zeroizing<[u8; hash::LENGTH_MAX]>,
    signed: String,
}

impl ProofCheck {
    /// The login name, as the client's first message gave it.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Checks the proof against `StoredKey`; if it is right, the challenge is our own proof,
    /// by `ServerKey` (RFC 5802 section 3). Keys of a wrong length never fit.
    pub fn check(self, stored_key: &[u8], server_key: &[u8]) -> Step {
        let hash = self.hash;
        let signature = Zeroizing::new(hash.hmac(stored_key, self.signed.as_bytes()));
        let mut client_key = self.proof;
        for (octet, mask) in client_key.iter_mut().zip(*signature) {
            *octet ^= mask;
        }
        let computed = hash.digest(&client_key[..hash.length()]);
        if !bool::from(computed[..hash.length()].ct_eq(stored_key)) {
            let error = SaslError::Wrong;
            return Step::Failed(Failure { error, login: Some(self.login) });
        }
        let signature = hash.hmac(server_key, self.signed.as_bytes());
        let answer = format!("v={}", STANDARD.encode(&signature[..hash.length()]));
        Step::Challenge(Secret::from(answer.as_str()), Exchange::awaiting_end_of_scram())
    }
}

impl core::fmt::Debug for ProofCheck {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProofCheck").field("login", &self.login).finish_non_exhaustive()
    }
}

/// A name as SASLprep (RFC 4013) has it; none if it cannot be one. Characters that are younger than
/// its tables stay as they are, for a name that is looked up is a query (RFC 3454 section 7).
fn prepare(name: &str) -> Option<String> {
    let prepared = match stringprep::saslprep(name) {
        Ok(prepared) => prepared.into_owned(),
        Err(_) => {
            let is_young = stringprep::tables::unassigned_code_point;
            let old = |character| if is_young(character) { 'x' } else { character };
            stringprep::saslprep(&name.chars().map(old).collect::<String>()).ok()?;
            name.into()
        }
    };
    (!prepared.is_empty()).then_some(prepared)
}
