//! A next hop that answers at random, and watches that no command comes out of order.

use std::collections::VecDeque;

/// A next hop: takes octets, answers by `dice`.
pub(crate) struct NextHop {
    input: Vec<u8>,
    dice: VecDeque<u8>,
    in_data: bool,
    /// Octets that a chunk still brings, and whether it is the last.
    chunk: Option<(usize, bool)>,
    /// The text so far; `None` after a refused chunk, until RSET.
    text: Option<Vec<u8>>,
    mail: bool,
    recipients: Vec<String>,
    /// Each accepted message: its recipients and text.
    pub(crate) accepted: Vec<(Vec<String>, Vec<u8>)>,
    /// What it said since.
    pub(crate) replies: Vec<u8>,
}

impl NextHop {
    /// One that throws these dice, and then says yes.
    pub(crate) fn new(dice: Vec<u8>) -> Self {
        Self {
            input: Vec::new(),
            dice: dice.into(),
            in_data: false,
            chunk: None,
            text: Some(Vec::new()),
            mail: false,
            recipients: Vec::new(),
            accepted: Vec::new(),
            replies: Vec::new(),
        }
    }

    /// One in four says no.
    fn says_yes(&mut self) -> bool {
        self.dice.pop_front().is_none_or(|die| die >= 64)
    }

    fn say(&mut self, reply: &str) {
        self.replies.extend_from_slice(reply.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    /// Takes what the client sent.
    pub(crate) fn take(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        loop {
            if self.in_data {
                let Some((text, rest)) = split_data(&self.input) else { return };
                self.input = rest;
                self.in_data = false;
                self.end_of_data(text);
                continue;
            }
            if let Some((octets, last)) = self.chunk {
                if self.input.len() < octets {
                    return;
                }
                self.chunk = None;
                let piece: Vec<u8> = self.input.drain(..octets).collect();
                self.end_of_chunk(&piece, last);
                continue;
            }
            let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") else { return };
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            self.command(std::str::from_utf8(&line[..end]).unwrap());
        }
    }

    fn command(&mut self, line: &str) {
        match line.split(['<', '>', ' ']).next().unwrap() {
            "MAIL" => {
                assert!(!self.mail, "MAIL within a transaction");
                self.mail = self.says_yes();
                self.say(if self.mail { "250 ok" } else { "451 mail refused" });
            }
            "RCPT" if !self.mail => self.say("503 need MAIL"),
            "RCPT" => {
                if self.says_yes() {
                    let address = line.split(['<', '>']).nth(1).unwrap();
                    self.recipients.push(address.to_owned());
                    self.say("250 ok");
                } else {
                    self.say("550 rcpt refused");
                }
            }
            "DATA" if !self.mail => self.say("503 need MAIL"),
            // One in two servers takes a body for nobody.
            "DATA" if self.recipients.is_empty() && self.says_yes() => self.say("503 need RCPT"),
            "DATA" => {
                self.in_data = self.says_yes();
                self.say(if self.in_data { "354 go" } else { "452 data refused" });
            }
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                let octets = words.next().unwrap().parse().unwrap();
                self.chunk = Some((octets, words.next() == Some("LAST")));
            }
            "RSET" => {
                self.mail = false;
                self.text = Some(Vec::new());
                self.recipients.clear();
                self.say("250 reset");
            }
            _ => panic!("unknown command {line:?}"),
        }
    }

    /// The strictest reading of RFC 3030: after a refusal only RSET helps.
    fn end_of_chunk(&mut self, piece: &[u8], last: bool) {
        let ready = self.mail && !self.recipients.is_empty();
        let Some(text) = self.text.as_mut().filter(|_| ready) else {
            self.text = None;
            return self.say("503 not now");
        };
        text.extend_from_slice(piece);
        if last {
            let text = std::mem::take(text);
            let accepted = self.accepted.len();
            self.end_of_data(text);
            if self.accepted.len() == accepted {
                (self.text, self.mail) = (None, true);
            }
        } else if self.says_yes() {
            self.say("250 chunk");
        } else {
            self.text = None;
            self.say("452 chunk refused");
        }
    }

    fn end_of_data(&mut self, text: Vec<u8>) {
        let recipients = std::mem::take(&mut self.recipients);
        self.mail = false;
        if recipients.is_empty() {
            assert!(text.is_empty(), "a body for nobody");
            self.say("554 no recipients");
        } else if self.says_yes() {
            self.accepted.push((recipients, text));
            self.say("250 taken");
        } else {
            self.say("554 body refused");
        }
    }
}

/// The text before CRLF.CRLF, unstuffed, and what follows.
fn split_data(input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut text = Vec::new();
    let mut rest = input;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let (line, behind) = rest.split_at(end);
        if line == b".\r\n" {
            return Some((text, behind.to_vec()));
        }
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = behind;
    }
}
