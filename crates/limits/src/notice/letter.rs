//! A notice as a message: RFC 5322 and RFC 2045, seven-bit whatever the language.

use std::fmt::Write as _;

use address::Mailbox;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// Subject and text of a notice; the text's lines end with `\n`.
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
}

/// The whole message.
pub(super) fn write(host: &str, to: &Mailbox, words: &Words, at: Timestamp, salt: u64) -> Vec<u8> {
    let mut out = String::with_capacity(2048);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    // RFC 3834 section 5: nobody answers it by a program. Writing to a String cannot fail.
    let _ = write!(
        out,
        "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\n\
         To: <{to}>\r\n\
         Subject: {}\r\n\
         Date: {date}\r\n\
         Message-ID: <limits.{}.{salt:016x}@{host}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n",
        encoded_words(&words.subject),
        at.as_second(),
    );
    let text = words.text.replace('\n', "\r\n");
    if text.is_ascii() {
        out.push_str("\r\n");
        out.push_str(&text);
    } else {
        out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        for line in STANDARD.encode(text).as_bytes().chunks(76) {
            out.push_str(std::str::from_utf8(line).unwrap_or_default());
            out.push_str("\r\n");
        }
    }
    out.into_bytes()
}

/// RFC 2047, each word within the 75 octets of section 2.
fn encoded_words(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > 39 {
            words.push(STANDARD.encode(std::mem::take(&mut word)));
        }
        word.push(c);
    }
    words.push(STANDARD.encode(word));
    let words: Vec<_> = words.iter().map(|word| format!("=?UTF-8?B?{word}?=")).collect();
    words.join("\r\n ")
}
