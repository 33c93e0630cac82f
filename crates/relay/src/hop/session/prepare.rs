//! What goes to this next hop of a message, and in which form.

use std::collections::HashSet;
use std::io;

use address::{Domain, Host, Mailbox, ReversePath};
use auth::Moment;
use envelope::Coding;
use smtp_proto::client::{By, Channel, Extensions, Limits, Message, Recipient, Unsendable};
use spool::{DeliverBy, Envelope, Job};

use super::text::{self, Text};
use crate::convert::{self, Aim, Plan, PlanError, Unconvertible};
use crate::task::Task;
use crate::verdict::{Verdict, code};

/// A message made ready for one next hop.
pub(super) struct Prepared {
    pub(super) text: Text,
    /// The recipients that go out, as indices into the envelope.
    pub(super) sent: Vec<usize>,
    /// Recipients whom this next hop cannot have.
    pub(super) early: Vec<(usize, Verdict)>,
    coding: Coding,
    octets: u64,
    utf8_header: bool,
    /// Sender and recipients where they are written otherwise than in the envelope.
    sender: Option<ReversePath>,
    mailboxes: Vec<Option<Mailbox>>,
    by: Option<By>,
    pub(super) converted: bool,
}

/// Why a message goes no further on this connection.
pub(super) enum Unfit {
    /// The stored text cannot be read.
    Unreadable(io::Error),
    /// Nobody gets it.
    Never(Verdict),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Prepared {
    /// Looks at a message. `verified`: the other side has proved under TLS who it is.
    pub(super) async fn new(
        task: &Task,
        channel: &Channel,
        verified: bool,
        now: Moment,
    ) -> Result<Self, Unfit> {
        let envelope = task.job.envelope();
        let extensions = channel.extensions();
        if envelope.wishes.require_tls && !verified {
            return Err(Unfit::Never(no_tls("the next hop has not proved who it is under TLS")));
        }
        let text = Text::open(&task.job, None).await?;
        let mut prepared = Self {
            utf8_header: envelope.smtputf8 && text::has_utf8_header(text.first()),
            text,
            sent: Vec::with_capacity(task.recipients.len()),
            early: Vec::new(),
            coding: envelope.coding,
            octets: task.job.octets(),
            sender: None,
            mailboxes: Vec::new(),
            by: envelope.wishes.deliver_by.map(|by| left(by, now)),
            converted: false,
        };
        prepared.address(task, extensions)?;
        prepared.limit(envelope, extensions.limits);
        if !prepared.sent.is_empty() {
            prepared.convert(&task.job, extensions).await?;
        }
        Ok(prepared)
    }

    /// The text, where the next hop does not take it as it is.
    async fn convert(&mut self, job: &Job, extensions: &Extensions) -> Result<(), Unfit> {
        let (coding, plan) = form(job, extensions).await?;
        self.coding = coding;
        if let Some(plan) = plan {
            self.text = Text::open(job, Some(&plan)).await?;
            self.octets = plan.octets();
            self.converted = true;
            note_conversion(job, &plan);
        }
        Ok(())
    }

    /// The envelope's addresses, where the next hop does not take UTF-8 written without it.
    fn address(&mut self, task: &Task, extensions: &Extensions) -> Result<(), Unfit> {
        let envelope = task.job.envelope();
        if extensions.smtp_utf8 {
            self.sent.extend_from_slice(&task.recipients);
            return Ok(());
        }
        let utf8 = || Verdict::failed(code(5, 6, 7), format!("the next hop {}", Unsendable::Utf8));
        if self.utf8_header {
            return Err(Unfit::Never(utf8()));
        }
        if let Some(sender) = envelope.sender.mailbox().filter(|sender| !sender.is_ascii()) {
            let ascii = in_ascii(sender).ok_or_else(|| Unfit::Never(utf8()))?;
            self.sender = Some(ReversePath::Mailbox(ascii));
        }
        for &index in &task.recipients {
            let Some(recipient) = envelope.recipients.get(index) else { continue };
            let instead = match recipient.mailbox.is_ascii() {
                true => None,
                false => match in_ascii(&recipient.mailbox) {
                    Some(ascii) => Some(ascii),
                    None => {
                        self.early.push((index, utf8()));
                        continue;
                    }
                },
            };
            self.sent.push(index);
            if instead.is_some() || !self.mailboxes.is_empty() {
                self.mailboxes.resize(self.sent.len() - 1, None);
                self.mailboxes.push(instead);
            }
        }
        Ok(())
    }

    /// RFC 9422: no more recipients, and no more domains, than the next hop takes. The others
    /// are not judged, and so their turn comes next.
    fn limit(&mut self, envelope: &Envelope, limits: Limits) {
        if let Some(most) = limits.recipients {
            self.sent.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        if let Some(most) = limits.domains {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let mut domains = HashSet::new();
            let host = |index: &usize| envelope.recipients.get(*index).map(|r| r.mailbox.host());
            let beyond = self.sent.iter().position(|index| {
                domains.insert(host(index));
                domains.len() > most
            });
            self.sent.truncate(beyond.unwrap_or(self.sent.len()));
        }
    }

    /// What MAIL says.
    pub(super) fn message<'a>(&'a self, envelope: &'a Envelope) -> Message<'a> {
        Message {
            coding: self.coding,
            smtputf8: self.utf8_header,
            ret: envelope.wishes.ret,
            envid: envelope.wishes.envid.as_ref(),
            by: self.by,
            require_tls: envelope.wishes.require_tls,
            auth: true,
            submitter: envelope.wishes.submitter.as_ref(),
            ..Message::new(self.sender.as_ref().unwrap_or(&envelope.sender), self.octets)
        }
    }

    /// What RCPT says, of each recipient in `sent`.
    pub(super) fn recipients<'a>(
        &'a self,
        envelope: &'a Envelope,
    ) -> impl Iterator<Item = Recipient<'a>> {
        self.sent.iter().enumerate().filter_map(|(place, &index)| {
            let recipient = envelope.recipients.get(index)?;
            let instead = self.mailboxes.get(place).and_then(Option::as_ref);
            Some(Recipient {
                mailbox: instead.unwrap_or(&recipient.mailbox),
                notify: recipient.notify,
                original: recipient.original.as_ref(),
            })
        })
    }
}

