//! Vectors of the further schemes: by doveadm 2.3.19 and libxcrypt 4.4.33, by Python's hashlib
//! for passlib's format, and those of the RFCs.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::hash::coding::{from_base64, hex, to_base64};
use crate::hash::*;

const PASSWORD: &[u8] = b"bench-pass";
const WIDE: &[u8] = "pässwörd 日本".as_bytes();
const LONG: &[u8] = &[b'x'; 100];
const LONGLONG: &[u8] = b"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglong\
    longlonglonglonglonglonglonglonglong";

/// At least one of each scheme and each way to write it.
pub(super) const VECTORS: &[(&str, &[u8])] = &[
    ("{MD5}$1$SVerD/IO$g4BhTPPGCZIC5cD2o3StZ1", PASSWORD),
    ("{MD5-CRYPT}$1$3bSZzgZ7$jpUrpj7vgCkpnC4FQeWLA.", PASSWORD),
    ("$1$saltstri$osaUc8jmwPHVGeSG8VY2g.", PASSWORD),
    ("$1$$CVioEtn7fe7fMBTWvFZmM1", PASSWORD),
    ("{CRYPT}$1$ab$maUgwYKOcN2L.EBEXApWx1", PASSWORD),
    ("$1$HmBgyDco$ElR/PmbiXD3vZd6VHlxBt1", WIDE),
    ("$1$salt$51yAwGz/Iwg/GE904D3BF.", LONG),
    ("$1$salt$M17PcHxFIEt5v7SAsS4v60", b"a"),
    ("{SHA}rCDNlL65dIEQRGAi3nnIqykce08=", PASSWORD),
    ("{SHA1}rCDNlL65dIEQRGAi3nnIqykce08", PASSWORD),
    ("{SHA256}/ZmmfCUS+9+Kt0x/qknEgZxVgzY8Tg+JEvKnGg8A/1Y=", PASSWORD),
    ("{SHA256.HEX}fd99a67c2512fbdf8ab74c7faa49c4819c5583363c4e0f8912f2a71a0f00ff56", PASSWORD),
    ("{sha256}FD99A67C2512fbdf8ab74c7faa49c4819c5583363c4e0f8912f2a71a0f00ff56", PASSWORD),
    (
        "{SHA512}r0i8+59afkWjt3CU3cspPeQsnv1NWY1drzmwccTHoKsWpO3dzUtMXX4C18vEHzN2iN9eZyB4wXwPWa+fE+B3mA==",
        PASSWORD,
    ),
    (
        "{SHA512.HEX}af48bcfb9f5a7e45a3b77094ddcb293de42c9efd4d598d5daf39b071c4c7a0ab16a4edddcd4b4c5d7e02d7cbc41f337688df5e672078c17c0f59af9f13e07798",
        PASSWORD,
    ),
    ("{SMD5}x42owXABOOwcdTO5wMCf8LN9+UI=", PASSWORD),
    ("{SMD5.HEX}5e088e8078f961ce0e90cc6c267e671936c36699", PASSWORD),
    ("{SSHA}mbPMnA3frGHkE4dpJdKHiG99s+XFJGLt", PASSWORD),
    ("{SSHA.HEX}6f71087b06db5560193bf5e9070fd5032b3835142f059ac3", PASSWORD),
    ("{SSHA}JDUhh1TmesktMbDt8WiE8Z0zf+HbJQbM", LONGLONG),
    ("{SSHA256}WCazJm1YA+/zAmGnVbLlwZCfaH3UCkni7tt7rK61l2+E4R6A", PASSWORD),
    (
        "{SSHA256.HEX}750015cc0f2e34259fa3ee06a39302e4827055f5070e3cf54b96585aec9a89db39fa58b4",
        PASSWORD,
    ),
    (
        "{SSHA512}Ffef4Vqm6UNFdM/7lI88CkE+EFvN8GawMCp5mL8srG4HSXqD5Y0RtYhMEk1RJ0xk8tf/Xb4v692vp1OH2G4Qxbr60Z4=",
        PASSWORD,
    ),
    (
        "{SSHA512.b64}9eLrPf3xjx/mdwNBsm5vyFsCnSR3L0l6VwqFVjzkhsXiNurgpkZXsSY+scctqnHP1xF8QTyZ3Zo7rQ9QZ2QD8HKNZrE=",
        WIDE,
    ),
    ("{LDAP-MD5}j6xuoAhO7Q0mM+wQ3SOTpg==", PASSWORD),
    ("{MD5}j6xuoAhO7Q0mM+wQ3SOTpg==", PASSWORD),
    ("{PLAIN-MD5}8fac6ea0084eed0d2633ec10dd2393a6", PASSWORD),
    ("{PLAIN-MD5.B64}j6xuoAhO7Q0mM+wQ3SOTpg==", PASSWORD),
    ("{CRAM-MD5}244c18215f619722fe9574e9c8574db22a730c2d0443f28a148696e9f0c8e6d2", PASSWORD),
    ("{HMAC-MD5}244C18215F619722FE9574E9C8574DB22A730C2D0443F28A148696E9F0C8E6D2", PASSWORD),
    ("{CRAM-MD5.B64}JEwYIV9hlyL+lXTpyFdNsipzDC0EQ/KKFIaW6fDI5tI=", PASSWORD),
    ("{CRAM-MD5}4a937a7063aa6421e44804612dc69f0f40da0af5e54b2e024e76e764adc66946", WIDE),
    ("{CRAM-MD5}ce3fcafc1642739876cac8e007590fab46260ea2896f9f9705c176e38a80f1a6", LONGLONG),
    ("{PBKDF2}$1$8HCOIaBH9V0TPzxu$5000$8112fa78d8d6e7d333c188b0d41169a62c7bfb38", PASSWORD),
    ("{PBKDF2}$1$1W1jjAL5ECkPpsHO$1000$f96ee7f31997c0a58b9f298f0a9af22ce7d97544", PASSWORD),
    ("{PBKDF2}$1$baEhFplBKa8qYx2N$5000$c9f867eadea6fe695f4af79bfd6a7393fc1ac5fb", WIDE),
    ("$pbkdf2$1200$8PHy8/T19vf4.fr7/P3./w$z2sauKz7k.bdz1CntftjNepnjrY", PASSWORD),
    (
        "$pbkdf2-sha256$1200$8PHy8/T19vf4.fr7/P3./w$UuijHKrItOZ8.I0Wxl.w5cwZUIslHxw1vEZ9oZO3lo0",
        PASSWORD,
    ),
    (
        "{PBKDF2}$pbkdf2-sha512$1200$8PHy8/T19vf4.fr7/P3./w$euxlZXsCk8ynSN1HmPP01PyoUQ491DsshOg4hTEBpFtDNhyZ/h3blLdyBEJH79qFMO3TrcZcBVqXuW4fWvXz8w",
        PASSWORD,
    ),
    (
        "{SCRAM-SHA-1}4096,XnMn/Ys5w9uIa4lR52c9jQ==,mb5TKqzweNflKyliK8bpmvUBMAs=,r58F0eD3RfElxbNd/cTgzDU1pXc=",
        PASSWORD,
    ),
    (
        "{SCRAM-SHA-1}4096,wCzywdoegExFS7yHT85DQQ==,yS9P7UIFlrg4vpqV1kLjKopKmlE=,/tpmqMFVWCUXhtTPHJkjjjeVJmQ=",
        WIDE,
    ),
    (
        "{SCRAM-SHA-256}4096,FjG3Nns/pCsbBTVtIC0VDA==,H95SzkCs4LtT4T87V2lC/FVHY9eiNVjCL6Ne21fUqxw=,LfzKwJd+P+MOo4c/wDzeRcJjnbp8dx+I89huqbJEod4=",
        PASSWORD,
    ),
    (
        "{SCRAM-SHA-256.B64}NDA5NixJekhtamtESGFiK3QvMEgwNlA2UEhRPT0sVVJNWVRjamt6bUpuYXJxSndlTGpPbWlmdHVjN3h3dWNTOWFDTTZZclZXZz0sQ1d0NURHTGJ0TXZBREI0anFrbERGWnNuOXdCMVJKM1JqaElKUDR6Mk53cz0=",
        PASSWORD,
    ),
    (
        "{SCRAM-SHA-256}4096,XX1qUS+GHlqHlGvvn928pg==,OcksBssxtODkaBbRLKnbQGYLGqfwE+jFxuTYQ+QS4D4=,/cBFWTzcxu0andIIsG2PDZYK72Sjgd8y+xjucBmB49Q=",
        LONGLONG,
    ),
    ("{DES-CRYPT}4GTgUjCJj8cW6", PASSWORD),
    ("{CRYPT}ab/z7EXUyF0fk", PASSWORD),
    ("{CRYPT}./5JNNX6oRtvw", PASSWORD),
    ("{CRYPT}zz5/jgJuZz2Rk", PASSWORD),
    ("{CRYPT}A93XX5lnB2Enw", PASSWORD),
    ("{CRYPT}ZzwM.07XybWK6", WIDE),
    ("{CRYPT}abzDJoqKYZJww", LONG),
    ("{CRYPT}abxxB7HlIeckU", b"a"),
    ("{CRYPT}ab1iBa.N.U2C6", b"12345678"),
    ("{PLAIN.B64}YmVuY2gtcGFzcw==", PASSWORD),
    ("{PLAIN.HEX}62656e63682d70617373", PASSWORD),
    ("{CLEAR}bench-pass", PASSWORD),
    ("{YESCRYPT}$y$j75$saltsaltsaltsalt$oJANGkrjA5H5B.q5HkowNF.A2dhCekbj7o2DoHRht/0", PASSWORD),
    ("$y$j75$$zX.N3mD7bFioMwsJKkrhVHwnbYT7m8T2YwOtAcCnTK.", PASSWORD),
    ("$y$j85.0$abcd$Vum9juYtFB1l8JrcZz1Q3KZH2wMxXTU02coyraSJdY/", PASSWORD),
    ("{CRYPT}$y$j75$abcd$S08k2ADoT1Mv/t4KvTBHF.5Yr3QEQqQSOipi7ufs7x2", WIDE),
    ("$y$j75$abcd$rHeI.u9HNB1La1Ad5C6b8kO0mO.Z6YqlmhwW7Zscaq1", LONG),
    // At the cost of crypt_gensalt's default, with a salt that it made.
    ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$73jjNDmNJVFIgwcxiaa44f0ck4DEFWLYxXccl6zKog2", PASSWORD),
];

