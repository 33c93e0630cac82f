//! What a session has on its account: counts, errors, failed authentications.

use alloc::vec::Vec;

use super::command::Verb;
use super::counts::Counts;
use super::parameters::Parameters;
use super::reply::Reply;

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// `QUIT`.
    Quit,
    /// More commands were refused than [`Parameters::errors_max`] allows.
    Errors,
    /// More authentications failed than [`Parameters::auth_failures_max`] allows.
    AuthFailures,
    /// Something came behind `STARTTLS` without waiting for the reply: a client that guesses,
    /// or a man in the middle who injects commands (RFC 3207 section 4.2).
    PipelinedStartTls,
    /// `BDAT` that is not offered, or malformed: what follows it must not be read as commands.
    Bdat,
    /// What looks like a message came behind a `DATA` that was refused: a client that does not
    /// read replies, and whose text must not be read as commands.
    BlindData,
    /// What is no command came behind an `AUTH` that was refused: most likely a password, which is
    /// to stay with the client.
    BlindAuth,
    /// The session has sent as many messages as [`Parameters::mails_max`] allows.
    Mails,
    /// A request of HTTP.
    Http,
    /// A TLS handshake where plain text is spoken.
    TlsHandshake,
    /// A message went on far beyond the limit that it had already broken.
    Overrun,
    /// The client was silent, or too slow, for too long.
    Timeout,
    /// The server is going down.
    Shutdown,
    /// A question to the daemon was given up without an answer.
    Unanswered,
}

impl CloseReason {
    /// A stable word for the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Errors => "too-many-errors",
            Self::AuthFailures => "too-many-auth-failures",
            Self::PipelinedStartTls => "pipelined-starttls",
            Self::Bdat => "bdat",
            Self::BlindData => "message-without-consent",
            Self::BlindAuth => "password-without-consent",
            Self::Mails => "too-many-messages",
            Self::Http => "http",
            Self::TlsHandshake => "tls-on-plain-port",
            Self::Overrun => "message-overrun",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
            Self::Unanswered => "unanswered",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    errors: u32,
    auth_failures: u16,
    idle_commands: u16,
    /// If the last command was refused and a client that does not read replies may go on as if it
    /// had not been: why the session then ends.
    pub(crate) blind: Option<CloseReason>,
    /// Whether an AUTH failed and none succeeded since.
    pub(crate) failed_auth: bool,
}

impl Tally {
    /// Writes the final reply to a command with `verb`, and takes it down.
    pub(crate) fn reply(&mut self, verb: Verb, reply: &Reply, output: &mut Vec<u8>) {
        reply.write(output);
        self.record(verb, reply.code());
    }

    pub(crate) fn record(&mut self, verb: Verb, code: u16) {
        let granted = code < 400;
        self.counts.record(verb, granted);
        if code >= 500 {
            self.errors = self.errors.saturating_add(1);
        }
        match verb {
            Verb::Auth => {
                self.failed_auth = !granted;
                self.auth_failures = self.auth_failures.saturating_add(u16::from(code == 535));
            }
            Verb::Ehlo | Verb::Helo | Verb::Noop | Verb::Rset | Verb::Vrfy | Verb::Help => {
                self.idle_commands = self.idle_commands.saturating_add(1);
                if self.idle_commands > Parameters::IDLE_COMMANDS_MAX {
                    self.errors = self.errors.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    /// A message was accepted.
    pub(crate) fn accepted(&mut self) {
        self.idle_commands = 0;
    }

    /// Forgets everything but the counts: another client speaks.
    pub(crate) fn begin_anew(&mut self) {
        let counts = core::mem::take(&mut self.counts);
        *self = Self { counts, ..Self::default() };
    }

    /// Whether no further transaction may begin.
    pub(crate) fn has_sent_all(&self, parameters: &Parameters) -> bool {
        parameters.mails_max > 0 && self.counts.granted(Verb::Mail) >= parameters.mails_max
    }

    /// The limit that is used up, if one is.
    pub(crate) fn exceeded(&self, parameters: &Parameters) -> Option<CloseReason> {
        if u32::from(self.auth_failures) >= parameters.auth_failures_max {
            Some(CloseReason::AuthFailures)
        } else if self.errors >= parameters.errors_max {
            Some(CloseReason::Errors)
        } else {
            None
        }
    }
}
