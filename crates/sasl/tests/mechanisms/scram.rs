//! SCRAM: the examples of RFC 5802 and RFC 7677, channel binding, names, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sasl::{Exchange, Mechanism, SaslError, Step, Terms};

use super::kit::{
    Client, Keys, ROUNDS, SALT, SCRAM, bound, challenge, exchange, failed, failure, nobodys, say,
    terms,
};

/// The nonce, the salt, the messages and the server's last one, of the user `user` with the
/// password `pencil`.
fn example(mechanism: Mechanism, nonce: &str, salt: &str, [first, last]: [&str; 2], end: &str) {
    let terms = Terms { nonce: nonce.to_owned(), ..terms() };
    let Step::Salt(request) = say(Exchange::new(mechanism, terms), first) else { panic!() };
    assert_eq!((request.login(), request.authzid()), ("user", None));
    let octets = STANDARD.decode(salt).unwrap();
    let (sent, exchange) = challenge(request.answer(&octets, 4096));
    let client_nonce = first.rsplit("r=").next().unwrap();
    assert_eq!(sent, format!("r={client_nonce}{nonce},s={salt},i=4096"));
    let Step::Proof(check) = say(exchange, last) else { panic!() };
    assert_eq!(check.login(), "user");
    let keys = Keys::of(mechanism, b"pencil", &octets, 4096);
    let (sent, exchange) = challenge(check.check(&keys.stored, &keys.server));
    assert_eq!(sent, end);
    assert!(matches!(say(exchange, b""), Step::Proven));
}

#[test]
fn the_example_of_rfc_5802_section_5() {
    example(
        Mechanism::ScramSha1,
        "3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92",
        [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        ],
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    );
}

#[test]
fn the_example_of_rfc_7677_section_3() {
    example(
        Mechanism::ScramSha256,
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        ],
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    );
}

#[test]
fn each_mechanism_lets_its_own_client_in_and_no_wrong_password() {
    for mechanism in SCRAM {
        Client::new(mechanism).log_in().unwrap();
        let client = Client { password: b"pen".to_vec(), ..Client::new(mechanism) };
        assert_eq!(client.log_in(), Err(failed(SaslError::Wrong, "user")), "{mechanism}");
    }
}

#[test]
fn a_nonce_is_new_in_each_exchange_and_has_the_clients_in_front() {
    let nonce = |octet| {
        let terms = Terms::fresh(&[octet; 18], 0);
        let Step::Salt(request) =
            say(Exchange::new(Mechanism::ScramSha256, terms), "n,,n=user,r=abc")
        else {
            panic!()
        };
        challenge(request.answer(SALT, ROUNDS)).0
    };
    assert!(nonce(1).starts_with("r=abc") && nonce(1) != nonce(2));
    assert_eq!(nonce(255).split(',').next().unwrap().len(), "r=abc".len() + 24);
}

#[test]
fn without_an_initial_response_the_client_is_asked_to_speak_first() {
    let (asked, exchange) = challenge(exchange(Mechanism::ScramSha1).start());
    assert_eq!(asked, "");
    assert!(matches!(say(exchange, "n,,n=user,r=abc"), Step::Salt(_)));
}

/// A client with this header and this behind `c=`, where all is offered.
fn with_binding(mechanism: Mechanism, header: &str, binding: &[u8]) -> Result<(), SaslError> {
    let client =
        Client { header: header.to_owned(), binding: binding.to_vec(), ..Client::new(mechanism) };
    client.log_in().map_err(|failure| {
        assert!(failure.login.is_none_or(|login| login == "user"));
        failure.error
    })
}

#[test]
fn the_channel_is_bound_to_by_exporter_or_end_point() {
    let plus = |header: &str, data: &[u8]| {
        let binding = [header.as_bytes(), data].concat();
        with_binding(Mechanism::ScramSha256Plus, header, &binding)
    };
    assert_eq!(plus("p=tls-exporter,,", &[7; 32]), Ok(()));
    assert_eq!(plus("p=tls-server-end-point,,", &[8; 32]), Ok(()));
    assert_eq!(plus("p=tls-exporter,a=user,", &[7; 32]), Ok(()));
    for (header, data) in [
        ("p=tls-exporter,,", &[8; 32][..]),
        ("p=tls-exporter,,", &[7; 31]),
        ("p=tls-exporter,,", &[7; 33]),
        ("p=tls-exporter,,", &[]),
        ("p=tls-server-end-point,,", &[7; 32]),
        ("p=tls-unique,,", &[7; 32]),
        ("p=TLS-EXPORTER,,", &[7; 32]),
        ("n,,", &[]),
        ("n,,", &[7; 32]),
        ("y,,", &[]),
    ] {
        assert_eq!(plus(header, data), Err(SaslError::ChannelBinding), "{header} {data:?}");
    }
    // A session without TLS has nothing to bind to, whatever the client brings.
    for header in ["p=tls-exporter,,", "p=tls-server-end-point,,"] {
        let client = Client {
            terms: terms(),
            header: header.to_owned(),
            binding: header.into(),
            ..Client::new(Mechanism::ScramSha256Plus)
        };
        assert_eq!(client.log_in().unwrap_err().error, SaslError::ChannelBinding);
    }
}

