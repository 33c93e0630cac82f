//! Other protocols on our port, and our own where it must not be spoken.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use server_kit::{Conversation, all_extensions, parameters};
use smtp_proto::server::Parameters;

fn house() -> Parameters {
    Parameters { extensions: all_extensions(), starttls: true, ..parameters() }
}

/// What brings the session into each state in which commands are read.
const STATES: [&str; 6] = [
    "",
    "EHLO a\r\n",
    "EHLO a\r\nAUTH PLAIN AGFubmEAc2VjcmV0\r\n",
    "EHLO a\r\nMAIL FROM:<>\r\n",
    "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<ben@example.org>\r\n",
    "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<ben@example.org>\r\nBDAT 1\r\nx",
];

fn last_line(conversation: &Conversation) -> String {
    let text = String::from_utf8(conversation.output.clone()).unwrap();
    text.trim_end().lines().last().unwrap().to_owned()
}

#[test]
fn a_request_of_http_ends_the_session_in_every_state() {
    let verbs = ["GET", "POST", "CONNECT", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE"];
    for (state, verb) in STATES.iter().flat_map(|state| verbs.map(|verb| (state, verb))) {
        let request =
            format!("{verb} / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<evil@example.net>\r\n");
        for piece in [1, request.len()] {
            let mut conversation = Conversation::open_with_auth(house(), false);
            conversation.receive(state.as_bytes());
            request.as_bytes().chunks(piece).for_each(|piece| conversation.receive(piece));
            assert_eq!(conversation.asked.last().unwrap(), "close http", "{state:?} {verb}");
            assert_eq!(last_line(&conversation), "554 5.5.1 This is not an HTTP server");
            assert!(!conversation.asked.iter().any(|line| line.contains("evil")));
        }
    }
}

#[test]
fn a_handshake_is_answered_at_once_and_only_as_the_first_octet() {
    let mut conversation = Conversation::open_with_auth(house(), false);
    conversation.receive(b"\x16");
    assert_eq!(conversation.asked, ["close tls-on-plain-port"]);
    assert_eq!(
        last_line(&conversation),
        "554 5.5.1 This port speaks plain text first: use STARTTLS"
    );
    for state in &STATES[1..] {
        let mut conversation = Conversation::open_with_auth(house(), false);
        conversation.receive(state.as_bytes());
        conversation.receive(b"\x16\x03\x01\r\n");
        assert!(!conversation.closed);
        assert_eq!(last_line(&conversation), "500 5.5.2 Command not recognised");
    }
    // Under TLS, a second handshake inside the first one is as wrong.
    let mut conversation = Conversation::open(house(), true);
    conversation.receive(b"\x16\x03\x01");
    assert_eq!(conversation.asked, ["close tls-on-plain-port"]);
}

/// RFC 6409 section 7: these belong to relays; 521 is never said.
#[test]
fn what_a_submission_server_must_not_offer() {
    for state in STATES {
        let mut conversation = Conversation::open_with_auth(house(), false);
        conversation.receive(state.as_bytes());
        for command in [
            "ETRN example.org",
            "ATRN",
            "TURN",
            "EXPN staff",
            "BURL imap://x LAST",
            "SEND FROM:<>",
            "SOML FROM:<>",
            "SAML FROM:<>",
            "XFORWARD ADDR=x",
            "XCLIENT ADDR=x",
        ] {
            conversation.receive(format!("{command}\r\n").as_bytes());
            assert_eq!(last_line(&conversation), "502 5.5.1 Command not offered", "{command}");
        }
        let text = String::from_utf8(conversation.output.clone()).unwrap();
        let offered = text.lines().filter(|line| line.starts_with("250"));
        assert!(!offered.clone().any(|line| line.contains("ETRN") || line.contains("ATRN")));
        assert!(!text.contains("521"));
    }
}

/// Each command in each state gets one answer, and a state that is lost is an answer too.
#[test]
fn every_command_in_every_state_is_answered() {
    let commands = [
        "HELO a",
        "EHLO a",
        "AUTH PLAIN AGFubmEAc2VjcmV0",
        "AUTH",
        "MAIL FROM:<>",
        "MAIL FROM:<ö@example.net>",
        "RCPT TO:<ben@example.org>",
        "DATA x",
        "BDAT 0",
        "BDAT 0 LAST",
        "RSET",
        "RSET x",
        "NOOP",
        "NOOP x",
        "VRFY x",
        "VRFY",
        "HELP",
        "QUIT x",
        "STARTTLS x",
        "X",
        "",
    ];
    for (state, command) in STATES.iter().flat_map(|state| commands.map(|command| (state, command)))
    {
        let mut conversation = Conversation::open_with_auth(house(), false);
        conversation.receive(state.as_bytes());
        conversation.output.clear();
        conversation.receive(format!("{command}\r\n").as_bytes());
        let text = String::from_utf8(conversation.output.clone()).unwrap();
        let finals = text.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).count();
        assert_eq!(finals, 1, "{state:?} {command:?}: {text:?}");
        // Whatever it was, a new transaction can be had.
        conversation.receive(b"RSET\r\nEHLO a\r\nMAIL FROM:<>\r\n");
        assert_eq!(last_line(&conversation), "250 2.1.0 Sender accepted", "{state:?} {command:?}");
    }
}
