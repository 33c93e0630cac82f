//! A client of SCRAM (RFC 5802 section 3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sasl::{Mechanism, Secret};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::testing::{moment, origin};
use crate::{Authenticator, TlsFacts, Turn};

/// What a client brings.
#[derive(Clone)]
pub(super) struct Client<'a> {
    pub(super) mechanism: Mechanism,
    /// As it stands behind `n=`.
    pub(super) name: &'a str,
    /// As it stands behind `a=`.
    pub(super) authzid: &'a str,
    pub(super) password: &'a str,
    pub(super) from: &'a str,
}

impl<'a> Client<'a> {
    pub(super) fn new(mechanism: Mechanism, name: &'a str, password: &'a str) -> Self {
        Self { mechanism, name, authzid: "", password, from: "192.0.2.1" }
    }

    fn header(&self) -> String {
        let authzid = match self.authzid {
            "" => String::new(),
            name => format!("a={name}"),
        };
        match self.mechanism {
            Mechanism::ScramSha256Plus => format!("p=tls-exporter,{authzid},"),
            _ => format!("n,{authzid},"),
        }
    }

    /// Logs in, and says how that ended and what the server's first message was.
    pub(super) async fn log_in(&self, auth: &Authenticator) -> (Turn, Option<String>) {
        let mut talk = auth.converse(self.mechanism, origin(self.from), super::tls());
        let bare = format!("n={},r=client-nonce", self.name);
        let first = Secret::from(&*format!("{}{bare}", self.header()));
        let sent = match talk.take(Some(first), moment(0.0)).await {
            Turn::Challenge(sent) => String::from_utf8(sent.expose().to_vec()).unwrap(),
            end => return (end, None),
        };
        let (last, signature) = self.last(&bare, &sent);
        match talk.take(Some(Secret::from(&*last)), moment(0.0)).await {
            Turn::Challenge(proof) => assert_eq!(proof.expose(), signature.as_bytes()),
            end => return (end, Some(sent)),
        }
        (talk.take(Some(Secret::default()), moment(0.0)).await, Some(sent))
    }

    /// The final message, and what the server's has to be.
    pub(super) fn last(&self, bare: &str, sent: &str) -> (String, String) {
        let parts: Vec<_> = sent.split(',').collect();
        let salt = STANDARD.decode(&parts[1][2..]).unwrap();
        let rounds = parts[2][2..].parse().unwrap();
        let mut binding = self.header().into_bytes();
        if self.mechanism == Mechanism::ScramSha256Plus {
            binding.extend([7; 32]);
        }
        let without = format!("c={},{}", STANDARD.encode(binding), parts[0]);
        let signed = format!("{bare},{sent},{without}");
        let sha1 = self.mechanism == Mechanism::ScramSha1;
        let mut salted = vec![0; if sha1 { 20 } else { 32 }];
        let password = self.password.as_bytes();
        match sha1 {
            true => pbkdf2_hmac::<Sha1>(password, &salt, rounds, &mut salted),
            false => pbkdf2_hmac::<Sha256>(password, &salt, rounds, &mut salted),
        }
        let client = hmac(sha1, &salted, b"Client Key");
        let stored = match sha1 {
            true => Sha1::digest(&client).to_vec(),
            false => Sha256::digest(&client).to_vec(),
        };
        let mask = hmac(sha1, &stored, signed.as_bytes());
        let proof: Vec<u8> = client.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        let signature = hmac(sha1, &hmac(sha1, &salted, b"Server Key"), signed.as_bytes());
        let last = format!("{without},p={}", STANDARD.encode(proof));
        (last, format!("v={}", STANDARD.encode(signature)))
    }
}

fn hmac(sha1: bool, key: &[u8], message: &[u8]) -> Vec<u8> {
    match sha1 {
        true => {
            let mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
            mac.chain_update(message).finalize().into_bytes().to_vec()
        }
        false => {
            let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.chain_update(message).finalize().into_bytes().to_vec()
        }
    }
}

/// The final message of somebody who has no idea of the password, for `sent`.
pub(super) fn guess(sent: &str) -> String {
    let nonce = sent.split(',').next().unwrap();
    format!("c=biws,{nonce},p={}", STANDARD.encode([0; 32]))
}

/// A session without TLS.
pub(super) fn in_clear() -> TlsFacts {
    TlsFacts::default()
}
