//! One connection to the scripted next hop.

use std::io;
use std::sync::Mutex;

use base64::Engine as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::next_hop::{Options, Reaction, Received, Record, Seen, lock};

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection.
struct Session<'a> {
    wire: Box<dyn Wire>,
    input: Vec<u8>,
    number: usize,
    options: &'a Options,
    record: &'a Mutex<Record>,
    tls: bool,
    authenticated: bool,
    /// It was greeted with LHLO: there is a reply for each recipient.
    lmtp: bool,
    mail: Option<String>,
    recipients: Vec<String>,
    /// The chunks so far; none after a refused one, until RSET.
    chunks: Option<Vec<u8>>,
}

/// Whether a connection goes on.
enum Next {
    On,
    Secure,
    End,
}

pub(crate) async fn serve(
    stream: TcpStream,
    number: usize,
    options: &Options,
    record: &Mutex<Record>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire: Box<dyn Wire> = Box::new(stream);
    if options.implicit {
        wire = Box::new(options.tls.as_ref().unwrap().accept(wire).await?);
    }
    let mut session = Session {
        wire,
        input: Vec::new(),
        number,
        options,
        record,
        tls: options.implicit,
        authenticated: false,
        lmtp: false,
        mail: None,
        recipients: Vec::new(),
        chunks: Some(Vec::new()),
    };
    if !session.react("connect", "220 next.example ESMTP").await? {
        return Ok(());
    }
    loop {
        let Some(line) = session.line().await? else { return Ok(()) };
        match session.command(&line).await? {
            Next::On => {}
            Next::End => return Ok(()),
            Next::Secure => {
                let acceptor = options.tls.as_ref().unwrap();
                let secure = acceptor.accept(session.wire).await?;
                session.wire = Box::new(secure);
                session.tls = true;
                session.input.clear();
            }
        }
    }
}

