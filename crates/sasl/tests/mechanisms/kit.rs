//! A client of SCRAM, and short ways to say what a step should be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sasl::{Exchange, Failure, Mechanism, ProofCheck, SaslError, Secret, Step, Terms};
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(crate) const SALT: &[u8] = b"0123456789abcdef";
pub(crate) const ROUNDS: u32 = 2;
pub(crate) const SCRAM: [Mechanism; 3] =
    [Mechanism::ScramSha1, Mechanism::ScramSha256, Mechanism::ScramSha256Plus];

pub(crate) fn terms() -> Terms {
    Terms::fresh(b"eighteen octets!!!", 1_700_000_000)
}

/// Terms of a TLS session in which SCRAM-SHA-256-PLUS is offered.
pub(crate) fn bound() -> Terms {
    let mut terms = terms();
    terms.channel.exporter = Some([7; 32]);
    terms.channel.end_point = Some([8; 32].into());
    terms.plus_offered = true;
    terms
}

pub(crate) fn exchange(mechanism: Mechanism) -> Exchange {
    Exchange::new(mechanism, bound())
}

pub(crate) fn say(exchange: Exchange, message: impl AsRef<[u8]>) -> Step {
    exchange.take(&Secret::from(message.as_ref()))
}

pub(crate) fn challenge(step: Step) -> (String, Exchange) {
    match step {
        Step::Challenge(challenge, exchange) => {
            (String::from_utf8(challenge.expose().to_vec()).unwrap(), exchange)
        }
        other => panic!("no challenge: {other:?}"),
    }
}

pub(crate) fn failure(step: Step) -> Failure {
    match step {
        Step::Failed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

pub(crate) fn failed(error: SaslError, login: &str) -> Failure {
    Failure { error, login: Some(login.to_owned()) }
}

pub(crate) fn nobodys(error: SaslError) -> Failure {
    Failure { error, login: None }
}

/// `StoredKey`, `ServerKey` and `ClientKey` of a password.
pub(crate) struct Keys {
    pub(crate) stored: Vec<u8>,
    pub(crate) server: Vec<u8>,
    pub(crate) client: Vec<u8>,
    sha1: bool,
}

impl Keys {
    pub(crate) fn of(mechanism: Mechanism, password: &[u8], salt: &[u8], rounds: u32) -> Self {
        let sha1 = mechanism == Mechanism::ScramSha1;
        let mut salted = vec![0; if sha1 { 20 } else { 32 }];
        match sha1 {
            true => pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut salted),
            false => pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut salted),
        }
        let client = hmac(sha1, &salted, b"Client Key");
        let stored = match sha1 {
            true => Sha1::digest(&client).to_vec(),
            false => Sha256::digest(&client).to_vec(),
        };
        Self { stored, server: hmac(sha1, &salted, b"Server Key"), client, sha1 }
    }

    pub(crate) fn proof(&self, signed: &str) -> String {
        let signature = hmac(self.sha1, &self.stored, signed.as_bytes());
        let proof: Vec<u8> = signature.iter().zip(&self.client).map(|(a, b)| a ^ b).collect();
        STANDARD.encode(proof)
    }

    pub(crate) fn signature(&self, signed: &str) -> String {
        format!("v={}", STANDARD.encode(hmac(self.sha1, &self.server, signed.as_bytes())))
    }
}

fn hmac(sha1: bool, key: &[u8], message: &[u8]) -> Vec<u8> {
    match sha1 {
        true => Hmac::<Sha1>::new_from_slice(key)
            .unwrap()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .to_vec(),
        false => Hmac::<Sha256>::new_from_slice(key)
            .unwrap()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .to_vec(),
    }
}

/// One login by SCRAM, each part of which can be bent.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) mechanism: Mechanism,
    pub(crate) terms: Terms,
    pub(crate) header: String,
    pub(crate) bare: String,
    /// What stands in base64 behind `c=`.
    pub(crate) binding: Vec<u8>,
    pub(crate) password: Vec<u8>,
    /// Octets of the final message that are changed on the way: place, and what is added.
    pub(crate) bend: Option<(usize, u8)>,
}

impl Client {
    /// A sound client, with channel binding where the mechanism has it.
    pub(crate) fn new(mechanism: Mechanism) -> Self {
        let plus = mechanism == Mechanism::ScramSha256Plus;
        let header = if plus { "p=tls-exporter,," } else { "n,," };
        let data: &[u8] = if plus { &[7; 32] } else { b"" };
        Self {
            mechanism,
            terms: bound(),
            header: header.to_owned(),
            bare: "n=user,r=fyko+d2lbbFgONRv9qkxdawL".to_owned(),
            binding: [header.as_bytes(), data].concat(),
            password: b"pencil".to_vec(),
            bend: None,
        }
    }

    /// Up to the final message; the check, and what both sides sign.
    pub(crate) fn prove(&self) -> Result<(ProofCheck, String), Failure> {
        let exchange = Exchange::new(self.mechanism, self.terms.clone());
        let request = match say(exchange, format!("{}{}", self.header, self.bare)) {
            Step::Salt(request) => request,
            other => return Err(failure(other)),
        };
        let (first, exchange) = challenge(request.answer(SALT, ROUNDS));
        let nonce = first.split(',').next().unwrap();
        let without = format!("c={},{nonce}", STANDARD.encode(&self.binding));
        let signed = format!("{},{first},{without}", self.bare);
        let keys = Keys::of(self.mechanism, &self.password, SALT, ROUNDS);
        let mut last = format!("{without},p={}", keys.proof(&signed)).into_bytes();
        if let Some((place, change)) = self.bend {
            let place = place % last.len();
            last[place] = last[place].wrapping_add(change);
        }
        match say(exchange, last) {
            Step::Proof(check) => Ok((check, signed)),
            other => Err(failure(other)),
        }
    }

    /// Whether the account with the password `pencil` is opened.
    pub(crate) fn log_in(&self) -> Result<(), Failure> {
        let (check, signed) = self.prove()?;
        let keys = Keys::of(self.mechanism, b"pencil", SALT, ROUNDS);
        let (last, exchange) = match check.check(&keys.stored, &keys.server) {
            Step::Failed(failure) => return Err(failure),
            step => challenge(step),
        };
        assert_eq!(last, keys.signature(&signed), "the server proves itself");
        match say(exchange, b"") {
            Step::Proven => Ok(()),
            other => Err(failure(other)),
        }
    }
}
