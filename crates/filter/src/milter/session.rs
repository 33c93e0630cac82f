//! One transaction with a milter: commands out, answers in.

use std::time::Duration;

use bytes::Bytes;
use std::net::IpAddr;

use super::link::Link;
use super::options::{self as option, Options};
use super::reply::{Change, Reply};
use crate::endpoint::Stream;
use crate::error::FilterError;
use crate::facts::{Client, Message, Sender};
use crate::section::Section;

/// Octets of a piece of the body, by the protocol.
const PIECE_MAX: usize = 65_535;
/// Changes of one message; signs of life count too.
const CHANGES_MAX: usize = 10_000;

/// What a milter decides about a command or the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Go on.
    Continue,
    /// It wants no more of this message.
    Accept,
    Reject,
    TemporaryFailure,
    Discard,
    /// The client is to be told this.
    Code(String),
}

/// A session that has shaken hands.
pub(crate) struct Session {
    link: Link,
    options: Options,
}

impl Session {
    /// Shakes hands.
    pub(crate) async fn begin(stream: Stream, patience: Duration) -> Result<Self, FilterError> {
        let mut link = Link::new(stream, patience);
        link.send(b'O', &[&Options::offer()]).await?;
        match link.receive().await? {
            (b'O', data) => Ok(Self { link, options: Options::parse(&data)? }),
            _ => Err(FilterError::Nonsense("it did not answer with its options")),
        }
    }

    /// Says who the client is. The protocol asks twice; the first that is not `Continue` holds.
    pub(crate) async fn client(&mut self, client: &Client) -> Result<Decision, FilterError> {
        let address = client.address.to_string();
        if !self.options.has(option::NO_CONNECT) {
            let port = client.port.to_string();
            let macros = [
                ("j", client.host.as_str()),
                ("{daemon_name}", &client.listener),
                ("v", concat!("Lastpost ", env!("CARGO_PKG_VERSION"))),
                ("_", &address),
                ("{client_addr}", &address),
                ("{client_name}", &address),
                ("{client_port}", &port),
            ];
            self.macros(b'C', &macros).await?;
            let family = match client.address {
                IpAddr::V4(_) => b"4",
                IpAddr::V6(_) => b"6",
            };
            let name = format!("[{address}]\0");
            let port = client.port.to_be_bytes();
            let data: [&[u8]; 5] = [name.as_bytes(), family, &port, address.as_bytes(), b"\0"];
            self.link.send(b'C', &data).await?;
            let decision = self.answer(option::MUTE_CONNECT).await?;
            if decision != Decision::Continue {
                return Ok(decision);
            }
        }
        if self.options.has(option::NO_HELO) {
            return Ok(Decision::Continue);
        }
        if let Some((version, cipher)) = &client.tls {
            self.macros(b'H', &[("{tls_version}", version), ("{cipher}", cipher)]).await?;
        }
        self.link.send(b'H', &[without_nul(&client.hello).as_bytes(), b"\0"]).await?;
        self.answer(option::MUTE_HELO).await
    }

    /// `MAIL`.
    pub(crate) async fn mail(
        &mut self,
        client: &Client,
        sender: &Sender<'_>,
    ) -> Result<Decision, FilterError> {
        if self.options.has(option::NO_MAIL) {
            return Ok(Decision::Continue);
        }
        let login = client.login.as_deref().unwrap_or_default();
        let mechanism = client.mechanism.as_deref().unwrap_or_default();
        let all = [
            ("{mail_addr}", sender.path),
            ("{mail_mailer}", "smtp"),
            ("{auth_authen}", login),
            ("{auth_type}", mechanism),
        ];
        // Milters take an empty login for one.
        let said =
            all.iter().filter(|(name, value)| !name.starts_with("{auth") || !value.is_empty());
        self.macros(b'M', &said.copied().collect::<Vec<_>>()).await?;
        let path = format!("<{}>\0", without_nul(sender.path));
        let size = sender.size.map(|size| format!("SIZE={size}\0")).unwrap_or_default();
        self.link.send(b'M', &[path.as_bytes(), size.as_bytes()]).await?;
        self.answer(option::MUTE_MAIL).await
    }

    /// `RCPT`.
    pub(crate) async fn recipient(&mut self, path: &str) -> Result<Decision, FilterError> {
        if self.options.has(option::NO_RCPT) {
            return Ok(Decision::Continue);
        }
        self.macros(b'R', &[("{rcpt_addr}", path), ("{rcpt_mailer}", "smtp")]).await?;
        let path = format!("<{}>\0", without_nul(path));
        self.link.send(b'R', &[path.as_bytes()]).await?;
        self.answer(option::MUTE_RCPT).await
    }