impl Session<'_> {
    async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.read().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 65_536];
        let length = self.wire.read(&mut buffer).await?;
        self.input.extend_from_slice(&buffer[..length]);
        Ok(length)
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        let text: String = reply.split('\n').map(|line| format!("{line}\r\n")).collect();
        self.wire.write_all(text.as_bytes()).await?;
        self.wire.flush().await
    }

    /// Answers by the script, or with `polite`. False at the end of the connection.
    async fn react(&mut self, command: &str, polite: &str) -> io::Result<bool> {
        Ok(self.answer(command, polite).await?.is_some())
    }

    /// As [`Self::react`]; gives the first digit of the answer.
    async fn answer(&mut self, command: &str, polite: &str) -> io::Result<Option<u8>> {
        let times = {
            let mut record = lock(self.record);
            let times = record.commands.entry(command.to_owned()).or_default();
            *times += 1;
            *times
        };
        let seen = Seen { connection: self.number, command, times };
        let reply = match (self.options.script)(&seen) {
            Reaction::Polite => polite,
            Reaction::Say(reply) => reply,
            Reaction::SayAndClose(reply) => {
                self.say(reply).await?;
                return Ok(None);
            }
            Reaction::Close => return Ok(None),
            Reaction::Hang => std::future::pending().await,
            Reaction::Late(delay) => {
                tokio::time::sleep(delay).await;
                polite
            }
        };
        if !reply.is_empty() {
            self.say(reply).await?;
        }
        Ok(Some(reply.as_bytes().first().copied().unwrap_or(b'2')))
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
        let locked = self.options.login.is_some() && !self.authenticated;
        match verb.as_str() {
            "EHLO" | "LHLO" => {
                self.lmtp = verb == "LHLO";
                let reply = self.ehlo();
                return self.on(line, &reply).await;
            }
            "STARTTLS" => {
                let answer = self.answer(line, "220 go ahead").await?;
                return Ok(match answer {
                    Some(b'2') => Next::Secure,
                    Some(_) => Next::On,
                    None => Next::End,
                });
            }
            "AUTH" => {
                let (name, password) = self.options.login.unwrap();
                let expected = format!("\0{name}\0{password}");
                let expected = base64::engine::general_purpose::STANDARD.encode(expected);
                self.authenticated = line == format!("AUTH PLAIN {expected}");
                let reply = if self.authenticated { "235 ok" } else { "535 5.7.8 wrong" };
                return self.on("AUTH", reply).await;
            }
            "MAIL" if locked => return self.on(line, "530 5.7.0 authenticate").await,
            "MAIL" => {
                let answer = self.answer(line, "250 2.1.0 ok").await?;
                self.mail = (answer == Some(b'2')).then(|| line.to_owned());
                self.recipients.clear();
                return Ok(on(answer));
            }
            "RCPT" if self.mail.is_some() => {
                let answer = self.answer(line, "250 2.1.5 ok").await?;
                if answer == Some(b'2') {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    self.recipients.push(address.to_owned());
                }
                return Ok(on(answer));
            }
            "DATA" if !self.recipients.is_empty() => return self.data().await,
            "BDAT" => return self.chunk(line).await,
            "RCPT" | "DATA" => return self.on(line, "503 5.5.1 out of order").await,
            "RSET" => {
                self.chunks = Some(Vec::new());
                self.mail = None;
                self.recipients.clear();
            }
            "QUIT" => {
                self.react(line, "221 2.0.0 bye").await?;
                return Ok(Next::End);
            }
            _ => {}
        }
        self.on(line, "250 2.0.0 ok").await
    }

    async fn on(&mut self, command: &str, polite: &str) -> io::Result<Next> {
        Ok(on(self.answer(command, polite).await?))
    }

    fn ehlo(&self) -> String {
        let mut lines = vec!["next.example"];
        lines.extend(&self.options.extensions);
        if self.options.tls.is_some() && !self.tls {
            lines.push("STARTTLS");
        }
        if self.options.login.is_some() {
            lines.push("AUTH PLAIN LOGIN");
        }
        let last = lines.len() - 1;
        let mark = |(index, line): (usize, &&str)| {
            format!("250{}{line}", if index == last { ' ' } else { '-' })
        };
        lines.iter().enumerate().map(mark).collect::<Vec<_>>().join("\n")
    }

    async fn data(&mut self) -> io::Result<Next> {
        match self.answer("DATA", "354 go ahead").await? {
            Some(b'3') => {}
            answer => return Ok(on(answer)),
        }
        if self.input.is_empty() && self.read().await? == 0 {
            return Ok(Next::End);
        }
        if !self.react("text", "").await? {
            return Ok(Next::End);
        }
        let mut searched: usize = 0;
        let text = loop {
            if self.input.starts_with(b".\r\n") {
                self.input.drain(..3);
                break Vec::new();
            }
            let from = searched.saturating_sub(4);
            let dot = self.input[from..].windows(5).position(|five| five == b"\r\n.\r\n");
            if let Some(at) = dot {
                let stuffed: Vec<u8> = self.input.drain(..from + at + 5).collect();
                break unstuffed(&stuffed[..from + at + 2]);
            }
            searched = self.input.len();
            if self.read().await? == 0 {
                return Ok(Next::End);
            }
        };
        self.end(".", text).await
    }

    async fn chunk(&mut self, line: &str) -> io::Result<Next> {
        let mut words = line.split(' ').skip(1);
        let octets: usize = words.next().unwrap().parse().unwrap();
        let last = words.next() == Some("LAST");
        while self.input.len() < octets {
            if self.read().await? == 0 {
                return Ok(Next::End);
            }
        }
        let piece: Vec<u8> = self.input.drain(..octets).collect();
        let ready = self.mail.is_some() && !self.recipients.is_empty();
        let Some(chunks) = self.chunks.as_mut().filter(|_| ready) else {
            return self.on("BDAT out of order", "503 5.5.1 out of order").await;
        };
        chunks.extend_from_slice(&piece);
        if last {
            let text = std::mem::take(chunks);
            return self.end("BDAT LAST", text).await;
        }
        let answer = self.answer("BDAT", "250 2.0.0 go on").await?;
        if matches!(answer, Some(b'4' | b'5')) {
            self.chunks = None;
        }
        Ok(on(answer))
    }

    /// The text is here.
    async fn end(&mut self, command: &str, text: Vec<u8>) -> io::Result<Next> {
        let mail = self.mail.take().unwrap();
        let recipients = std::mem::take(&mut self.recipients);
        let (connection, tls) = (self.number, self.tls);
        let mut taken = Vec::new();
        let mut answer = Ok(None);
        let groups: Vec<_> = match self.lmtp {
            true => recipients.into_iter().map(|recipient| vec![recipient]).collect(),
            false => vec![recipients],
        };
        for recipients in groups {
            let command = match self.lmtp {
                true => format!("{command} {}", recipients[0]),
                false => command.to_owned(),
            };
            answer = self.answer(&command, "250 2.0.0 taken").await;
            // What was refused was not taken; what was cut off may have been.
            if !matches!(answer, Ok(Some(b'4' | b'5'))) {
                taken.extend(recipients);
            }
            if !matches!(answer, Ok(Some(_))) {
                break;
            }
        }
        if !taken.is_empty() {
            let received = Received { mail, recipients: taken, text, connection, tls };
            lock(self.record).messages.push(received);
        }
        Ok(on(answer?))
    }
}

fn on(answer: Option<u8>) -> Next {
    if answer.is_some() { Next::On } else { Next::End }
}

fn unstuffed(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|&octet| octet == b'\n');
    lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect()
}
