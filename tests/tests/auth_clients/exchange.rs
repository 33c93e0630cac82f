//! An exchange over either protocol, for programs that speak SASL and nothing else: what they
//! print goes to the daemon, and what it answers goes to them.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use lastpost_tests::{House, Talk};

/// A client of either daemon, under TLS.
pub(crate) struct Line {
    talk: Talk,
    is_pop3: bool,
}

/// What the daemon says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Base64, or nothing.
    Challenge(String),
    Granted,
    Refused(String),
}

impl Line {
    pub(crate) fn open(house: &House, is_pop3: bool) -> Self {
        let listener = if is_pop3 { "pop3s" } else { "submissions" };
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut talk = Talk::connect_tls(house.address(listener), here);
        talk.expect_reply(if is_pop3 { "+OK" } else { "220" });
        if !is_pop3 {
            talk.expect("EHLO client.example", "250");
        }
        Self { talk, is_pop3 }
    }

    pub(crate) fn begin(&mut self, mechanism: &str, initial: Option<&str>) -> Answer {
        match initial {
            None => self.say(&format!("AUTH {mechanism}")),
            Some("") => self.say(&format!("AUTH {mechanism} =")),
            Some(initial) => self.say(&format!("AUTH {mechanism} {initial}")),
        }
    }

    pub(crate) fn say(&mut self, line: &str) -> Answer {
        let reply = self.talk.ask(line);
        let (challenge, granted) = if self.is_pop3 { ("+ ", "+OK") } else { ("334 ", "235") };
        match reply.strip_prefix(challenge) {
            Some(challenge) => Answer::Challenge(challenge.trim_end().to_owned()),
            None if reply.starts_with(granted) => Answer::Granted,
            None => Answer::Refused(reply),
        }
    }
}

/// A program that reads and prints lines. It is stopped after a minute.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        // Without a terminal, or it would ask there; and with each line as soon as it is there.
        let mut child = Command::new("timeout")
            .args(["60", "setsid", "stdbuf", "-oL", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    pub(crate) fn write(&mut self, line: &str) {
        // One that has seen enough does not read on.
        let _ = writeln!(self.input, "{line}");
    }

    /// Its next line; none at its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Whether it ends content.
    pub(crate) fn ends_content(mut self) -> bool {
        drop(self.input);
        self.child.wait().unwrap().success()
    }
}
