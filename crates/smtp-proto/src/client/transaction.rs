//! One message on its way through a channel: its commands.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use address::{Mailbox, ReversePath};
use envelope::{ByMode, Coding, EnvelopeId, Notify, OriginalRecipient, Ret, xtext};

use super::{Extensions, SizeLimit, Unsendable};

/// What MAIL says of a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The envelope sender.
    pub sender: &'a ReversePath,
    /// Octets of the message with CRLF line ends, without doubled dots (RFC 1870 section 3).
    pub octets: u64,
    /// What octets the body holds (RFC 6152, RFC 3030).
    pub coding: Coding,
    /// Whether its header holds octets above 127 (RFC 6531). Addresses are looked at by
    /// [`super::Channel`].
    pub smtputf8: bool,
    /// `RET=` (RFC 3461). As the following, it goes out where it is understood.
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461).
    pub envid: Option<&'a EnvelopeId>,
    /// `BY=` (RFC 2852).
    pub by: Option<By>,
    /// `REQUIRETLS` (RFC 8689): it goes out where that is announced, or not at all.
    pub require_tls: bool,
    /// Whether a next hop that this host authenticated to is told who submitted the message:
    /// `AUTH=` (RFC 4954 section 5). Others are told nothing: it is none of their business.
    pub auth: bool,
    /// Who that is; `AUTH=<>` if nobody knows, or if the address cannot be written there.
    pub submitter: Option<&'a Mailbox>,
}

impl<'a> Message<'a> {
    /// A message of ASCII without any wishes.
    #[must_use]
    pub const fn new(sender: &'a ReversePath, octets: u64) -> Self {
        Self {
            sender,
            octets,
            coding: Coding::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            by: None,
            require_tls: false,
            auth: false,
            submitter: None,
        }
    }
}

/// `BY=` (RFC 2852 section 4): the time that is left for delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// Seconds from now; zero or less if the time is over. Cut to nine digits.
    pub seconds: i64,
    /// What is to happen then.
    pub mode: ByMode,
    /// `T`: each hop is to be reported.
    pub trace: bool,
}

impl By {
    /// RFC 2852 section 4: nine digits.
    const SECONDS_MAX: i64 = 999_999_999;
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.clamp(-Self::SECONDS_MAX, Self::SECONDS_MAX);
        let trace = if self.trace { "T" } else { "" };
        write!(f, "{seconds};{}{trace}", self.mode.letter())
    }
}

/// What RCPT says of a recipient.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The address.
    pub mailbox: &'a Mailbox,
    /// `NOTIFY=` (RFC 3461), where it was said and is understood.
    pub notify: Notify,
    /// `ORCPT=` (RFC 3461), where it is understood.
    pub original: Option<&'a OriginalRecipient>,
}

impl<'a> From<&'a Mailbox> for Recipient<'a> {
    /// A recipient without wishes.
    fn from(mailbox: &'a Mailbox) -> Self {
        Self { mailbox, notify: Notify::UNSAID, original: None }
    }
}

impl Message<'_> {
    /// Whether the next hop can take it; `utf8`: for an address or the header.
    fn check(&self, extensions: &Extensions, utf8: bool) -> Result<(), Unsendable> {
        if let SizeLimit::Octets(limit) = extensions.size
            && self.octets > limit
        {
            return Err(Unsendable::TooLarge { limit });
        }
        if utf8 && !extensions.smtp_utf8 {
            return Err(Unsendable::Utf8);
        }
        match self.coding {
            Coding::Binary if !(extensions.chunking && extensions.binary_mime) => {
                return Err(Unsendable::Binary);
            }
            // RFC 6531 section 3.1: a server with SMTPUTF8 also has 8BITMIME.
            Coding::EightBit if !extensions.eight_bit_mime => return Err(Unsendable::EightBit),
            _ => {}
        }
        if self.require_tls && !extensions.require_tls {
            return Err(Unsendable::RequireTls);
        }
        match self.by {
            // RFC 2852 section 4: with R, time must be left; and the next hop says how much.
            Some(By { seconds, mode: ByMode::Return, .. })
                if seconds <= 0 || seconds < extensions.deliver_by.unwrap_or(0).into() =>
            {
                Err(Unsendable::Late)
            }
            _ => Ok(()),
        }
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
    /// Which line is next: 0 is MAIL, then the recipients, then the text, then nothing.
    next: usize,
}