#[test]
fn vectors_of_other_implementations_verify() {
    for (field, password) in VECTORS {
        let stored = StoredHash::parse(field).unwrap_or_else(|e| panic!("{field}: {e}"));
        assert!(stored.verify(password), "{field}");
        let mut other = password.to_vec();
        other[0] ^= 1;
        assert!(!stored.verify(&other), "{field}");
        assert!(!stored.verify(&password[..password.len().min(8) / 2]), "{field}");
        let again = StoredHash::parse(&stored.to_field()).unwrap();
        assert!(again.is_same(&stored), "{field}: {}", *stored.to_field());
    }
}

#[test]
fn there_is_a_vector_of_every_scheme() {
    let schemes: Vec<Scheme> = VECTORS
        .iter()
        .chain(super::VECTORS)
        .map(|(field, _)| StoredHash::parse(field).unwrap().scheme())
        .collect();
    // Argon2i's are the reference implementation's own.
    let missing: Vec<Scheme> = Scheme::every().filter(|s| !schemes.contains(s)).collect();
    assert_eq!(missing, [Scheme::Argon2i]);
}

#[test]
fn des_reads_eight_characters_and_seven_bits_of_each() {
    let stored = StoredHash::parse("{CRYPT}ab1iBa.N.U2C6").unwrap();
    assert!(stored.verify(b"123456789"));
    assert!(stored.verify(&b"12345678".map(|octet| octet | 0x80)));
    assert!(!stored.verify(b"1234567"));
}

