//! An issuer that signs tokens, and one that answers over HTTP.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::{Clock as _, ManualClock, TokenError, TokenIdentity, TokenVerifier as _};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth::{OAuthConfig, Verifier};
use sasl::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// When tokens are looked at.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn b64(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A key pair of one algorithm.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Pss(RsaKeyPair),
    Ec256(EcdsaKeyPair),
    Ec384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Shared(Vec<u8>),
}

impl Signer {
    pub(crate) fn new(algorithm: &str) -> Self {
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        match algorithm {
            "RS256" => Self::Rsa(rsa()),
            "PS256" => Self::Pss(rsa()),
            "ES256" => {
                Self::Ec256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            "ES384" => {
                Self::Ec384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
            }
            "EdDSA" => Self::Ed(Ed25519KeyPair::generate().unwrap()),
            other => panic!("{other}"),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Pss(_) => "PS256",
            Self::Ec256(_) => "ES256",
            Self::Ec384(_) => "ES384",
            Self::Ed(_) => "EdDSA",
            Self::Shared(_) => "HS256",
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) | Self::Pss(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let padding =
                    if matches!(self, Self::Rsa(_)) { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec256(key) | Self::Ec384(key) => {
                key.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// The public key as a member of a set.
    pub(crate) fn jwk(&self, id: &str) -> String {
        let ec = |curve: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            format!(
                r#"{{"kid":"{id}","kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}"#,
                b64(x),
                b64(y)
            )
        };
        match self {
            Self::Rsa(key) | Self::Pss(key) => {
                // RSAPublicKey (RFC 8017 appendix A.1.1) of 2048 bits and the exponent 65537.
                let der = key.public_key().as_ref();
                let (n, e) = (&der[9..265], &der[267..]);
                format!(r#"{{"kid":"{id}","kty":"RSA","n":"{}","e":"{}"}}"#, b64(n), b64(e))
            }
            Self::Ec256(key) => ec("P-256", key.public_key().as_ref()),
            Self::Ec384(key) => ec("P-384", key.public_key().as_ref()),
            Self::Ed(key) => {
                let x = b64(key.public_key().as_ref());
                format!(r#"{{"kid":"{id}","kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)
            }
            Self::Shared(_) => panic!("a secret is not published"),
        }
    }

    /// A token with this header and these claims.
    pub(crate) fn token(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        format!("{message}.{}", b64(self.sign(message.as_bytes())))
    }

    /// A token with good claims.
    pub(crate) fn good(&self, id: &str) -> String {
        let header = format!(r#"{{"alg":"{}","kid":"{id}","typ":"at+jwt"}}"#, self.algorithm());
        self.token(&header, &claims(""))
    }
}

/// Good claims, with some more in front.
pub(crate) fn claims(more: &str) -> String {
    format!(
        r#"{{{more}"iss":"https://id.example","aud":["x","mail"],"exp":{},"iat":{},"sub":"42","email":"ann@example.net","scope":"openid mail"}}"#,
        NOW + 600,
        NOW - 60
    )
}

pub(crate) fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// Settings with good rules and this sub-table.
pub(crate) fn config(table: &str) -> OAuthConfig {
    let text = format!("issuer = \"https://id.example\"\naudience = [\"mail\"]\n{table}");
    toml::from_str(&text).unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(jiff::Timestamp::from_second(NOW).unwrap()))
}

/// A verifier, and the clock that it is asked by.
pub(crate) struct Asked {
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Asked {
    pub(crate) fn new(config: &OAuthConfig) -> Self {
        let clock = clock();
        let verifier = Verifier::open(config, Arc::clone(&clock) as _).unwrap();
        Self { verifier, clock }
    }

    /// One that reads its keys from a file; the directory must live as long.
    pub(crate) fn with_file(keys: &[String], rules: &str) -> (Self, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("jwks.json"), set(keys)).unwrap();
        let config = config(&format!("{rules}\n[keys]\nfile = \"jwks.json\"\n"));
        (Self::new(&config.relative_to(directory.path())), directory)
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<TokenIdentity, TokenError> {
        self.verifier.verify(&Secret::from(token), self.clock.now()).await
    }

    pub(crate) async fn login(&self, token: &str) -> Result<String, TokenError> {
        self.verify(token).await.map(|identity| identity.login)
    }
}

/// What a service answers: status and body. None: it hangs.
pub(crate) type Said = Option<(u16, String)>;

/// An issuer's HTTP side on this machine.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) said: Arc<Mutex<Said>>,
    pub(crate) asked: Arc<AtomicUsize>,
    /// The last request, head and body.
    pub(crate) request: Arc<Mutex<String>>,
}

impl Issuer {
    pub(crate) async fn start(said: Said) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let issuer = Self {
            url,
            said: Arc::new(Mutex::new(said)),
            asked: Arc::default(),
            request: Arc::default(),
        };
        let (said, asked) = (Arc::clone(&issuer.said), Arc::clone(&issuer.asked));
        let request = Arc::clone(&issuer.request);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (said, asked) = (Arc::clone(&said), Arc::clone(&asked));
                let request = Arc::clone(&request);
                tokio::spawn(async move {
                    loop {
                        let Some(text) = read_request(&mut stream).await else { return };
                        *request.lock().unwrap() = text;
                        asked.fetch_add(1, Ordering::SeqCst);
                        let answer = said.lock().unwrap().clone();
                        let Some((status, body)) = answer else {
                            std::future::pending::<()>().await;
                            return;
                        };
                        let head = format!(
                            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
                            body.len()
                        );
                        let _ = stream.write_all((head + &body).as_bytes()).await;
                    }
                });
            }
        });
        issuer
    }

    pub(crate) fn say(&self, said: Said) {
        *self.said.lock().unwrap() = said;
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(text).unwrap().to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

/// Waits for what must happen, however slow the machine is.
pub(crate) async fn until(mut happened: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