/// One step of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScriptLine {
    Mail,
    Recipient(usize),
    /// DATA; or, where the text goes by BDAT, the text itself.
    Data,
}

impl Script {
    /// Writes the script of `message`; returns the number of recipients.
    pub(super) fn render<'a>(
        &mut self,
        message: &Message<'_>,
        recipients: impl IntoIterator<Item = Recipient<'a>>,
        extensions: &Extensions,
    ) -> Result<usize, Unsendable> {
        self.octets.clear();
        (self.sent, self.recipients, self.next) = (0, 0, 0);
        let mut utf8 =
            message.smtputf8 || message.sender.mailbox().is_some_and(|mailbox| !mailbox.is_ascii());
        // The parameters of MAIL hang on the recipients too, so these are written first.
        for recipient in recipients {
            self.render_recipient(&recipient, extensions);
            utf8 |= !recipient.mailbox.is_ascii();
            self.recipients += 1;
        }
        message.check(extensions, utf8)?;
        let lines = self.octets.len();
        self.render_mail(message, utf8, extensions);
        self.octets.rotate_left(lines);
        self.octets.extend_from_slice(b"DATA\r\n");
        Ok(self.recipients)
    }

    fn render_recipient(&mut self, recipient: &Recipient<'_>, extensions: &Extensions) {
        let out = &mut self.octets;
        write(out, format_args!("RCPT TO:<{}>", recipient.mailbox));
        if extensions.dsn {
            if recipient.notify.is_said() {
                write(out, format_args!(" NOTIFY={}", recipient.notify));
            }
            match recipient.original {
                // RFC 6533 section 3: without SMTPUTF8 such an address is written in ASCII.
                Some(original) if !extensions.smtp_utf8 && !original.address().is_ascii() => {
                    write(out, format_args!(" ORCPT={};", original.kind()));
                    write_ascii(out, original.address());
                }
                Some(original) => write(out, format_args!(" ORCPT={original}")),
                None => {}
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    fn render_mail(&mut self, message: &Message<'_>, utf8: bool, extensions: &Extensions) {
        let out = &mut self.octets;
        write(out, format_args!("MAIL FROM:{}", message.sender));
        if extensions.size != SizeLimit::Unannounced {
            write(out, format_args!(" SIZE={}", message.octets));
        }
        if message.coding != Coding::SevenBit {
            write(out, format_args!(" BODY={}", message.coding.keyword()));
        }
        if utf8 {
            out.extend_from_slice(b" SMTPUTF8");
        }
        if let Some(ret) = message.ret.filter(|_| extensions.dsn) {
            write(out, format_args!(" RET={}", ret.keyword()));
        }
        if let Some(envid) = message.envid.filter(|_| extensions.dsn) {
            write(out, format_args!(" ENVID={envid}"));
        }
        if let Some(by) = message.by.filter(|_| extensions.deliver_by.is_some()) {
            write(out, format_args!(" BY={by}"));
        }
        if message.require_tls {
            out.extend_from_slice(b" REQUIRETLS");
        }
        if message.auth && extensions.auth {
            out.extend_from_slice(b" AUTH=");
            write_submitter(out, message.submitter, utf8);
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

    /// The text goes without DATA.
    pub(super) fn skip_data(&mut self) {
        self.next = self.recipients + 2;
    }
}

/// The value of `AUTH=`: xtext, or beyond ASCII, which takes SMTPUTF8, `utf-8-addr-unitext` (RFC
/// 6531 section 3.2, RFC 6533 section 3).
fn write_submitter(out: &mut Vec<u8>, submitter: Option<&Mailbox>, utf8: bool) {
    match submitter {
        Some(mailbox) if mailbox.is_ascii() => {
            out.extend_from_slice(xtext::encode(mailbox.to_string().as_bytes()).as_bytes());
        }
        Some(mailbox) if utf8 => {
            for c in mailbox.to_string().chars() {
                match c {
                    ' ' | '+' | '=' | '\\' => write(out, format_args!("\\x{{{:X}}}", u32::from(c))),
                    _ => write(out, format_args!("{c}")),
                }
            }
        }
        _ => out.extend_from_slice(b"<>"),
    }
}

/// `utf-8-addr-xtext` (RFC 6533 section 3).
fn write_ascii(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        if c.is_ascii() {
            write(out, format_args!("{c}"));
        } else {
            write(out, format_args!("\\x{{{:X}}}", u32::from(c)));
        }
    }
}
