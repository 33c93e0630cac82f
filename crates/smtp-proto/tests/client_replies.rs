//! The reply parser: what hosts really send, and what hostile ones might.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

use proptest::prelude::*;
use smtp_proto::client::{EnhancedCode, Reply, ReplyError, ReplyReader, Severity};

fn read(text: &[u8]) -> Result<Vec<Reply>, ReplyError> {
    read_in_chunks(text, text.len().max(1))
}

fn read_in_chunks(text: &[u8], size: usize) -> Result<Vec<Reply>, ReplyError> {
    let mut reader = ReplyReader::new();
    let mut replies = Vec::new();
    for chunk in text.chunks(size) {
        reader.feed(chunk);
        while let Some(reply) = reader.next_reply()? {
            replies.push(reply.keep());
        }
    }
    Ok(replies)
}

fn one(text: &[u8]) -> Reply {
    let replies = read(text).unwrap();
    assert_eq!(replies.len(), 1);
    replies[0].clone()
}

#[test]
fn plain_replies() {
    let reply = one(b"250 2.1.0 Sender ok\r\n");
    assert_eq!(reply.code(), 250);
    assert_eq!(reply.status(), Some(EnhancedCode { class: 2, subject: 1, detail: 0 }));
    assert_eq!(reply.text(), "Sender ok");
    assert_eq!(reply.severity(), Severity::Success);
    assert_eq!(reply.to_string(), "250 2.1.0 Sender ok");
}

#[test]
fn bare_code_and_lone_lf() {
    assert_eq!(one(b"354\r\n").to_string(), "354");
    assert_eq!(one(b"354 \r\n").text(), "");
    assert_eq!(one(b"250 fine\n").text(), "fine");
}

#[test]
fn lines_are_joined_and_their_codes_dropped() {
    let reply = one(b"550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1\r\n");
    assert_eq!(reply.to_string(), "550 5.7.1 first second");
}

#[test]
fn enhanced_code_must_fit_the_reply() {
    for odd in ["550 2.0.0 odd", "550 5.1 odd", "550 5.1.1.1 odd", "550 5.1.1111 odd", "550 5..1 x"]
    {
        let reply = one(format!("{odd}\r\n").as_bytes());
        assert_eq!(reply.status(), None, "{odd}");
        assert_eq!(reply.to_string(), odd);
    }
    assert_eq!(one(b"450 4.123.999 x\r\n").status().unwrap().to_string(), "4.123.999");
}

#[test]
fn severities() {
    let severities: Vec<_> = read(b"200 a\r\n354 b\r\n421 c\r\n599 d\r\n").unwrap();
    let severities: Vec<_> = severities.iter().map(Reply::severity).collect();
    use Severity::{Intermediate, Permanent, Success, Temporary};
    assert_eq!(severities, [Success, Intermediate, Temporary, Permanent]);
}

#[test]
fn text_is_made_printable_and_bounded() {
    let reply = one(b"550 \x1b[31mred\x00\xff \xe3\x81\x82\r\n");
    assert_eq!(reply.text(), " [31mred \u{fffd} \u{3042}");
    let long = format!("550-{}\r\n550 {}\r\n", "x".repeat(900), "é".repeat(900));
    let reply = one(long.as_bytes());
    assert!(reply.text().len() <= Reply::TEXT_MAX && reply.text().len() > Reply::TEXT_MAX - 3);
}

#[test]
fn what_is_no_reply() {
    let malformed: [&[u8]; 9] = [
        b"\r\n",
        b"25\r\n",
        b"hello\r\n",
        b"25x ok\r\n",
        b"250_ok\r\n",
        b"150 ok\r\n",
        b"600 ok\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x03\x01\n",
    ];
    for text in malformed {
        assert_eq!(read(text), Err(ReplyError::Malformed), "{text:?}");
    }
    assert_eq!(read(b"250-a\r\n251 b\r\n"), Err(ReplyError::MixedCodes));
}

#[test]
fn endless_line_is_cut_off() {
    let mut reader = ReplyReader::new();
    let mut fed = 0;
    let error = loop {
        reader.feed(&[b'2'; 100]);
        fed += 100;
        match reader.next_reply() {
            Ok(None) => {}
            Ok(Some(_)) => panic!("a reply without an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, ReplyError::LineTooLong);
    assert!(fed <= ReplyReader::LINE_MAX + 100);
}

#[test]
fn endless_reply_is_cut_off() {
    let mut reader = ReplyReader::new();
    let mut fed = 0;
    let error = loop {
        reader.feed(b"250-and so on\r\n");
        fed += 15;
        match reader.next_reply() {
            Ok(None) => {}
            Ok(Some(_)) => panic!("a reply without an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, ReplyError::ReplyTooLong);
    assert!(fed <= ReplyReader::REPLY_MAX + 15);
}

#[test]
fn long_line_within_the_bound() {
    let text = [b"250 ".as_slice(), &vec![b'x'; ReplyReader::LINE_MAX - 6], b"\r\n"].concat();
    assert_eq!(one(&text).code(), 250);
    let text = [b"250 ".as_slice(), &vec![b'x'; ReplyReader::LINE_MAX - 5], b"\r\n"].concat();
    assert_eq!(read(&text), Err(ReplyError::LineTooLong));
}

#[test]
fn nothing_is_left_unread() {
    let mut reader = ReplyReader::new();
    assert!(reader.is_empty());
    reader.feed(b"220 ready\r\n25");
    assert!(reader.next_reply().unwrap().is_some());
    assert!(!reader.is_empty());
    assert!(reader.next_reply().unwrap().is_none());
    reader.feed(b"0 ok\r\n");
    assert!(reader.next_reply().unwrap().is_some());
    assert!(reader.is_empty());
}

proptest! {
    #[test]
    fn any_octets_any_split(text in any_reply_text(), size in 1_usize..40) {
        prop_assert_eq!(read(&text), read_in_chunks(&text, size));
    }

    #[test]
    fn what_is_written_is_read(code in 200_u16..600, lines in prop::collection::vec("[a-z ]{0,60}", 1..20)) {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let hyphen = if index + 1 == lines.len() { ' ' } else { '-' };
            text.push_str(&format!("{code}{hyphen}{line}\r\n"));
        }
        let reply = one(text.as_bytes());
        prop_assert_eq!(reply.code(), code);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let kept = words(reply.text());
        prop_assert!(words(&lines.join(" ")).starts_with(&kept[..kept.len().saturating_sub(1)]));
    }
}

/// Mostly replies, with noise between.
fn any_reply_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        5 => "[2-5][0-9]{2}[ -][a-z.0-9 ]{0,30}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"250".to_vec()),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}
