//! Properties of AUTH: whatever a client sends, in whatever pieces, nobody is authenticated but by
//! the daemon's word, and only for as long as it holds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use proptest::prelude::*;
use sasl::Mechanism;
use server_kit::{Conversation, all_extensions, parameters};
use smtp_proto::server::{Mechanisms, Parameters};

/// A session that a great many errors do not end, with every mechanism on offer.
fn open(tls: bool, starttls: bool) -> Conversation {
    let parameters = Parameters {
        errors_max: u32::MAX,
        auth_failures_max: u32::MAX,
        extensions: all_extensions(),
        xclient: true,
        starttls,
        ..parameters()
    };
    let every: sasl::Offer = Mechanism::EVERY.into_iter().collect();
    Conversation::open_offering(parameters, Mechanisms { now: every, under_tls: every }, tls)
}

/// Lines of exchanges and around them. `right`: whether some of them log in.
fn line(right: bool) -> impl Strategy<Value = Vec<u8>> {
    let names =
        "(PLAIN|login|SCRAM-SHA-256(-PLUS)?|CRAM-MD5|EXTERNAL|XOAUTH2|ANONYMOUS|[A-Z0-9-]{0,9})";
    let initial = prop_oneof![
        Just(String::new()),
        Just(" =".to_owned()),
        Just(" AGFubmEAd3Jvbmc=".to_owned()),
        " [A-Za-z0-9+/]{4}",
        " \\PC{0,9}",
    ];
    let anna = Just(if right { "AGFubmEAc2VjcmV0" } else { "AGFubmEAd3Jvbmc=" });
    let echoed = Just(if right { "YW5uYSE=" } else { "bm8h" });
    prop_oneof![
        (names, initial).prop_map(|(name, initial)| format!("AUTH {name}{initial}")),
        anna.prop_map(|message| format!("AUTH PLAIN {message}")),
        Just("YW5uYQ==".to_owned()),
        Just("bm8h".to_owned()),
        Just("b2RkIQ==".to_owned()),
        echoed.prop_map(str::to_owned),
        "[A-Za-z0-9+/]{0,12}={0,2}",
        "\\PC{0,20}",
        Just("*".to_owned()),
        Just("EHLO a".to_owned()),
        Just("HELO a".to_owned()),
        Just("RSET".to_owned()),
        Just("NOOP".to_owned()),
        Just("XCLIENT ADDR=192.0.2.1".to_owned()),
        Just("MAIL FROM:<probe@example.net>".to_owned()),
        Just("x".repeat(13_000)),
    ]
    .prop_map(|line| (line + "\r\n").into_bytes())
}

fn lines(right: bool) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let starttls = Just(b"STARTTLS\r\n".to_vec());
    proptest::collection::vec(prop_oneof![12 => line(right), 1 => starttls], 0..40)
}