/// What a refusal of the channel to take the message means for it.
pub(super) fn unsendable(reason: Unsendable) -> Verdict {
    let status = match reason {
        Unsendable::TooLarge { .. } => code(5, 3, 4),
        Unsendable::EightBit | Unsendable::Binary => code(5, 6, 3),
        Unsendable::Utf8 => code(5, 6, 7),
        Unsendable::Late => code(5, 4, 7),
        Unsendable::RequireTls => return no_tls(&format!("the next hop {reason}")),
        _ => code(5, 0, 0),
    };
    Verdict::failed(status, format!("the next hop {reason}"))
}

/// RFC 8689 section 8: 5.7.30.
fn no_tls(text: &str) -> Verdict {
    Verdict::failed(code(5, 7, 30), text)
}

/// The coding in which the text can go, and the conversion that it takes. Many clients declare
/// all their mail as eight-bit: where the next hop would not take that, the text itself is asked.
async fn form(job: &Job, extensions: &Extensions) -> Result<(Coding, Option<Plan>), Unfit> {
    let declared = job.envelope().coding;
    let aim = match declared {
        Coding::SevenBit => return Ok((declared, None)),
        Coding::EightBit if extensions.eight_bit_mime => return Ok((declared, None)),
        Coding::Binary if extensions.chunking && extensions.binary_mime => {
            return Ok((declared, None));
        }
        Coding::EightBit if text::is_ascii(job).await? => return Ok((Coding::SevenBit, None)),
        Coding::Binary if extensions.eight_bit_mime => Aim::EightBit,
        Coding::EightBit | Coding::Binary => Aim::SevenBit,
    };
    match convert::plan(job, aim).await {
        Ok(plan) => Ok((plan.coding(), Some(plan))),
        Err(PlanError::Io(error)) => Err(Unfit::Unreadable(error)),
        Err(PlanError::Unconvertible(reason)) => {
            // With SMTPUTF8 the message may hold others whose headers are UTF-8 (RFC 6532).
            let status = match reason {
                Unconvertible::Header if job.envelope().smtputf8 => code(5, 6, 7),
                _ => code(5, 6, 3),
            };
            let text = format!("the next hop does not take the message as it is, and {reason}");
            Err(Unfit::Never(Verdict::failed(status, text)))
        }
    }
}

fn note_conversion(job: &Job, plan: &Plan) {
    if plan.breaks_signature() {
        tracing::warn!(
            target: "lastpost::relay", queue_id = %job.id(), to = plan.coding().keyword(),
            "text converted; a domain's signature (DKIM) on it breaks by that"
        );
    } else {
        tracing::info!(
            target: "lastpost::relay", queue_id = %job.id(), to = plan.coding().keyword(),
            "text converted"
        );
    }
}

/// The same mailbox with its domain in A-labels (RFC 5890); `None` if the local part needs UTF-8.
fn in_ascii(mailbox: &Mailbox) -> Option<Mailbox> {
    let Host::Domain(domain) = mailbox.host() else { return None };
    if !mailbox.local().is_ascii() {
        return None;
    }
    let ascii = idna::domain_to_ascii(domain.as_str()).ok()?;
    Mailbox::new(mailbox.local(), Domain::parse(&ascii).ok()?).ok()
}

/// The seconds that are left, rounded down.
fn left(by: DeliverBy, now: Moment) -> By {
    let seconds = by.at.duration_since(now.wall).as_secs();
    By { seconds, mode: by.mode, trace: by.trace }
}