    /// The message; `header` and the body are those that milters before this one have left.
    /// Changes go to `changes` as they come.
    pub(crate) async fn message(
        &mut self,
        message: &Message<'_>,
        header: &Section,
        patience: Duration,
        changes: &mut Vec<Change>,
    ) -> Result<Decision, FilterError> {
        if !self.options.has(option::NO_DATA) {
            self.macros(b'T', &[("i", message.token)]).await?;
            self.link.send(b'T', &[]).await?;
            let decision = self.answer(option::MUTE_DATA).await?;
            if decision != Decision::Continue {
                return Ok(decision);
            }
        }
        let decision = self.header(header).await?;
        if decision != Decision::Continue {
            return Ok(decision);
        }
        self.link.set_patience(patience);
        let decision = self.body(message).await?;
        if decision != Decision::Continue {
            return Ok(decision);
        }
        self.macros(b'E', &[("i", message.token)]).await?;
        self.link.send(b'E', &[]).await?;
        let octets_max = message.octets.saturating_mul(2).saturating_add(10 << 20);
        self.changes(changes, octets_max).await
    }

    /// Says goodbye, so that the milter need not take it for a failure.
    pub(crate) async fn end(mut self) {
        self.link.set_patience(Duration::from_secs(1));
        if self.link.send(b'Q', &[]).await.is_ok() {
            let _ = self.link.flush().await;
        }
    }

    async fn header(&mut self, header: &Section) -> Result<Decision, FilterError> {
        if !self.options.has(option::NO_HEADERS) {
            for (name, value) in header.fields() {
                // Milters know lines that end with LF.
                let value: Vec<u8> = value.iter().copied().filter(|&o| o != b'\r').collect();
                let value = match (value.first(), self.options.has(option::LEADING_SPACE)) {
                    (Some(b' '), false) => value.get(1..).unwrap_or_default(),
                    _ => &value,
                };
                self.link.send(b'L', &[name, b"\0", value, b"\0"]).await?;
                let decision = self.answer(option::MUTE_HEADER).await?;
                if decision != Decision::Continue {
                    return Ok(decision);
                }
            }
        }
        if self.options.has(option::NO_END_OF_HEADERS) {
            return Ok(Decision::Continue);
        }
        self.link.send(b'N', &[]).await?;
        self.answer(option::MUTE_END_OF_HEADERS).await
    }

    async fn body(&mut self, message: &Message<'_>) -> Result<Decision, FilterError> {
        if self.options.has(option::NO_BODY) {
            return Ok(Decision::Continue);
        }
        let mut reader = message.body.open();
        while let Some(block) = reader.next().await.map_err(FilterError::Text)? {
            for piece in block.chunks(PIECE_MAX) {
                self.link.send(b'B', &[piece]).await?;
                if self.options.has(option::MUTE_BODY) {
                    continue;
                }
                match self.reply().await? {
                    Reply::Skip if self.options.has(option::SKIP) => return Ok(Decision::Continue),
                    reply => match decision(reply)? {
                        Decision::Continue => {}
                        other => return Ok(other),
                    },
                }
            }
        }
        Ok(Decision::Continue)
    }

    /// Takes changes until the milter decides.
    async fn changes(
        &mut self,
        changes: &mut Vec<Change>,
        octets_max: u64,
    ) -> Result<Decision, FilterError> {
        let mut octets = 0u64;
        for _ in 0..CHANGES_MAX {
            let (letter, data) = self.link.receive().await?;
            octets = octets.saturating_add(data.len() as u64);
            if octets > octets_max {
                return Err(FilterError::Nonsense("its changes are too large"));
            }
            match Reply::parse(letter, data)? {
                Reply::Change(change) => changes.push(change),
                Reply::Progress => {}
                reply => return decision(reply),
            }
        }
        Err(FilterError::Nonsense("it makes too many changes"))
    }

    async fn macros(&mut self, of: u8, values: &[(&str, &str)]) -> Result<(), FilterError> {
        let mut data = vec![of];
        for (name, value) in values {
            data.extend_from_slice(name.as_bytes());
            data.push(0);
            data.extend_from_slice(without_nul(value).as_bytes());
            data.push(0);
        }
        self.link.send(b'D', &[&data]).await
    }

    /// The answer to a command, unless the milter gives none to it.
    async fn answer(&mut self, mute: u32) -> Result<Decision, FilterError> {
        if self.options.has(mute) {
            return Ok(Decision::Continue);
        }
        let reply = self.reply().await?;
        decision(reply)
    }

    /// The next answer that is more than a sign of life.
    async fn reply(&mut self) -> Result<Reply, FilterError> {
        for _ in 0..CHANGES_MAX {
            let (letter, data): (u8, Bytes) = self.link.receive().await?;
            match Reply::parse(letter, data)? {
                Reply::Progress => {}
                reply => return Ok(reply),
            }
        }
        Err(FilterError::Nonsense("it is at work for ever"))
    }
}

fn decision(reply: Reply) -> Result<Decision, FilterError> {
    Ok(match reply {
        Reply::Continue => Decision::Continue,
        Reply::Accept => Decision::Accept,
        Reply::Reject => Decision::Reject,
        Reply::TemporaryFailure => Decision::TemporaryFailure,
        Reply::Discard => Decision::Discard,
        Reply::Code(text) => Decision::Code(text),
        Reply::Failure => return Err(FilterError::Nonsense("it says that it cannot do its work")),
        Reply::Skip | Reply::Progress | Reply::Change(_) => {
            return Err(FilterError::Nonsense("its answer comes at the wrong time"));
        }
    })
}

/// A NUL would end a string early, and what follows would be another.
fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "?").into() } else { text.into() }
}