/// Who the sender was at each MAIL, and who the daemon had let in by then.
fn check(asked: &[String]) -> Result<(), TestCaseError> {
    let mut expected = false;
    for line in asked {
        if line == "verify anna secret" || (line.starts_with("said ") && line.ends_with("anna!")) {
            prop_assert!(!expected, "a second AUTH was asked about: {asked:?}");
            expected = true;
        } else if line == "starttls" || line.starts_with("xclient ") {
            expected = false;
        } else if line.starts_with("mail ") {
            prop_assert_eq!(expected, line.contains(" by anna,"), "{:?}", asked);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The login is what the daemon said last, and nothing else makes or keeps one.
    #[test]
    fn nobody_is_in_but_by_the_daemons_word(
        lines in lines(true),
        tls in any::<bool>(),
        starttls in any::<bool>(),
    ) {
        let mut conversation = open(tls, starttls);
        conversation.receive(b"EHLO a\r\n");
        for line in &lines {
            conversation.receive(line);
            // A probe, unless the line is an answer to a challenge.
            conversation.receive(b"*\r\nRSET\r\nMAIL FROM:<probe@example.net>\r\nRSET\r\n");
        }
        check(&conversation.asked)?;
    }

    /// Without the right word, no stream of octets lets anybody in, however it is cut; and the
    /// cuts change nothing.
    #[test]
    fn who_does_not_know_the_password_stays_outside(
        lines in proptest::collection::vec(line(false), 0..40),
        cuts in proptest::collection::vec(1..50_usize, 1..9),
    ) {
        let stream = [b"EHLO a\r\n".to_vec(), lines.concat()].concat();
        let mut whole = open(true, false);
        whole.receive(&stream);
        let mut pieces = open(true, false);
        let mut rest = &*stream;
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.receive(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&whole.asked, &pieces.asked);
        prop_assert_eq!(whole.output.escape_ascii().to_string(),
            pieces.output.escape_ascii().to_string());
        let text = String::from_utf8(whole.output).unwrap();
        prop_assert!(!text.lines().any(|line| line.starts_with("235")), "{text}");
        prop_assert!(!whole.asked.iter().any(|line| line.contains(" by anna,")));
    }

    /// An exchange takes as many messages as it may, and no more, whatever they are.
    #[test]
    fn an_exchange_ends(
        messages in proptest::collection::vec("([A-Za-z0-9+/]{4}){0,9}", 8..40),
        initial in any::<bool>(),
    ) {
        let mut conversation = open(true, false);
        conversation.receive(b"EHLO a\r\n");
        conversation.output.clear();
        let begin: &[u8] = if initial { b"AUTH SCRAM-SHA-256 =\r\n" } else { b"AUTH CRAM-MD5\r\n" };
        conversation.receive(begin);
        for message in &messages {
            conversation.receive(format!("{message}\r\n").as_bytes());
        }
        let text = String::from_utf8(conversation.output).unwrap();
        let challenges = text.lines().filter(|line| line.starts_with("334 ")).count();
        prop_assert!(challenges < usize::from(Parameters::AUTH_MESSAGES_MAX), "{text}");
        let end = text.lines().find(|line| !line.starts_with("334 ")).unwrap();
        prop_assert!(["235 ", "501 ", "535 "].iter().any(|code| end.starts_with(code)), "{text}");
    }
}

/// Every mechanism, each of the messages that end an exchange, at each of its turns.
#[test]
fn every_turn_of_every_mechanism_can_fail() {
    let endings = [
        ("*", "501 5.7.0 "),
        ("not base64", "501 5.5.2 "),
        ("YQ", "501 5.5.2 "),
        ("YR==", "501 5.5.2 "),
        ("MAIL FROM:<>", "501 5.5.2 "),
        ("QUIT", "501 5.5.2 "),
        ("=", "501 5.5.2 "),
        ("\0", "501 5.5.2 "),
    ];
    let long = "YWFh".repeat(3072) + "YWFh";
    let endings = endings.into_iter().chain([(long.as_str(), "500 5.5.6 ")]);
    for (ending, code) in endings {
        for mechanism in Mechanism::EVERY {
            let turns = if matches!(mechanism, Mechanism::Plain) { 1 } else { 2 };
            for turn in 0..turns {
                let mut conversation = open(true, false);
                conversation.receive(b"EHLO a\r\n");
                conversation.receive(format!("AUTH {}\r\n", mechanism.name()).as_bytes());
                (0..turn).for_each(|_| conversation.receive(b"YQ==\r\n"));
                conversation.output.clear();
                conversation.receive(format!("{ending}\r\n").as_bytes());
                let text = String::from_utf8(conversation.output.clone()).unwrap();
                assert!(text.starts_with(code), "{mechanism} {turn} {ending}: {text}");
                // The exchange is over, and its client is nobody.
                conversation.receive(b"NOOP\r\nMAIL FROM:<a@example.net>\r\n");
                let mail = conversation.asked.last().unwrap();
                assert!(
                    mail.contains(" after failed auth,"),
                    "{mechanism} {turn} {ending}: {mail}"
                );
            }
        }
    }
}
