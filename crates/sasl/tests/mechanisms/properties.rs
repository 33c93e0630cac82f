//! Whatever a client sends: nothing panics, and nobody is let in who does not know the password.

use proptest::collection::vec;
use proptest::prelude::*;
use sasl::{Exchange, Mechanism, Step};

use super::kit::{Client, Keys, ROUNDS, SALT, SCRAM, bound, challenge, say, terms};

fn any_mechanism() -> impl Strategy<Value = Mechanism> {
    proptest::sample::select(&Mechanism::EVERY[..])
}

const PIECES: &[&str] = &[
    "n,,",
    "y,,",
    "p=tls-exporter,,",
    "a=",
    "n=user",
    "r=",
    ",",
    "=2C",
    "=3D",
    "=",
    "c=biws",
    "p=",
    "v=",
    "m=",
    "\x01",
    "\0",
    "auth=Bearer ",
    "user=",
    "abc",
    " ",
    "0123456789abcdef",
    "\u{fb01}",
];

/// Octets that are likely to get far: pieces of real messages, and anything.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(|piece: &str| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// Answers what a step asks for as a server with one account does; whether that lets it in.
fn serve(step: Step) -> Result<Exchange, bool> {
    match step {
        Step::Challenge(_, exchange) => Ok(exchange),
        Step::Salt(request) => Ok(challenge(request.answer(SALT, ROUNDS)).1),
        Step::Proof(check) => {
            let step = check.check(&[1; 32], &[2; 32]);
            assert!(matches!(step, Step::Failed(_)));
            Err(false)
        }
        Step::Token(check) => Ok(challenge(check.refuse(&sasl::TokenHelp::default())).1),
        Step::Digest(check) => Err(check.is(&[3; 16])),
        Step::Proven => Err(true),
        Step::Password(_) | Step::TokenRefused | Step::Certificate { .. } | Step::Failed(_) => {
            Err(false)
        }
    }
}

proptest! {
    #[test]
    fn no_octets_panic_and_none_open_an_account(
        mechanism in any_mechanism(),
        tls in any::<bool>(),
        start in any::<bool>(),
        messages in vec(message(), 1..5),
    ) {
        let mut exchange = Exchange::new(mechanism, if tls { bound() } else { terms() });
        if start {
            exchange = challenge(exchange.start()).1;
        }
        for message in messages {
            match serve(say(exchange, message)) {
                Ok(next) => exchange = next,
                Err(opened) => {
                    prop_assert!(!opened);
                    break;
                }
            }
        }
    }

    #[test]
    fn no_octet_of_the_last_message_can_be_changed(
        mechanism in proptest::sample::select(&SCRAM[..]),
        place in any::<usize>(),
        change in 1..=255_u8,
    ) {
        let client = Client { bend: Some((place, change)), ..Client::new(mechanism) };
        prop_assert!(client.log_in().is_err());
    }

    #[test]
    fn no_other_password_is_right(
        mechanism in proptest::sample::select(&SCRAM[..]),
        password in vec(any::<u8>(), 0..40),
    ) {
        // PBKDF2 fills a short key up with zeros: those are one password to it.
        let trimmed = password.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        prop_assume!(password[..trimmed] != *b"pencil");
        let client = Client { password, ..Client::new(mechanism) };
        prop_assert!(client.log_in().is_err());
    }

    #[test]
    fn nothing_that_either_side_signed_can_be_changed_on_the_way(
        mechanism in proptest::sample::select(&SCRAM[..]),
        place in any::<usize>(),
        change in 1..=255_u8,
    ) {
        let (check, signed) = Client::new(mechanism).prove().unwrap();
        let mut bent = signed.clone().into_bytes();
        let place = place % bent.len();
        bent[place] = bent[place].wrapping_add(change);
        let keys = Keys::of(mechanism, b"pencil", SALT, ROUNDS);
        let (told, _) = challenge(check.check(&keys.stored, &keys.server));
        prop_assert_eq!(&told, &keys.signature(&signed));
        if let Ok(bent) = String::from_utf8(bent) {
            prop_assert_ne!(told, keys.signature(&bent), "the client sees that it was changed");
        }
    }

    #[test]
    fn a_name_comes_back_as_it_was_escaped(name in "[a-z=,@. ]{1,20}") {
        let escaped = name.replace('=', "=3D").replace(',', "=2C");
        let exchange = Exchange::new(Mechanism::ScramSha256, terms());
        let step = say(exchange, format!("n,a={escaped},n={escaped},r=abc"));
        let Step::Salt(request) = step else { return Err(TestCaseError::fail(format!("{step:?}"))) };
        prop_assert_eq!((request.login(), request.authzid()), (&*name, Some(&*name)));
    }
}
