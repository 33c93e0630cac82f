//! Conversations with a submission server as text: the format of `smtp-proto`.
//!
//! `C:` is a line of the client, `C>` what it sends to the octet, `S:` all lines of the server up
//! to there, `A:` what the daemon was asked. `~` sets a parameter, `~ restart` begins a new
//! conversation, `#` is a comment.

use std::path::{Path, PathBuf};

/// One conversation of a file.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) file: String,
    /// Its place in the file, from 1.
    pub(crate) number: usize,
    pub(crate) settings: Vec<String>,
    pub(crate) exchanges: Vec<Exchange>,
}

/// What arrives in one piece, and what comes of it.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// In the file, from 1.
    pub(crate) line: usize,
    pub(crate) sent: Vec<u8>,
    pub(crate) replies: Vec<String>,
    pub(crate) asked: Vec<String>,
}

impl Exchange {
    fn is_answered(&self) -> bool {
        !self.replies.is_empty() || !self.asked.is_empty()
    }

    /// Whether the daemon closes behind it.
    pub(crate) fn closes(&self) -> bool {
        self.asked.iter().any(|line| line.starts_with("close "))
    }

    /// Whether TLS begins behind it.
    pub(crate) fn starts_tls(&self) -> bool {
        self.asked.iter().any(|line| line == "starttls")
    }

    /// The texts of the messages that were accepted.
    pub(crate) fn messages(&self) -> impl Iterator<Item = Vec<u8>> {
        let messages = self.asked.iter().filter(|line| line.starts_with("message "));
        messages.map(|line| unescape(line.split_once(": ").unwrap().1))
    }
}

impl Conversation {
    /// All conversations of the files in `folder`, in order.
    pub(crate) fn read_all(folder: &Path) -> Vec<Self> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut conversations = Vec::new();
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            conversations.extend(parse(name, &std::fs::read_to_string(&file).unwrap()));
        }
        conversations
    }

    /// Whether anything the daemon was asked holds `text`.
    pub(crate) fn asks(&self, text: &str) -> bool {
        self.exchanges.iter().flat_map(|exchange| &exchange.asked).any(|line| line.contains(text))
    }

    fn last(&mut self, line: usize) -> &mut Exchange {
        if self.exchanges.is_empty() {
            self.exchanges.push(Exchange { line, ..Exchange::default() });
        }
        self.exchanges.last_mut().unwrap()
    }

    fn send(&mut self, line: usize, octets: &[u8]) {
        if self.last(line).is_answered() {
            self.exchanges.push(Exchange { line, ..Exchange::default() });
        }
        self.last(line).sent.extend_from_slice(octets);
    }
}

fn parse(file: &str, text: &str) -> Vec<Conversation> {
    let fresh = |number| Conversation {
        file: file.to_owned(),
        number,
        settings: Vec::new(),
        exchanges: Vec::new(),
    };
    let mut conversations = Vec::new();
    let mut open = fresh(1);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let (mark, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "C:" => open.send(number, &[rest.as_bytes(), b"\r\n"].concat()),
            "C>" => open.send(number, &unescape(rest)),
            "S:" => open.last(number).replies.push(rest.to_owned()),
            "A:" => open.last(number).asked.push(rest.to_owned()),
            "~ " if rest == "restart" => {
                let next = fresh(open.number + 1);
                conversations.push(std::mem::replace(&mut open, next));
            }
            "~ " => open.settings.push(rest.to_owned()),
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => panic!("{file}:{number}: {line:?}"),
        }
    }
    conversations.push(open);
    conversations
}

/// `\r`, `\n`, `\t`, `\0`, `\xNN`, and any other character behind a backslash for itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            itself => itself,
        });
    }
    octets
}