#[test]
fn one_hash_written_in_two_ways_is_the_same() {
    let same =
        |a: &str, b: &str| StoredHash::parse(a).unwrap().is_same(&StoredHash::parse(b).unwrap());
    let digits = "{SHA256.HEX}fd99a67c2512fbdf8ab74c7faa49c4819c5583363c4e0f8912f2a71a0f00ff56";
    assert!(same(digits, "{SHA256}/ZmmfCUS+9+Kt0x/qknEgZxVgzY8Tg+JEvKnGg8A/1Y="));
    assert!(same(VECTORS[28].0, VECTORS[29].0) && same(VECTORS[28].0, VECTORS[30].0));
    assert!(same("$1$$CVioEtn7fe7fMBTWvFZmM1", "{crypt}$1$$CVioEtn7fe7fMBTWvFZmM1"));
    assert!(!same("{PLAIN}a", "{PLAIN}b"));
    assert!(!same(
        "{SSHA}mbPMnA3frGHkE4dpJdKHiG99s+XFJGLt",
        "{PLAIN}mbPMnA3frGHkE4dpJdKHiG99s+XFJGLt"
    ));
}

/// The exchange of RFC 5802 section 5 or RFC 7677 section 3, from the record alone.
fn exchange<const N: usize>(
    keys: &ScramKeys,
    [message, proof, signature]: [&str; 3],
    hmac: impl Fn(&[u8], &[u8]) -> [u8; N],
    digest: impl Fn([u8; N]) -> [u8; N],
) {
    let client_signature = hmac(keys.stored_key(), message.as_bytes());
    let proof = from_base64(proof).unwrap();
    let client_key: [u8; N] = std::array::from_fn(|at| proof[at] ^ client_signature[at]);
    assert_eq!(digest(client_key), keys.stored_key());
    assert_eq!(to_base64(&hmac(keys.server_key(), message.as_bytes())), signature);
}

