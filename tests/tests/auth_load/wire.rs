//! How one logs in, octet for octet, behind a proxy that says for whom.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine as _;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Pop3,
    Submission,
}

impl Service {
    /// What is sent in one go to log in: the password comes last.
    pub(crate) fn attempt(self, login: &str, password: &str) -> String {
        match self {
            Self::Pop3 => format!("USER {login}\r\nPASS {password}\r\n"),
            Self::Submission => {
                let plain = format!("\0{login}\0{password}");
                let plain = base64::engine::general_purpose::STANDARD.encode(plain);
                format!("AUTH PLAIN {plain}\r\n")
            }
        }
    }

    /// What comes before the first attempt.
    pub(crate) fn introduction(self) -> &'static str {
        match self {
            Self::Pop3 => "",
            Self::Submission => "EHLO load.example\r\n",
        }
    }

    /// Whether this line says that name or password is wrong.
    pub(crate) fn says_wrong(self, line: &str) -> bool {
        line.starts_with(match self {
            Self::Pop3 => "-ERR [AUTH]",
            Self::Submission => "535 ",
        })
    }

    /// Whether this line says to try again later.
    pub(crate) fn says_later(self, line: &str) -> bool {
        line.starts_with(match self {
            Self::Pop3 => "-ERR [SYS/TEMP]",
            Self::Submission => "454 ",
        })
    }
}

/// A header of the PROXY protocol, version 2, for a client by TCP over IPv4 (specification,
/// section 2.2).
pub(crate) fn header(client: Ipv4Addr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client.octets());
    header.extend([127, 0, 0, 1]);
    header.extend([0x9c, 0x40, 0, 110]);
    header
}

/// One session, a command at a time.
pub(crate) struct Session {
    socket: TcpStream,
    service: Service,
    text: String,
}

impl Session {
    /// Greeted, and introduced.
    pub(crate) fn greeted(service: Service, to: SocketAddr, client: Ipv4Addr) -> Self {
        let socket = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut session = Self { socket, service, text: String::new() };
        session.socket.write_all(&header(client)).unwrap();
        let _ = session.reply();
        match service {
            Service::Pop3 => {}
            Service::Submission => drop(session.ask(service.introduction())),
        }
        session
    }

    /// The answer to a login. POP3's name goes first, and its answer is none.
    pub(crate) fn log_in(&mut self, login: &str, password: &str) -> String {
        self.name(login);
        self.prove(login, password).0
    }

    /// What comes before the password, where something does.
    pub(crate) fn name(&mut self, login: &str) {
        if self.service == Service::Pop3 {
            let _ = self.ask(&format!("USER {login}\r\n"));
        }
    }

    /// The answer to the password, and how long it took.
    pub(crate) fn prove(&mut self, login: &str, password: &str) -> (String, Duration) {
        let command = match self.service {
            Service::Pop3 => format!("PASS {password}\r\n"),
            Service::Submission => self.service.attempt(login, password),
        };
        let begun = Instant::now();
        let reply = self.ask(&command);
        (reply, begun.elapsed())
    }

    pub(crate) fn quit(&mut self) {
        let _ = self.ask("QUIT\r\n");
    }

    fn ask(&mut self, command: &str) -> String {
        self.socket.write_all(command.as_bytes()).unwrap();
        self.reply()
    }

    /// The last line of one reply.
    fn reply(&mut self) -> String {
        loop {
            while let Some(end) = self.text.find('\n') {
                let line: String = self.text.drain(..=end).collect();
                if self.service == Service::Pop3 || line.as_bytes().get(3) == Some(&b' ') {
                    return line.trim_end().to_owned();
                }
            }
            let mut block = [0; 1024];
            match self.socket.read(&mut block) {
                Ok(0) => return "closed".to_owned(),
                Ok(read) => self.text.push_str(&String::from_utf8_lossy(&block[..read])),
                Err(error) => {
                    let mut text = String::new();
                    let _ = write!(text, "lost: {error}");
                    return text;
                }
            }
        }
    }
}

pub(crate) fn is_welcome(reply: &str) -> bool {
    reply.starts_with("+OK") || reply.starts_with("235 ")
}
