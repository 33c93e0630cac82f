//! Everything that some server somewhere took for the end of a message, with a second message
//! behind it, cut at every octet: here it is one message or a refusal, and never two.
//!
//! The sequences are those of the public testers (SMTP-Smuggling-Tools, smtpsmug), those of the
//! advisories (CVE-2023-51764, -51765, -51766 and their kin), and their neighbours. `BDAT` counts
//! octets, so in it even the true end of `DATA` is text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use server_kit::{Conversation, all_extensions, parameters};
use smtp_proto::server::{LoneLf, Parameters};

use Outcome::{Ends, LoneCr, Mended, Text};

/// What comes of a message that holds a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is text.
    Text,
    /// It is text in which an LF has got its CR; where those are not mended, it is refused.
    Mended,
    /// It is refused, because of a CR.
    LoneCr,
    /// It holds the end of `DATA`, and what follows are commands: no defence is possible, and none
    /// is due, for every server agrees.
    Ends,
}

const SEQUENCES: &[(&str, Outcome)] = &[
    ("\n.\n", Mended),
    ("\n.\r\n", Mended),
    ("\r\n.\n", Mended),
    ("\n.\r", LoneCr),
    ("\r.\n", LoneCr),
    ("\r.\r", LoneCr),
    ("\r.\r\n", LoneCr),
    ("\r\n.\r", LoneCr),
    ("\r\n.\r\r\n", LoneCr),
    ("\r\r\n.\r\r\n", LoneCr),
    ("\r\n.\r\r\r\n", LoneCr),
    ("\r\n\r.\r\n", LoneCr),
    ("\n\r.\r\n", LoneCr),
    ("\r\n.\n\r\n", Mended),
    ("\n\n.\n\n", Mended),
    ("\r\n\n.\r\n", Mended),
    ("\r\n.\r\u{0}\n", LoneCr),
    ("\r\n\u{0}.\r\n", Text),
    ("\r\n.\u{0}\r\n", Text),
    ("\u{0}\r\n.\u{0}\r\n", Text),
    ("\u{0}.\r\n", Text),
    ("\r\u{0}\n.\r\n", LoneCr),
    ("\r\n. \r\n", Text),
    ("\r\n .\r\n", Text),
    ("\r\n\t.\r\n", Text),
    ("\r\n\u{b}.\r\n", Text),
    ("\r\n\u{c}.\u{c}\r\n", Text),
    ("\r\n..\r\n", Text),
    ("\r\n...\r\n", Text),
    ("\r\n.\\r\\n", Text),
    ("\u{85}.\u{85}", Text),
    ("\u{2028}.\u{2028}", Text),
    ("\r\n\u{ff0e}\r\n", Text),
    ("\r\n.\u{2028}\r\n", Text),
    (".\n", Mended),
    (".\r", LoneCr),
    ("\r", LoneCr),
    ("\n", Mended),
    ("\r\n.\r\n", Ends),
    ("\r\n\r\n.\r\n", Ends),
];

const OPENING: &str = "EHLO a\r\nMAIL FROM:<anna@example.net>\r\nRCPT TO:<ben@example.org>\r\n";
const SECOND: &str = "MAIL FROM:<evil@example.net>\r\nRCPT TO:<x@example.org>\r\nDATA\r\nB\r\n";

fn house(lone_lf: LoneLf) -> Parameters {
    Parameters { lone_lf, extensions: all_extensions(), message_octets_max: 10_000, ..parameters() }
}

/// What the daemon was asked about messages: one line each.
fn messages(conversation: &Conversation) -> Vec<&str> {
    let of_message = |line: &&str| line.starts_with("message ") || line.starts_with("rejected ");
    conversation.asked.iter().map(String::as_str).filter(of_message).collect()
}

fn has_second(conversation: &Conversation) -> bool {
    conversation.asked.iter().any(|line| line.starts_with("mail <evil@"))
}

