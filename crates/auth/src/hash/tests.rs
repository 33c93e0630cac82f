//! Vectors made by other implementations (libxcrypt by Python's crypt, Dovecot's doveadm), and
//! fields that must be refused.

mod vectors;

use proptest::prelude::*;

use super::*;

/// One or more of each scheme.
const VECTORS: &[(&str, &[u8])] = &[
    (
        "{SHA512-CRYPT}$6$lastpostbench001$kDPrEr0fzDIL6Ve6sJYamKkOgJT4CPcShMY3A.tdGbaV/I0/hULyz279i2/ps5TtMSc6SRsBWW1W5pP5NoBAW/",
        b"bench-pass",
    ),
    (
        "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$bGFzdHBvc3RiZW5jaDAwMQ$hb30xK1vvhCLVAoHIKrEpp0GMvt0JcImbsMr7CtRQqs",
        b"bench-pass",
    ),
    ("$5$saltstring$CWUlvG1ge.eiWW6hiUcoBrpxgluuAicIjJuZAWOzM48", b"bench-pass"),
    ("$5$rounds=1500$saltstring$f69uhRgrhvZiW3zMEC.WRd8rShdlHApB6Mg2nrEpig1", b"bench-pass"),
    (
        "{SHA256-CRYPT}$5$abcdefghijklmnop$OEjsy/odwGIAAG93169wJhnuL3KVJ5801ovu88WNKG3",
        "pässwörd 日本".as_bytes(),
    ),
    (
        "$6$rounds=1500$saltstring$ih2a.bg7GfWIu8dU4Tu8kyy6ic.KDM9uaEsycjEQpfuktsF1na7a1N6rPvnAiQuYUUspRT7zMIXynEvWeIVrq1",
        b"bench-pass",
    ),
    (
        "{CRYPT}$6$$8y6PVYqQtpfG9xvTRhDP.6tpSIg3DtzuDw2JYBjJ46A1LHSd9Wm7027UoVGmvDUOetYPPD70QtxyqGSDZzZ6v1",
        b"bench-pass",
    ),
    (
        "$6$abcdefgh_+ijklmn$aUg1mNHao093Km0mTPCsdTvLmZ1frZGMFfqThzfQp7gO3lsQIafn3bppRQ0kliwAPEXjlbBfhjv/a.Tvj5jBf.",
        &[b'x'; 100],
    ),
    ("{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW", b"bench-pass"),
    ("$2a$04$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW", b"bench-pass"),
    ("$2y$05$abcdefghijklmnopqrstuuhX4u7rKdHxj.zViX/DAg3XRTutam8H.", b"bench-pass"),
    // bcrypt reads 72 octets: the eight that follow do not matter.
    ("$2b$04$abcdefghijklmnopqrstuuwurWIdVVT4m5pTArtqnFNM69nySdHj.", &[b'y'; 80]),
    ("{PLAIN}bench-pass", b"bench-pass"),
    ("{cleartext}{PLAIN}", b"{PLAIN}"),
];

#[test]
fn vectors_of_other_implementations_verify() {
    for (field, password) in VECTORS {
        let stored = StoredHash::parse(field).unwrap();
        assert!(stored.verify(password), "{field}");
        assert!(!stored.verify(b"bench-pasS"), "{field}");
        assert!(!stored.verify(b"bench-pas"), "{field}");
        let other_half: &[u8] = &password[..password.len() / 2];
        assert!(!stored.verify(other_half), "{field}");
    }
}

#[test]
fn bcrypt_ignores_what_lies_behind_72_octets_and_nothing_before() {
    let field = "$2b$04$abcdefghijklmnopqrstuuwurWIdVVT4m5pTArtqnFNM69nySdHj.";
    let stored = StoredHash::parse(field).unwrap();
    assert!(stored.verify(&[b'y'; 72]));
    assert!(!stored.verify(&[b'y'; 71]));
}

#[test]
fn argon2_old_versions_and_variants_verify() {
    // From the reference implementation's own tests (phc-winner-argon2, test.c).
    let vectors = [
        "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2i$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs",
    ];
    for text in vectors {
        assert!(StoredHash::parse(text).unwrap().verify(b"password"), "{text}");
    }
}

