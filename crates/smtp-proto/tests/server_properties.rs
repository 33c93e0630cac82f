//! Properties of the session: any octets, in any pieces.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use proptest::prelude::*;
use server_kit::{Conversation, parameters};
use smtp_proto::server::{AuthOffer, LoneLf, Parameters};

fn hard_to_close() -> Parameters {
    Parameters {
        errors_max: u32::MAX,
        auth_failures_max: u32::MAX,
        auth: AuthOffer::Always,
        ..parameters()
    }
}

/// Fragments that bring the session into every state, with noise between them.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"EHLO a\r\n".to_vec()),
        Just(b"HELO a\r\n".to_vec()),
        Just(b"MAIL FROM:<a@example.net>\r\n".to_vec()),
        Just(b"MAIL FROM:<> SIZE=7 BODY=8BITMIME\r\n".to_vec()),
        Just(b"RCPT TO:<b@example.org>\r\n".to_vec()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"\r\n.\r\n".to_vec()),
        Just(b"..\r\n".to_vec()),
        Just(b"AUTH PLAIN\r\n".to_vec()),
        Just(b"AUTH LOGIN\r\n".to_vec()),
        Just(b"AGFubmEAc2VjcmV0\r\n".to_vec()),
        Just(b"YW5uYQ==\r\n".to_vec()),
        Just(b"*\r\n".to_vec()),
        Just(b"RSET\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b".".to_vec()),
        Just(b"\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(b' '..=b'~', 0..3000),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(fragment(), 0..30).prop_map(|fragments| fragments.concat())
}

fn in_pieces(stream: &[u8], cuts: &[usize], parameters: Parameters) -> Conversation {
    let mut conversation = Conversation::open(parameters, false);
    let mut rest = stream;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at((*cut).min(rest.len()));
        conversation.receive(piece);
        assert!(conversation.unread() <= Parameters::AUTH_OCTETS_MAX);
        rest = tail;
    }
    conversation
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Nothing panics, every reply line is well formed, and it does not matter how the stream
    /// is cut.
    #[test]
    fn any_octets_in_any_pieces(
        stream in stream(),
        cuts in proptest::collection::vec(1..50_usize, 1..20),
        reject in any::<bool>(),
    ) {
        let mut parameters = hard_to_close();
        if reject {
            parameters.lone_lf = LoneLf::Reject;
        }
        let whole = in_pieces(&stream, &[usize::MAX], parameters.clone());
        let pieces = in_pieces(&stream, &cuts, parameters);
        prop_assert_eq!(&whole.asked, &pieces.asked);
        prop_assert_eq!(whole.output.escape_ascii().to_string(),
            pieces.output.escape_ascii().to_string());
        prop_assert_eq!(whole.counts(), pieces.counts());
        let text = String::from_utf8(whole.output).unwrap();
        prop_assert!(text.ends_with("\r\n"));
        for line in text.split_terminator("\r\n") {
            prop_assert!(line.len() <= 510);
            prop_assert!(line.bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{line:?}");
            let code = line.get(..3).unwrap();
            prop_assert!(code.bytes().all(|octet| octet.is_ascii_digit()), "{line:?}");
        }
    }

    /// Mail data made of the octets that matter ends at the first CRLF.CRLF and nowhere else,
    /// and what was accepted holds no lone CR or LF.
    #[test]
    fn data_ends_where_the_rfc_says(
        data in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'x'), Just(0)], 0..60),
        reject in any::<bool>(),
    ) {
        let mut parameters = hard_to_close();
        if reject {
            parameters.lone_lf = LoneLf::Reject;
        }
        let mut conversation = Conversation::open(parameters, false);
        conversation.receive(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
        conversation.asked.clear();
        conversation.receive(&data);
        let from_data_line = [b"\r\n", &*data].concat();
        let end = from_data_line.windows(5).position(|window| window == b"\r\n.\r\n");
        prop_assert_eq!(end.is_some(), !conversation.asked.is_empty());
        if let Some(accepted) = conversation.asked.first().and_then(|a| a.strip_prefix("message ")) {
            let text = accepted.split_once(": ").unwrap().1;
            let lines = text.replace("\\r\\n", "");
            prop_assert!(!lines.contains("\\r") && !lines.contains("\\n"), "{text}");
        }
    }

    /// A message of whole lines comes through to the octet.
    #[test]
    fn a_message_comes_through(lines in proptest::collection::vec(
        prop_oneof!["[ -~]{0,30}", Just(".".to_string()), Just("..".to_string()),
            Just(".x".to_string())], 0..20),
    ) {
        let mut conversation = Conversation::open(hard_to_close(), false);
        conversation.receive(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        for line in &lines {
            let dot = if line.starts_with('.') { "." } else { "" };
            conversation.receive(format!("{dot}{line}\r\n").as_bytes());
        }
        conversation.receive(b".\r\n");
        let expected = format!("message <> to <b@example.org>: {}", text.escape_default());
        let seen = conversation.asked.last().unwrap().clone();
        prop_assert_eq!(seen, expected);
    }
}
