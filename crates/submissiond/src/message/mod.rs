//! A message while it comes in: its header section is held back until the message is whole, its
//! body streams into the spool.

mod section;

use smtp_proto::server::Reply;
use spool::{Draft, IntakeError};

use crate::checks::Refused;
use crate::fixup::{self, Header};
use crate::house::Listening;
use crate::letter::{self, Body, Letter};
use crate::rights::Rights;
use crate::trace::{Carriage, Token, Trace};
use crate::transaction::{Envelope, Mail, Right};
use section::{Parts, Section};

/// A message from `DATA` to its end.
pub(crate) struct Message {
    pub(crate) envelope: Box<Envelope>,
    pub(crate) token: Token,
    progress: Progress,
}

/// A message at its end.
pub(crate) struct Finished {
    pub(crate) mail: Mail,
    /// Why it is to be held, if a check said so before it came.
    pub(crate) hold: Option<String>,
    pub(crate) letter: Result<Letter, Refused>,
}

enum Progress {
    /// The header section is not whole yet.
    Header(Draft, Section),
    /// It is, and was found good.
    Body(Header, Body),
    /// What comes is dropped, and the end is answered with this.
    Refused(Refused),
}

impl Message {
    pub(crate) fn new(envelope: Box<Envelope>, token: Token, draft: Draft) -> Self {
        let progress = Progress::Header(draft, Section::default());
        Self { envelope, token, progress }
    }

    /// Takes the next octets, which have CRLF line ends.
    pub(crate) async fn take(&mut self, block: &[u8], listening: &Listening) {
        let taken = match &mut self.progress {
            Progress::Refused(_) => return,
            Progress::Body(_, body) => body.take(block).await,
            Progress::Header(..) => self.take_header(block, listening).await,
        };
        if let Err(refused) = taken {
            // The room that it had is free at once, not when the client has sent the rest.
            self.progress = Progress::Refused(refused);
        }
    }

    async fn take_header(&mut self, block: &[u8], listening: &Listening) -> Result<(), Refused> {
        let Progress::Header(_, section) = &mut self.progress else { return Ok(()) };
        let Some(Parts { section, body }) = section.take(block)? else { return Ok(()) };
        let header = judge(&self.envelope, self.token, &section, listening)?;
        self.begin_body(header, listening);
        match &mut self.progress {
            Progress::Body(_, begun) => begun.take(body).await,
            _ => Ok(()),
        }
    }

    fn begin_body(&mut self, header: Header, listening: &Listening) {
        let signing = letter::begin_signing(listening, &self.envelope.right, &header);
        let nothing = Progress::Refused(not_stored(IntakeError::Failed));
        self.progress = match std::mem::replace(&mut self.progress, nothing) {
            Progress::Header(draft, _) => {
                Progress::Body(header, Body { draft, is_ascii: true, signing })
            }
            other => other,
        };
    }

    /// The end has come: what `MAIL` said, why the message is to be held, and the letter or why
    /// there is none.
    pub(crate) fn finish(mut self, listening: &Listening) -> Finished {
        // A message may end within its header.
        if let Progress::Header(_, section) = &mut self.progress {
            let section = section.end();
            match judge(&self.envelope, self.token, &section, listening) {
                Ok(header) => self.begin_body(header, listening),
                Err(refused) => self.progress = Progress::Refused(refused),
            }
        }
        let Envelope { mail, right, hold } = *self.envelope;
        let letter = match self.progress {
            Progress::Refused(refused) => Err(refused),
            Progress::Header(..) => Err(not_stored(IntakeError::Failed)),
            Progress::Body(header, body) => Ok(Letter::new(self.token, right, header, body)),
        };
        Finished { mail, hold, letter }
    }
}

impl Body {
    async fn take(&mut self, block: &[u8]) -> Result<(), Refused> {
        self.is_ascii &= block.is_ascii();
        if let Some(signing) = &mut self.signing {
            signing.body(block);
        }
        self.draft.write(block).await.map_err(not_stored)
    }
}

fn judge(
    envelope: &Envelope,
    token: Token,
    section: &[u8],
    listening: &Listening,
) -> Result<Header, Refused> {
    let mail = &envelope.mail;
    let carriage = Carriage {
        extended: mail.extended,
        smtputf8: mail.smtputf8,
        tls: mail.client.tls,
        authenticated: mail.authenticated,
    };
    let recipient = match envelope.right.recipients() {
        [only] => Some(&only.mailbox),
        _ => None,
    };
    let trace = Trace {
        host: &listening.house.hostname,
        helo: &mail.helo,
        client: mail.client.address,
        carriage,
        token,
        at: mail.at.wall,
        sender: &mail.sender,
        recipient,
    };
    let options = &listening.house.header;
    let judged = match &envelope.right {
        Right::Permitted(permitted) => {
            let rights = Rights::of(permitted.hold.permit());
            fixup::submitted(section, &trace, &rights, options)
        }
        Right::Inbound(_) => fixup::received(section, &trace, options),
    };
    judged.map_err(|reply| Refused { reply, reason: "header" })
}

/// What the client is told when the spool does not take a message.
pub(crate) fn not_stored(error: IntakeError) -> Refused {
    let (reason, reply) = match error {
        IntakeError::Full => ("storage-full", Reply::STORAGE_FULL),
        IntakeError::Failed => ("not-stored", Reply::LOCAL_ERROR),
        IntakeError::TooLarge => ("too-large", Reply::MESSAGE_TOO_LARGE),
        IntakeError::NoRecipients => {
            ("no-recipients", Reply::fixed(554, "5.5.1", "No valid recipients"))
        }
        IntakeError::TooManyRecipients => ("too-many-recipients", Reply::TOO_MANY_RECIPIENTS),
        IntakeError::NotPermitted => {
            let text = "The account may not send as this sender";
            ("sender-not-permitted", Reply::fixed(550, "5.7.1", text))
        }
    };
    Refused { reply, reason }
}
