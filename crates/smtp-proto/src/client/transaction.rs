//! One message on its way through a channel: its commands, and what was said to them.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use address::{Mailbox, ReversePath};

use super::{Command, End, Extensions, Outcome, Reply, SizeLimit, Unfinished, Unsendable};

/// What MAIL says of a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The envelope sender.
    pub sender: &'a ReversePath,
    /// Octets of the message with CRLF line ends, without doubled dots (RFC 1870 section 3).
    pub octets: u64,
    /// Whether its body holds octets above 127.
    pub eight_bit: bool,
    /// Whether its header holds such octets. Addresses are looked at by [`super::Channel`].
    pub utf8_header: bool,
}

impl Message<'_> {
    /// Whether the next hop can take it.
    pub(super) fn check(&self, extensions: &Extensions, utf8: bool) -> Result<(), Unsendable> {
        if let SizeLimit::Octets(limit) = extensions.size
            && self.octets > limit
        {
            return Err(Unsendable::TooLarge { limit });
        }
        if utf8 && !extensions.smtp_utf8 {
            return Err(Unsendable::Utf8);
        }
        // RFC 6531 section 3.1: a server with SMTPUTF8 also has 8BITMIME.
        if self.eight_bit && !extensions.eight_bit_mime {
            return Err(Unsendable::EightBit);
        }
        Ok(())
    }
}

/// Appends formatted text; writing to memory cannot fail.
pub(super) fn write(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    struct Octets<'a>(&'a mut Vec<u8>);
    impl fmt::Write for Octets<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let _ = Octets(out).write_fmt(text);
}

/// The commands of one transaction, rendered, with a cursor: what has gone out already.
///
/// The buffer outlives the transaction, so that a busy channel allocates nothing for it.
#[derive(Debug, Default)]
pub(super) struct Script {
    octets: Vec<u8>,
    sent: usize,
    recipients: usize,
    /// Which line is next: 0 is MAIL, then the recipients, then DATA, then nothing.
    next: usize,
}

/// One line of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScriptLine {
    Mail,
    Recipient(usize),
    Data,
}

impl Script {
    /// Writes the script of `message`; returns the number of recipients.
    pub(super) fn render<'a>(
        &mut self,
        message: &Message<'_>,
        recipients: impl IntoIterator<Item = &'a Mailbox>,
        extensions: &Extensions,
    ) -> Result<usize, Unsendable> {
        self.octets.clear();
        (self.sent, self.recipients, self.next) = (0, 0, 0);
        let mut utf8 = message.utf8_header
            || message.sender.mailbox().is_some_and(|mailbox| !mailbox.is_ascii());
        // The parameters of MAIL hang on the recipients too, so these are written first.
        for recipient in recipients {
            write(&mut self.octets, format_args!("RCPT TO:<{recipient}>\r\n"));
            utf8 |= !recipient.is_ascii();
            self.recipients += 1;
        }
        message.check(extensions, utf8)?;
        let lines = self.octets.len();
        self.render_mail(message, utf8, extensions);
        self.octets.rotate_left(lines);
        self.octets.extend_from_slice(b"DATA\r\n");
        Ok(self.recipients)
    }

    fn render_mail(&mut self, message: &Message<'_>, utf8: bool, extensions: &Extensions) {
        let out = &mut self.octets;
        write(out, format_args!("MAIL FROM:{}", message.sender));
        if extensions.size != SizeLimit::Unannounced {
            write(out, format_args!(" SIZE={}", message.octets));
        }
        if message.eight_bit {
            out.extend_from_slice(b" BODY=8BITMIME");
        }
        if utf8 {
            out.extend_from_slice(b" SMTPUTF8");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The line that goes out next.
    pub(super) fn peek(&self) -> Option<ScriptLine> {
        match self.next {
            0 => Some(ScriptLine::Mail),
            next if next <= self.recipients => Some(ScriptLine::Recipient(next - 1)),
            next if next == self.recipients + 1 => Some(ScriptLine::Data),
            _ => None,
        }
    }

    /// Moves the next line to `out`.
    pub(super) fn send_line(&mut self, out: &mut Vec<u8>) {
        let rest = self.octets.get(self.sent..).unwrap_or_default();
        // No address holds an LF, so each one ends a command.
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
        out.extend_from_slice(&rest[..length]);
        self.sent += length;
        self.next += 1;
    }
}

/// What was said to a transaction so far.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) recipients: usize,
    /// The refusal of MAIL.
    pub(super) mail: Option<Reply>,
    pub(super) refused: Vec<(usize, Reply)>,
}

impl Ledger {
    pub(super) fn new(recipients: usize) -> Self {
        Self { recipients, mail: None, refused: Vec::new() }
    }

    /// Whether there is nobody to send the body for.
    pub(super) fn is_hopeless(&self) -> bool {
        self.mail.is_some() || self.refused.len() == self.recipients
    }

    /// The end of a transaction that never came to its body; `data`: the refusal of DATA.
    pub(super) fn give_up(self, data: Option<Reply>) -> Outcome {
        let end = match (self.mail, data) {
            (Some(reply), _) => End::Refused { at: Command::Mail, reply },
            (None, _) if self.refused.len() == self.recipients => End::NoRecipient,
            (None, Some(reply)) => End::Refused { at: Command::Data, reply },
            (None, None) => End::NoRecipient,
        };
        Outcome { recipients: self.recipients, refused: self.refused, end }
    }

    /// The end of a transaction whose body went out.
    pub(super) fn conclude(self, reply: Reply, accepted: bool) -> Outcome {
        let end = if accepted {
            End::Accepted(reply)
        } else {
            End::Refused { at: Command::EndOfData, reply }
        };
        Outcome { recipients: self.recipients, refused: self.refused, end }
    }

    pub(super) fn unfinished(self, body_sent: bool) -> Unfinished {
        let Self { recipients, mail, mut refused } = self;
        if let Some(reply) = mail {
            refused = (0..recipients).map(|index| (index, reply.clone())).collect();
        }
        Unfinished { recipients, refused, body_sent }
    }
}
