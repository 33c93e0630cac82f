//! Properties of the session: any octets, in any pieces.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use proptest::prelude::*;
use server_kit::{Conversation, all_extensions, parameters};
use smtp_proto::server::{LoneLf, Parameters};

fn hard_to_close() -> Parameters {
    Parameters {
        errors_max: u32::MAX,
        auth_failures_max: u32::MAX,
        extensions: all_extensions(),
        xclient: true,
        ..parameters()
    }
}

/// What no reply may ever repeat.
const MARK: &str = "Zq7mark";

/// Fragments that bring the session into every state, with noise between them.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"EHLO a\r\n".to_vec()),
        Just(b"HELO a\r\n".to_vec()),
        Just(b"MAIL FROM:<a@example.net>\r\n".to_vec()),
        Just(b"MAIL FROM:<> SIZE=7 BODY=8BITMIME\r\n".to_vec()),
        Just(b"MAIL FROM:<> BODY=BINARYMIME SMTPUTF8\r\n".to_vec()),
        Just(b"XCLIENT ADDR=192.0.2.1 LOGIN=anna\r\n".to_vec()),
        "BDAT [0-9]{1,2}( LAST)?\r\n".prop_map(String::into_bytes),
        "[^\r\n]{0,12}".prop_map(|text| text.into_bytes()),
        command().prop_map(String::into_bytes),
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

/// Commands with parameters good and bad, and a mark in each word that the client chose.
fn command() -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        "SIZE=[0-9]{0,5}",
        "BODY=(7BIT|8BITMIME|BINARYMIME|x)",
        "AUTH=(<>|a|\\PC{0,6})",
        "SMTPUTF8(=x)?",
        "RET=(FULL|HDRS|x)",
        "ENVID=[!-~]{0,6}",
        "HOLDFOR=[0-9]{0,5}",
        "HOLDUNTIL=2026-11-24T2[0-9]:[0-9]{2}:00Z",
        "BY=-?[0-9]{1,4};[RNX]T?",
        "REQUIRETLS",
        "NOTIFY=(NEVER|SUCCESS|FAILURE|,){1,3}",
        "ORCPT=(rfc822|utf-8);\\PC{0,6}",
        "\\PC{0,9}",
    ];
    let parameters = proptest::collection::vec(parameter, 0..4);
    let verb = prop_oneof![
        Just("MAIL FROM:<Zq7mark@example.net>"),
        Just("RCPT TO:<Zq7mark@example.org>"),
        Just("RCPT TO:<Zq7märk>"),
        Just("RCPT TO:<Zq7mark@@>"),
        Just("VRFY Zq7mark"),
        Just("EHLO Zq7mark"),
        Just("Zq7mark"),
        Just("XCLIENT HELO=Zq7mark"),
        Just("BDAT Zq7mark"),
        Just("AUTH Zq7mark"),
        Just("NOOP Zq7mark"),
        Just("HELP Zq7mark"),
        Just("QUIT Zq7mark"),
    ];
    (verb, parameters).prop_map(|(verb, parameters)| format!("{verb} {}\r\n", parameters.join(" ")))
}

/// Commands that were answered for good, as the replies show it.
fn answered(text: &str) -> usize {
    let last_lines = text.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
    let final_ones = last_lines.filter(|line| !line.starts_with('3'));
    // All but the greeting.
    final_ones.count() - 1
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(fragment(), 0..30).prop_map(|fragments| fragments.concat())
}

fn in_pieces(stream: &[u8], cuts: &[usize], parameters: Parameters) -> Conversation {
    let mut conversation = Conversation::open_with_auth(parameters, false);
    let mut rest = stream;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at((*cut).min(rest.len()));
        conversation.receive(piece);
        // What comes behind the end of a session is nobody's.
        assert!(conversation.closed || conversation.unread() <= Parameters::AUTH_OCTETS_MAX);
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
        prop_assert!(!text.contains(MARK), "{text}");
        let commands = pieces.counts().rsplit_once("commands=").unwrap().1.to_owned();
        let commands = commands.rsplit('/').next().unwrap().parse::<usize>().unwrap();
        prop_assert_eq!(answered(&text), commands, "{}", text);
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
        let mut conversation = Conversation::open_with_auth(parameters, false);
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

    /// What is accepted of a message in chunks is what was sent, but for line ends mended; binary,
    /// it is what was sent.
    #[test]
    fn chunks_come_through(
        chunks in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'x'), any::<u8>()], 0..12), 1..8),
        binary in any::<bool>(),
        cuts in proptest::collection::vec(1..9_usize, 1..9),
    ) {
        let body = if binary { " BODY=BINARYMIME" } else { "" };
        let mut stream =
            format!("EHLO a\r\nMAIL FROM:<>{body}\r\nRCPT TO:<b@example.org>\r\n").into_bytes();
        // An empty header, so that all of it is body.
        let mut text = b"\r\n".to_vec();
        stream.extend_from_slice(b"BDAT 2\r\n\r\n");
        for (index, chunk) in chunks.iter().enumerate() {
            let last = if index + 1 == chunks.len() { " LAST" } else { "" };
            stream.extend_from_slice(format!("BDAT {}{last}\r\n", chunk.len()).as_bytes());
            stream.extend_from_slice(chunk);
            text.extend_from_slice(chunk);
        }
        let conversation = in_pieces(&stream, &cuts, hard_to_close());
        let seen = conversation.asked.last().unwrap();
        let lone_cr = text.iter().enumerate().any(|(at, &octet)| {
            octet == b'\r' && text.get(at + 1) != Some(&b'\n')
        });
        if binary {
            let expected = format!("message <> to <b@example.org>: {}", text.escape_ascii());
            prop_assert_eq!(seen, &expected);
        } else if lone_cr {
            prop_assert_eq!(seen, "rejected <> lone-cr");
        } else {
            let lines = text.split(|&octet| octet == b'\n').collect::<Vec<_>>();
            let lines = lines.strip_suffix(&[&b""[..]]).unwrap_or(&lines);
            let mended: Vec<u8> = lines.iter().flat_map(|line| {
                [line.strip_suffix(b"\r").unwrap_or(line), b"\r\n"].concat()
            }).collect();
            let expected = format!("message <> to <b@example.org>: {}", mended.escape_ascii());
            prop_assert_eq!(seen, &expected);
        }
    }

    /// A message of whole lines comes through to the octet.
    #[test]
    fn a_message_comes_through(lines in proptest::collection::vec(
        prop_oneof!["[ -~]{0,30}", Just(".".to_string()), Just("..".to_string()),
            Just(".x".to_string())], 0..20),
    ) {
        let mut conversation = Conversation::open_with_auth(hard_to_close(), false);
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