/// The stream in one piece, in two cut at each octet, and in octets.
fn each_cut(stream: &[u8], lone_lf: LoneLf, check: impl Fn(&Conversation)) {
    let play = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut conversation = Conversation::open_with_auth(house(lone_lf), false);
        for piece in pieces {
            conversation.receive(piece);
        }
        check(&conversation);
    };
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        play(&mut [head, tail].into_iter());
    }
    play(&mut stream.chunks(1));
}

/// What is expected of a message with `text` that holds a sequence of this outcome.
fn expected(outcome: Outcome, lone_lf: LoneLf, text: &[u8]) -> String {
    match (outcome, lone_lf) {
        (LoneCr, LoneLf::Reject) if lone_lf_comes_first(text) => {
            "rejected <anna@example.net> lone-lf".into()
        }
        (LoneCr, _) => "rejected <anna@example.net> lone-cr".into(),
        (Mended, LoneLf::Reject) => "rejected <anna@example.net> lone-lf".into(),
        _ => {
            let mended = mend(text);
            format!("message <anna@example.net> to <ben@example.org>: {}", mended.escape_ascii())
        }
    }
}

fn lone_lf_comes_first(text: &[u8]) -> bool {
    let lone_cr = text.windows(2).position(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    let lone_lf = text.windows(2).position(|pair| pair[0] != b'\r' && pair[1] == b'\n');
    lone_lf.is_some_and(|lf| lone_cr.is_none_or(|cr| lf < cr))
}

/// Gives each LF its CR, octet by octet.
fn mend(text: &[u8]) -> Vec<u8> {
    let mut mended = Vec::new();
    for &octet in text {
        if octet == b'\n' && mended.last() != Some(&b'\r') {
            mended.push(b'\r');
        }
        mended.push(octet);
    }
    mended
}

/// Takes the stuffed dots off, as seen by a reader for whom CRLF alone ends a line.
fn unstuff(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    for &octet in text {
        let line_start = plain.is_empty() || plain.ends_with(b"\r\n");
        plain.push(octet);
        if line_start && octet == b'.' {
            // Marked, so that a second dot is no line start.
            plain.pop();
            plain.extend_from_slice(b"\x01");
        }
    }
    plain.retain(|&octet| octet != 1);
    plain
}

#[test]
fn nothing_but_the_end_ends_data() {
    for &(sequence, outcome) in SEQUENCES.iter().filter(|(_, outcome)| *outcome != Ends) {
        for lone_lf in [LoneLf::Normalise, LoneLf::Reject] {
            let text = format!("A{sequence}{SECOND}");
            let stream = format!("{OPENING}DATA\r\n{text}.\r\nQUIT\r\n");
            let expected = expected(outcome, lone_lf, &unstuff(text.as_bytes()));
            each_cut(stream.as_bytes(), lone_lf, |conversation| {
                assert!(!has_second(conversation), "{sequence:?}");
                assert_eq!(messages(conversation), [&expected], "{sequence:?} {lone_lf:?}");
                assert_eq!(conversation.asked.last().unwrap(), "close quit", "{sequence:?}");
            });
        }
    }
}

#[test]
fn the_end_may_begin_with_the_line_of_the_command() {
    for (text, shown) in [(".\r\n", ""), ("..\r\n.\r\n", ".\\r\\n"), ("\r\n.\r\n", "\\r\\n")] {
        let stream = format!("{OPENING}DATA\r\n{text}QUIT\r\n");
        each_cut(stream.as_bytes(), LoneLf::Reject, |conversation| {
            let message = format!("message <anna@example.net> to <ben@example.org>: {shown}");
            assert_eq!(messages(conversation), [&message]);
            assert_eq!(conversation.asked.last().unwrap(), "close quit");
        });
    }
}

#[test]
fn in_a_chunk_nothing_ends_but_the_count() {
    for &(sequence, outcome) in SEQUENCES {
        for lone_lf in [LoneLf::Normalise, LoneLf::Reject] {
            let text = format!("A{sequence}{SECOND}.\r\n");
            let octets = text.len();
            let stream = format!("{OPENING}BDAT {octets} LAST\r\n{text}QUIT\r\n");
            let expected = expected(outcome, lone_lf, text.as_bytes());
            each_cut(stream.as_bytes(), lone_lf, |conversation| {
                assert!(!has_second(conversation), "{sequence:?}");
                assert_eq!(messages(conversation), [&expected], "{sequence:?} {lone_lf:?}");
                assert_eq!(conversation.asked.last().unwrap(), "close quit", "{sequence:?}");
            });
        }
    }
}

#[test]
fn it_does_not_matter_where_a_chunk_ends() {
    for &(sequence, outcome) in SEQUENCES {
        for lone_lf in [LoneLf::Normalise, LoneLf::Reject] {
            let text = [b"A", sequence.as_bytes(), b"MAIL FROM:<evil@example.net>\r\n"].concat();
            let expected = expected(outcome, lone_lf, &text);
            for cut in 0..=text.len() {
                let (head, tail) = text.split_at(cut);
                let mut stream = OPENING.as_bytes().to_vec();
                stream.extend_from_slice(format!("BDAT {}\r\n", head.len()).as_bytes());
                stream.extend_from_slice(head);
                stream.extend_from_slice(format!("BDAT {} LAST\r\n", tail.len()).as_bytes());
                stream.extend_from_slice(tail);
                stream.extend_from_slice(b"QUIT\r\n");
                for pieces in [stream.len(), 1] {
                    let mut conversation = Conversation::open_with_auth(house(lone_lf), false);
                    stream.chunks(pieces).for_each(|piece| conversation.receive(piece));
                    let place =
                        format!("{sequence:?} {lone_lf:?} cut at {cut}, pieces of {pieces}");
                    assert!(!has_second(&conversation), "{place}");
                    assert_eq!(messages(&conversation), [&expected], "{place}");
                    assert_eq!(conversation.asked.last().unwrap(), "close quit", "{place}");
                }
            }
        }
    }
}

#[test]
fn a_binary_body_is_handed_on_to_the_octet() {
    for &(sequence, _) in SEQUENCES {
        let text = format!("A: b\r\n\r\n{sequence}{SECOND}.\r\n");
        let octets = text.len();
        let opening = OPENING.replace("net>", "net> BODY=BINARYMIME");
        let stream = format!("{opening}BDAT {octets} LAST\r\n{text}QUIT\r\n");
        let shown = text.as_bytes().escape_ascii();
        let expected = format!("message <anna@example.net> to <ben@example.org>: {shown}");
        each_cut(stream.as_bytes(), LoneLf::Reject, |conversation| {
            assert_eq!(messages(conversation), [&expected], "{sequence:?}");
            assert_eq!(conversation.asked.last().unwrap(), "close quit", "{sequence:?}");
        });
    }
}

/// A message that is refused at its end takes its envelope with it, by whatever command it came:
/// what stands behind it in the stream rides on nothing.
#[test]
fn a_refused_end_leaves_nothing_behind() {
    let openings = ["anna", "late"].map(|name| OPENING.replace("<anna@", &format!("<{name}@")));
    let endings = ["DATA\r\na\rb\r\n.\r\n", "BDAT 5 LAST\r\na\rb\r\n", "BDAT 5\r\na\rb\r\n"];
    let seconds =
        ["DATA\r\nB\r\n.\r\n", "BDAT 3 LAST\r\nB\r\n", "RCPT TO:<x@example.org>\r\nRSET\r\n"];
    for (opening, ending) in openings.iter().flat_map(|o| endings.map(|ending| (o, ending))) {
        for second in seconds {
            let stream = format!("{opening}{ending}{second}");
            each_cut(stream.as_bytes(), LoneLf::Reject, |conversation| {
                let seen = messages(conversation);
                assert_eq!(seen.len(), 1, "{stream:?}");
                assert!(seen[0].starts_with("rejected "), "{stream:?}: {seen:?}");
                let asked = conversation.asked.iter().filter(|line| line.starts_with("rcpt "));
                assert_eq!(asked.count(), 1, "{stream:?}");
            });
        }
    }
    // Refused by the daemon, not by the session.
    let opening = &openings[1];
    for ending in ["DATA\r\na\r\n.\r\n", "BDAT 3 LAST\r\na\r\n"] {
        for second in seconds {
            let stream = format!("{opening}{ending}{second}");
            each_cut(stream.as_bytes(), LoneLf::Reject, |conversation| {
                assert_eq!(messages(conversation).len(), 1, "{stream:?}");
            });
        }
    }
}

/// Where it is not certain how many octets belong to a chunk, none of them is a command.
#[test]
fn a_chunk_that_nobody_can_count_ends_the_session() {
    let long = format!("BDAT {} LAST", " ".repeat(2100));
    for command in [
        "BDAT",
        "BDAT x",
        "BDAT 5\0 LAST",
        "BDAT 5 LAST\r",
        "BDAT 5\nLAST",
        "BDAT\t5 LAST",
        "bdat\0 5",
        "BDAT5",
        "BDAT 0x5",
        &long,
    ] {
        for offered in [true, false] {
            let mut parameters = house(LoneLf::Normalise);
            parameters.extensions.chunking = offered;
            let stream = format!("{OPENING}{command}\r\n{SECOND}");
            for piece in [1, stream.len()] {
                let mut conversation = Conversation::open_with_auth(parameters.clone(), false);
                stream.as_bytes().chunks(piece).for_each(|piece| conversation.receive(piece));
                assert!(!has_second(&conversation), "{command:?}");
                assert_eq!(conversation.asked.last().unwrap(), "close bdat", "{command:?}");
            }
        }
    }
}

/// The same for a `DATA` that is none, from a client that sends its message all the same.
#[test]
fn a_message_behind_a_command_that_is_none_is_no_command() {
    for command in ["DATA x", "DATA\0", "data\t", "DATA\r", "DATAX"] {
        let stream = format!("{OPENING}{command}\r\nSubject: x\r\n\r\n{SECOND}.\r\n");
        each_cut(stream.as_bytes(), LoneLf::Normalise, |conversation| {
            assert!(!has_second(conversation), "{command:?}");
            let last = conversation.asked.last().unwrap();
            assert_eq!(last, "close message-without-consent", "{command:?}");
        });
    }
}

/// What must come before the handshake, and what may not come with it.
#[test]
fn nothing_in_clear_survives_the_beginning_of_tls() {
    let with_tls = Parameters { starttls: true, ..house(LoneLf::Reject) };
    for injected in ["EHLO evil\r\n", "\r\n", "X", "MAIL FROM:<evil@example.net>\r\n", "\u{16}"] {
        let mut conversation = Conversation::open_with_auth(with_tls.clone(), false);
        conversation.receive(format!("EHLO a\r\nSTARTTLS\r\n{injected}").as_bytes());
        assert_eq!(conversation.asked, ["close pipelined-starttls"], "{injected:?}");
    }
    for before in [OPENING.to_owned(), format!("{OPENING}BDAT 3\r\na\r\n")] {
        let mut conversation = Conversation::open_with_auth(with_tls.clone(), false);
        conversation.receive(before.as_bytes());
        conversation.receive(b"STARTTLS\r\n");
        conversation.receive(b"DATA\r\n");
        conversation.output.clear();
        conversation.receive(b"BDAT 3 LAST\r\nb\r\nMAIL FROM:<anna@example.net>\r\n");
        let output = String::from_utf8(conversation.output.clone()).unwrap();
        assert_eq!(output, "503 5.5.1 Say EHLO first\r\n".repeat(2), "{before:?}");
        assert!(messages(&conversation).is_empty());
    }
}