#[test]
fn what_doveadm_makes_is_affordable() {
    let field = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$bGFzdHBvc3RiZW5jaDAwMQ$nRLgYDT9TRdcw7gOfJPlw/wx48/5uvXADN647TfpGRA";
    assert!(StoredHash::parse(field).unwrap().verify(b"bench-pass"));
}

#[test]
fn the_scheme_is_read_in_any_case_and_kept() {
    for (field, scheme) in [
        ("{plain}x", Scheme::Plain),
        (
            "{Blf-Crypt}$2b$04$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW",
            Scheme::BlfCrypt,
        ),
        (VECTORS[2].0, Scheme::Sha256Crypt),
    ] {
        let stored = StoredHash::parse(field).unwrap();
        assert_eq!(stored.scheme(), scheme);
        let again = StoredHash::parse(&stored.to_field()).unwrap();
        assert_eq!((again.scheme(), again.text()), (stored.scheme(), stored.text()));
    }
}

#[test]
fn fields_that_cannot_be_verified_are_refused_with_what_was_expected() {
    let salt = "c29tZXNhbHQ";
    let hash = "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    let cases = [
        (String::new(), "no password scheme"),
        ("secret".into(), "{ARGON2ID}"),
        ("{PLAIN".into(), "no password scheme"),
        ("{PLAIN}".into(), "a password behind"),
        ("{NTLM}abcdef".into(), "unknown password scheme \"NTLM\""),
        ("{SSHA.rot13}abcdef".into(), "unknown password scheme \"SSHA.rot13\""),
        ("{CRYPT}$3$x".into(), "no password scheme"),
        ("{CRYPT}".into(), "13 of the characters"),
        ("{CRYPT}ab1234567890".into(), "13 of the characters"),
        ("{CRYPT}_J9..rasmBYk8r9AiWNc".into(), "13 of the characters"),
        ("{SSHA}abcdef".into(), "a salt of 1 to 64 octets"),
        ("{SSHA}rCDNlL65dIEQRGAi3nnIqykce08=".into(), "a salt of 1 to 64 octets"),
        ("{SHA}rCDNlL65dIEQRGAi3nnIqykceQ==".into(), "digits of the digest"),
        ("{SHA.hex}rCDNlL65dIEQRGAi3nnIqykce08=".into(), "digits of the digest"),
        ("{SHA256}".into(), "digits of the digest"),
        ("{PLAIN.hex}6g".into(), "hexadecimal digits"),
        ("{PLAIN.b64}/w==".into(), "base64"),
        ("$1$ninechars$abcdefghijklmnopqrstu.".into(), "at most 8 characters"),
        ("$1$salt$abcdefghijklmnopqrstu".into(), "22 characters"),
        ("{CRAM-MD5}244c18".into(), "64 hexadecimal digits"),
        ("{PBKDF2}$1$salt$0$8112fa78d8d6e7d333c188b0d41169a62c7bfb38".into(), "$1$salt$rounds$"),
        (
            "{PBKDF2}$1$salt$2000001$8112fa78d8d6e7d333c188b0d41169a62c7bfb38".into(),
            "the limit is 2000000",
        ),
        (
            "{PBKDF2}$1$salt$99999999999$8112fa78d8d6e7d333c188b0d41169a62c7bfb38".into(),
            "$1$salt$rounds$",
        ),
        ("{PBKDF2}$1$salt$5000$8112fa".into(), "40 hexadecimal digits"),
        ("$pbkdf2-sha256$1200$8PHy8/T19vf4$UuijHKrItOZ8".into(), "$pbkdf2-sha256$rounds$"),
        (
            format!("$pbkdf2-sha512$1000001$8PHy${}", "a".repeat(85) + "A"),
            "the limit is 1000000",
        ),
        ("{SCRAM-SHA-1}0,c2FsdA==,rCDNlL65dIEQRGAi3nnIqykce08=,rCDNlL65dIEQRGAi3nnIqykce08=".into(), "iterations,salt,"),
        ("{SCRAM-SHA-1}+9,c2FsdA==,rCDNlL65dIEQRGAi3nnIqykce08=,rCDNlL65dIEQRGAi3nnIqykce08=".into(), "iterations,salt,"),
        ("{SCRAM-SHA-1}1000001,c2FsdA==,rCDNlL65dIEQRGAi3nnIqykce08=,rCDNlL65dIEQRGAi3nnIqykce08=".into(), "the limit is 1000000"),
        ("{SCRAM-SHA-256}4096,c2FsdA==,rCDNlL65dIEQRGAi3nnIqykce08=,rCDNlL65dIEQRGAi3nnIqykce08=".into(), "iterations,salt,"),
        ("{SCRAM-SHA-1}4096,,rCDNlL65dIEQRGAi3nnIqykce08=,rCDNlL65dIEQRGAi3nnIqykce08=".into(), "iterations,salt,"),
        ("$y$j9T$abcd".into(), "$y$, parameters"),
        (format!("$y$jFT$abcd${}", "a".repeat(42) + "."), "the limit is 262144"),
        (format!("$y$/9T$abcd${}", "a".repeat(42) + "."), "begin with j"),
        (format!("$y$j953/2$abcd${}", "a".repeat(42) + "."), "without upgrades"),
        (format!("$y$j954/$abcd${}", "a".repeat(42) + "."), "without upgrades"),
        (format!("$y$j9T$abc_${}", "a".repeat(42) + "."), "$y$"),
        (format!("$y$$abcd${}", "a".repeat(42) + "."), "$y$"),
        (format!("$y$jzzzzzzz$abcd${}", "a".repeat(42) + "."), "$y$"),
        (
            "$2x$04$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW".into(),
            "no password scheme",
        ),
        ("$2b$04$tooshort".into(), "53 characters"),
        ("$2b$+4$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW".into(), "two digits"),
        ("$2b$03$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW".into(), "04 to 15"),
        ("$2b$31$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW".into(), "the limit is 15"),
        ("$6$salt$short".into(), "86 characters"),
        (format!("$6$salt${}", "é".repeat(43)), "86 characters"),
        (format!("$6$rounds=999$salt${}", "a".repeat(86)), "1000 to 2000000"),
        (format!("$6$rounds=+5000$salt${}", "a".repeat(86)), "1000 to 2000000"),
        (format!("$6$rounds=2000001$salt${}", "a".repeat(86)), "the limit is 2000000"),
        (format!("$6$rounds=9999999999$salt${}", "a".repeat(86)), "1000 to 2000000"),
        (format!("$5$seventeencharsxxx${}", "a".repeat(43)), "43 characters"),
        (format!("$argon2id$v=18$m=256,t=2,p=2${salt}${hash}"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$t=2,m=256,p=2${salt}${hash}"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$m=256,t=2,p=2,x=1${salt}${hash}"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$m=0256,t=2,p=2${salt}${hash}"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$m=256,t=2,p=2${salt}${hash}$"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$m=256,t=2,p=2${salt}=${hash}"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$m=256,t=2,p=2$c2hvcnQ${hash}"), "a salt of 8"),
        (format!("$argon2id$v=19$m=256,t=2,p=2${salt}$c29tZXNhbHQ"), "a hash of 16"),
        (format!("$argon2id$v=19$m=8,t=2,p=2${salt}${hash}"), "8 KiB of memory for each lane"),
        (format!("$argon2id$v=19$m=4194304,t=1,p=1${salt}${hash}"), "the limit is 262144"),
        (format!("$argon2id$v=19$m=262144,t=5,p=1${salt}${hash}"), "the limit is 1048576"),
        (format!("$argon2id$v=19$m=4294967295,t=4294967295,p=1${salt}${hash}"), "limit"),
        (format!("$argon2id$v=19$m=4294967296,t=1,p=1${salt}${hash}"), "$argon2id$v=19$"),
        (format!("$argon2id$v=19$m=4096,t=1,p=400${salt}${hash}"), "the limit is 16"),
        (format!("{{PLAIN}}{}", "x".repeat(2000)), "at most 1024"),
    ];
    for (field, expected) in cases {
        let error = StoredHash::parse(&field).expect_err(&field).to_string();
        assert!(error.contains(expected), "{field}: {error}");
        assert!(!error.contains("c29tZXNhbHQ") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn new_hashes_are_argon2id_at_the_cost_asked_for() {
    let cost = Argon2Params::new(64, 2, 1).unwrap();
    let stored = hash_new("kennwört 1".as_bytes(), &cost).unwrap();
    assert!(stored.to_field().starts_with("{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$"));
    assert!(stored.verify("kennwört 1".as_bytes()));
    assert!(!stored.verify(b"kennwort 1"));
    let again = hash_new("kennwört 1".as_bytes(), &cost).unwrap();
    assert_ne!(stored.text(), again.text(), "each hash has its own salt");
    assert_eq!(Argon2Params::default().numbers(), [19456, 2, 1]);
}

#[test]
fn passwords_that_no_client_could_send_are_refused() {
    let cost = Argon2Params::new(64, 1, 1).unwrap();
    let hash = |password: &[u8]| hash_new(password, &cost).map(|_| ()).unwrap_err();
    assert_eq!(hash(b""), HashError::PasswordLength);
    assert_eq!(hash(&[b'x'; PASSWORD_MAX + 1]), HashError::PasswordLength);
    for bad in [b"a\0b", b"a\rb", b"a\nb"] {
        assert_eq!(hash(bad), HashError::PasswordCharacter);
    }
    assert!(hash_new(&[0xff; PASSWORD_MAX], &cost).unwrap().verify(&[0xff; PASSWORD_MAX]));
}

#[test]
fn what_crypt_would_cut_at_a_nul_is_wrong() {
    let stored = StoredHash::parse("{PLAIN}secret").unwrap();
    assert!(!stored.verify(b"secret\0"));
    assert!(!stored.verify(b""));
    let blf = StoredHash::parse(VECTORS[8].0).unwrap();
    assert!(!blf.verify(b"bench-pass\0"));
}

#[test]
fn decoys_cost_the_same_and_fit_nobody() {
    for (field, password) in VECTORS.iter().chain(vectors::VECTORS) {
        let stored = StoredHash::parse(field).unwrap();
        let decoy = stored.decoy().unwrap();
        assert_eq!(decoy.cost_class().unwrap(), stored.cost_class().unwrap(), "{field}");
        assert_ne!(decoy.text(), stored.text());
        assert_eq!(decoy.is_instant(), stored.is_instant());
        if stored.scheme() != Scheme::Plain {
            assert_eq!(decoy.text().len(), stored.text().len(), "{field}");
        }
        assert!(!decoy.verify(password));
    }
    let nobody = StoredHash::nobody(&Argon2Params::default()).unwrap();
    let params = StoredHash::parse(VECTORS[1].0).unwrap().cost_class().unwrap();
    assert_eq!(nobody.cost_class().unwrap(), params);
}

#[test]
fn nothing_of_a_hash_is_printed() {
    for (field, _) in VECTORS.iter().chain(vectors::VECTORS) {
        let stored = StoredHash::parse(field).unwrap();
        assert_eq!(
            format!("{stored:?} {:?}", Some(&stored)),
            "StoredHash(..) Some(StoredHash(..))"
        );
    }
}

#[test]
fn memory_is_kept_for_the_next_hash_and_given_back_when_told() {
    let mut workspace = Workspace::new();
    let cost = Argon2Params::new(128, 1, 1).unwrap();
    let stored = hash_new(b"a", &cost).unwrap();
    assert!(stored.verify_in(&mut workspace, b"a").unwrap());
    assert_eq!(workspace.kib(), 128);
    let smaller = hash_new(b"a", &Argon2Params::new(32, 1, 1).unwrap()).unwrap();
    assert!(smaller.verify_in(&mut workspace, b"a").unwrap(), "dirty memory changes nothing");
    assert!(stored.verify_in(&mut workspace, b"a").unwrap());
    assert_eq!(workspace.kib(), 128);
    workspace.release();
    assert_eq!(workspace.kib(), 0);
}

proptest! {
    #[test]
    fn any_field_parses_or_is_refused(field in "[${}a-zA-Z0-9,=./+-]{0,120}|\\PC{0,60}") {
        let _ = StoredHash::parse(&field);
    }

    #[test]
    fn fields_near_real_ones_never_panic(
        which in 0..VECTORS.len() + vectors::VECTORS.len(),
        at in any::<prop::sample::Index>(),
        with in any::<char>(),
    ) {
        let (field, _) = VECTORS.iter().chain(vectors::VECTORS).nth(which).unwrap();
        let mut field: Vec<char> = field.chars().collect();
        let at = at.index(field.len());
        field[at] = with;
        let field: String = field.into_iter().collect();
        if let Ok(stored) = StoredHash::parse(&field) {
            let decoy = stored.decoy().unwrap();
            prop_assert_eq!(decoy.cost_class().unwrap(), stored.cost_class().unwrap());
        }
    }
}