#[test]
fn scram_keys_are_those_of_the_rfcs() {
    let salt = from_base64("QSXCR+Q6sek8bf92").unwrap();
    let keys = ScramKeys::derive(ScramHash::Sha1, b"pencil", &salt, 4096);
    let said = [
        "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
         s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
        "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ];
    let mac = |key: &[u8], message: &[u8]| {
        let mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
        mac.chain_update(message).finalize().into_bytes().into()
    };
    exchange(&keys, said, mac, |key: [u8; 20]| Sha1::digest(key).into());

    let salt = from_base64("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let keys = ScramKeys::derive(ScramHash::Sha256, b"pencil", &salt, 4096);
    let said = [
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,\
         r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ];
    let mac = |key: &[u8], message: &[u8]| {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(message).finalize().into_bytes().into()
    };
    exchange(&keys, said, mac, |key: [u8; 32]| Sha256::digest(key).into());
}

#[test]
fn scram_passwords_are_prepared_first_and_taken_as_they_are_second() {
    // By doveadm, which prepares nothing: a soft hyphen and a feminine ordinal.
    let raw = "I\u{ad}X\u{aa}".as_bytes();
    let field = "{SCRAM-SHA-1}4096,S3zz3mHAkb6p7NCAdw3pXg==,ZE4VhU12fo0AMNbeoBa3kf9acZE=,LFSBUhzT6cbcrQfJIcREDQtCApQ=";
    let stored = StoredHash::parse(field).unwrap();
    assert!(stored.verify(raw) && !stored.verify(b"IXa"));
    let argon2 = Argon2Params::default();
    for scheme in [Scheme::ScramSha1, Scheme::ScramSha256] {
        let recipe = HashRecipe::new(scheme, argon2).unwrap().with_rounds(4096).unwrap();
        let stored = recipe.make(raw).unwrap();
        assert!(stored.verify(raw) && stored.verify(b"IXa") && !stored.verify(b"IX"));
        // What SASLprep prohibits, and what is no text, is a password all the same.
        for odd in [&b"a\x07b"[..], b"\xff\xfe"] {
            assert!(recipe.make(odd).unwrap().verify(odd));
        }
    }
    // RFC 4013 section 3.
    let prepared = |text: &str| saslprep(text.as_bytes()).map(|octets| octets.to_vec());
    assert_eq!(prepared("I\u{ad}X").unwrap(), b"IX");
    assert_eq!(prepared("user").unwrap(), b"user");
    assert_eq!(prepared("USER").unwrap(), b"USER");
    assert_eq!(prepared("\u{aa}").unwrap(), b"a");
    assert_eq!(prepared("\u{2168}").unwrap(), b"IX");
    assert_eq!(prepared("\u{7}"), None);
    assert_eq!(prepared("\u{627}1"), None);
}

#[test]
fn scram_keys_come_from_their_own_scheme_alone() {
    let stored =
        StoredHash::parse(VECTORS.iter().find(|v| v.0.starts_with("{SCRAM-SHA-1}")).unwrap().0)
            .unwrap();
    let keys = stored.scram(ScramHash::Sha1).unwrap();
    assert_eq!((keys.iterations(), keys.salt().len()), (4096, 16));
    assert_eq!((keys.stored_key().len(), keys.server_key().len()), (20, 20));
    assert!(stored.scram(ScramHash::Sha256).is_none());
    assert!(StoredHash::parse("{PLAIN}x").unwrap().scram(ScramHash::Sha1).is_none());
    assert_eq!(format!("{keys:?}"), "ScramKeys(..)");
}

#[test]
fn cram_md5_answers_as_rfc_2195_has_it() {
    let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
    let secret = CramMd5Secret::of(b"tanstaaftanstaaf");
    assert_eq!(hex(&secret.respond(challenge)), "b913a602c7eda7a495b4e6e7334d3890");
    let stored = StoredHash::parse("{PLAIN}tanstaaftanstaaf").unwrap();
    assert_eq!(stored.cram_md5().unwrap().respond(challenge), secret.respond(challenge));
    // Every length of a challenge and of a key, against HMAC itself.
    for length in 0..150 {
        let (challenge, key) = (vec![b'c'; length], vec![b'k'; length + 1]);
        let mac = Hmac::<md5::Md5>::new_from_slice(&key).unwrap().chain_update(&challenge);
        let expected: [u8; 16] = mac.finalize().into_bytes().into();
        assert_eq!(CramMd5Secret::of(&key).respond(&challenge), expected, "{length}");
    }
    let field = VECTORS.iter().find(|v| v.0.starts_with("{CRAM-MD5}")).unwrap().0;
    let stored = StoredHash::parse(field).unwrap().cram_md5().unwrap();
    assert_eq!(stored.respond(b"x"), CramMd5Secret::of(PASSWORD).respond(b"x"));
    assert!(StoredHash::parse("{SHA}rCDNlL65dIEQRGAi3nnIqykce08=").unwrap().cram_md5().is_none());
    assert_eq!(format!("{secret:?}"), "CramMd5Secret(..)");
}

#[test]
fn new_hashes_are_made_in_every_target_and_meet_their_recipe() {
    let argon2 = Argon2Params::new(64, 1, 1).unwrap();
    let cheap = [
        (Scheme::BlfCrypt, 4, "{BLF-CRYPT}$2b$04$"),
        (Scheme::Sha512Crypt, 1000, "{SHA512-CRYPT}$6$rounds=1000$"),
        (Scheme::Yescrypt, 8, "{YESCRYPT}$y$j5T$"),
        (Scheme::ScramSha256, 4096, "{SCRAM-SHA-256}4096,"),
        (Scheme::ScramSha1, 4096, "{SCRAM-SHA-1}4096,"),
    ];
    for (scheme, rounds, begins) in cheap {
        let house = HashRecipe::new(scheme, argon2).unwrap();
        let recipe = house.with_rounds(rounds).unwrap();
        let stored = recipe.make(WIDE).unwrap();
        assert!(stored.to_field().starts_with(begins), "{}", *stored.to_field());
        assert!(stored.verify(WIDE) && !stored.verify(PASSWORD), "{scheme}");
        assert!(!stored.is_same(&recipe.make(WIDE).unwrap()), "each has its own salt");
        let again = StoredHash::parse(&stored.to_field()).unwrap();
        assert!(recipe.is_met_by(&again) && !house.is_met_by(&again), "{scheme}");
        assert_eq!(recipe.make(b"a\nb").unwrap_err(), HashError::PasswordCharacter);
        for out in [0, u32::MAX] {
            assert!(house.with_rounds(out).is_err(), "{scheme} {out}");
        }
    }
    let targets = |scheme: &Scheme| HashRecipe::new(*scheme, argon2).is_ok();
    assert_eq!(Scheme::every().filter(targets).count(), 6);
    let refused = HashRecipe::new(Scheme::Ssha, argon2).unwrap_err().to_string();
    assert!(refused.contains("no new hashes are made in SSHA"), "{refused}");
}

#[test]
fn an_argon2_recipe_is_met_by_as_much_memory_and_work() {
    let params = |memory, passes| Argon2Params::new(memory, passes, 1).unwrap();
    let recipe = HashRecipe::new(Scheme::Argon2id, params(64, 2)).unwrap();
    let met = |memory, passes| recipe.is_met_by(&hash_new(b"x", &params(memory, passes)).unwrap());
    assert!(met(64, 2) && met(128, 1) && met(64, 3) && met(256, 2));
    assert!(!met(64, 1) && !met(32, 4) && !met(127, 1));
    let other =
        "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E";
    assert!(!recipe.is_met_by(&StoredHash::parse(other).unwrap()));
    assert!(recipe.with_rounds(9).is_err());
}

#[test]
fn weak_hashes_are_read_and_not_permitted() {
    let none = WeakSchemes::default();
    let stored = StoredHash::parse("{CRYPT}ab/z7EXUyF0fk").unwrap();
    let problem = stored.permitted(&none).unwrap_err().to_string();
    assert!(problem.contains("auth.weak_schemes") && problem.contains("\"CRYPT\""), "{problem}");
    assert!(stored.permitted(&WeakSchemes::all()).is_ok());
    assert!(StoredHash::parse("$1$$CVioEtn7fe7fMBTWvFZmM1").unwrap().permitted(&none).is_ok());
}