#[test]
fn what_is_behind_c_is_the_header_to_the_octet() {
    for (mechanism, header) in [
        (Mechanism::ScramSha1, "n,,"),
        (Mechanism::ScramSha256, "n,a=user,"),
        (Mechanism::ScramSha256Plus, "p=tls-exporter,,"),
    ] {
        for binding in [
            &b""[..],
            b"n",
            b"n,",
            b"y,,",
            b"n,a=,",
            b"n,,,",
            b"n,,\0",
            b"N,,",
            b"n,a=root,",
            b"n,a=USER,",
            b"p=tls-exporter,,",
            b"p=tls-exporter,,\0",
            b"eSws",
            b"p=tls-unique,,",
        ] {
            let answer = with_binding(mechanism, header, binding);
            assert_eq!(answer, Err(SaslError::ChannelBinding), "{mechanism} {binding:?}");
        }
    }
}

#[test]
fn a_client_that_was_told_of_no_channel_binding_although_it_is_offered_has_been_lied_to() {
    for mechanism in [Mechanism::ScramSha1, Mechanism::ScramSha256] {
        assert_eq!(with_binding(mechanism, "y,,", b"y,,"), Err(SaslError::ChannelBinding));
        let told = Client {
            header: "y,,".to_owned(),
            binding: b"y,,".to_vec(),
            terms: Terms { plus_offered: false, ..bound() },
            ..Client::new(mechanism)
        };
        told.log_in().unwrap();
        // Whoever uses it names the mechanism that has it.
        let answer = with_binding(mechanism, "p=tls-exporter,,", b"p=tls-exporter,,");
        assert_eq!(answer, Err(SaslError::ChannelBinding));
    }
}

#[test]
fn names_are_unescaped_prepared_and_given() {
    for (written, login) in [
        ("a=2Cb=3Dc", "a,b=c"),
        ("aiko@example.jp", "aiko@example.jp"),
        // RFC 4013 section 3: mapped to nothing, kept, and by NFKC.
        ("I\u{ad}X", "IX"),
        ("USER", "USER"),
        ("\u{aa}", "a"),
        ("\u{2168}", "IX"),
        // Younger than the tables of RFC 3454.
        ("\u{1f980}@example.jp", "\u{1f980}@example.jp"),
    ] {
        let step = say(exchange(Mechanism::ScramSha256), format!("n,a=x=2Cy,n={written},r=abc"));
        let Step::Salt(request) = step else { panic!("{written}: {step:?}") };
        assert_eq!((request.login(), request.authzid()), (login, Some("x,y")));
    }
    for written in ["\u{7}", "\u{627}1", "\u{ad}", "a\u{200e}", "\u{1f980}\u{7}"] {
        let step = say(exchange(Mechanism::ScramSha256), format!("n,,n={written},r=abc"));
        assert_eq!(failure(step), failed(SaslError::Malformed, written), "RFC 4013 section 3");
    }
}

#[test]
fn an_extension_that_must_not_be_ignored_is_refused_and_others_are_not() {
    let bare = |bare: &str| {
        let bare = bare.to_owned();
        Client { bare, ..Client::new(Mechanism::ScramSha256) }.log_in()
    };
    assert_eq!(bare("n=user,r=abc,x=1,z=a=b"), Ok(()));
    assert_eq!(bare("m=x,n=user,r=abc"), Err(nobodys(SaslError::Malformed)));
    assert_eq!(bare("n=user,r=abc,m=x"), Err(failed(SaslError::Malformed, "user")));
}

#[test]
fn the_last_message_has_to_be_of_this_exchange() {
    let begin = || {
        let step = say(exchange(Mechanism::ScramSha256), "n,,n=user,r=abc");
        let Step::Salt(request) = step else { panic!("{step:?}") };
        challenge(request.answer(SALT, ROUNDS))
    };
    let (first, _) = begin();
    let nonce = first.split(',').next().unwrap().to_owned();
    let proof = STANDARD.encode([0; 32]);
    for (message, error) in [
        (format!("c=biws,r=abc,p={proof}"), SaslError::Wrong),
        (format!("c=biws,{nonce}x,p={proof}"), SaslError::Wrong),
        (format!("c=biws,{},p={proof}", &nonce[..nonce.len() - 1]), SaslError::Wrong),
        (format!("c=biws,{nonce},p={}", STANDARD.encode([0; 31])), SaslError::Malformed),
        (format!("c=biws,{nonce},p={}", STANDARD.encode([0; 33])), SaslError::Malformed),
        (format!("c=biws,{nonce},p="), SaslError::Malformed),
        (format!("c=biws,{nonce}"), SaslError::Malformed),
        (format!("c=biws,{nonce},m=x,p={proof}"), SaslError::Malformed),
        (format!("c=eSws,{nonce},p={proof}"), SaslError::ChannelBinding),
        (String::new(), SaslError::Malformed),
    ] {
        let step = say(begin().1, &message);
        assert_eq!(failure(step), failed(error, "user"), "{message}");
    }
}

#[test]
fn keys_of_nobody_fit_no_proof() {
    for mechanism in SCRAM {
        for keys in [&[][..], &[0; 19], &[0; 20], &[0; 32], &[0; 64]] {
            let (check, _) = Client::new(mechanism).prove().unwrap();
            assert_eq!(failure(check.check(keys, keys)), failed(SaslError::Wrong, "user"));
        }
    }
}

#[test]
fn a_client_that_goes_on_after_the_end_is_no_client() {
    let client = Client::new(Mechanism::ScramSha256);
    let (check, _) = client.prove().unwrap();
    let keys = Keys::of(client.mechanism, b"pencil", SALT, ROUNDS);
    let (_, exchange) = challenge(check.check(&keys.stored, &keys.server));
    assert_eq!(failure(say(exchange, "more")), nobodys(SaslError::Malformed));
}
