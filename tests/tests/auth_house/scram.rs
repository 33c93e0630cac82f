//! SCRAM-SHA-256 as a client (RFC 5802, RFC 7677), with and without channel binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::kit::{Line, Said};

type Key = [u8; 32];

fn hmac(key: &[u8], text: &[u8]) -> Key {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text);
    mac.finalize().into_bytes().into()
}

fn xor(mut one: Key, other: &Key) -> Key {
    one.iter_mut().zip(other).for_each(|(one, other)| *one ^= other);
    one
}

/// RFC 5802 section 2.2: `Hi`.
fn salted(password: &[u8], salt: &[u8], rounds: u32) -> Key {
    let keyed = Hmac::<Sha256>::new_from_slice(password).unwrap();
    let round =
        |text: &[u8]| -> Key { keyed.clone().chain_update(text).finalize().into_bytes().into() };
    let mut last = round(&[salt, &1_u32.to_be_bytes()].concat());
    let mut salted = last;
    for _ in 1..rounds {
        last = round(&last);
        salted = xor(salted, &last);
    }
    salted
}

/// Logs in by SCRAM-SHA-256.
pub(crate) fn log_in(line: &mut Line, login: &str, password: &str) -> Said {
    exchange(line, "SCRAM-SHA-256", ("n,,", b""), (login, password))
}

/// Logs in by SCRAM-SHA-256-PLUS, bound to what the client sees of the TLS session.
pub(crate) fn log_in_bound(line: &mut Line, binding: &[u8], login: &str, password: &str) -> Said {
    let header = "p=tls-exporter,,";
    exchange(line, "SCRAM-SHA-256-PLUS", (header, binding), (login, password))
}

/// One exchange; what the server says of itself must be right.
fn exchange(
    line: &mut Line,
    mechanism: &str,
    (header, binding): (&str, &[u8]),
    (login, password): (&str, &str),
) -> Said {
    let nonce = STANDARD.encode(hmac(login.as_bytes(), password.as_bytes()));
    let first = format!("n={login},r={nonce}");
    let said = line.begin(mechanism, Some(format!("{header}{first}").as_bytes()));
    let server_first = match said {
        Said::Challenge(octets) => String::from_utf8(octets).unwrap(),
        other => return other,
    };
    let field = |name: &str| {
        let found = server_first.split(',').find_map(|field| field.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {server_first}"))
    };
    assert!(field("r=").starts_with(&nonce), "{server_first}");
    let salt = STANDARD.decode(field("s=")).unwrap();
    let salted = salted(password.as_bytes(), &salt, field("i=").parse().unwrap());
    let bound = STANDARD.encode([header.as_bytes(), binding].concat());
    let last = format!("c={bound},r={}", field("r="));
    let all = format!("{first},{server_first},{last}");
    let client_key = hmac(&salted, b"Client Key");
    let stored_key: Key = Sha256::digest(client_key).into();
    let proof = STANDARD.encode(xor(client_key, &hmac(&stored_key, all.as_bytes())));
    match line.answer(format!("{last},p={proof}").as_bytes()) {
        Said::Challenge(octets) => {
            let signature = hmac(&hmac(&salted, b"Server Key"), all.as_bytes());
            assert_eq!(octets, format!("v={}", STANDARD.encode(signature)).into_bytes());
            line.answer(b"")
        }
        other => other,
    }
}
