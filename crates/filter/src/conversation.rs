//! A conversation with the filters of a listener about one transaction.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Changes;
use crate::config::{OnFailure, PolicyStage};
use crate::error::FilterError;
use crate::facts::{Client, Message, Recipient, Sender};
use crate::filters::{Filter, Selection};
use crate::milter::{Decision, MilterTalk, Revised};
use crate::policy::{Action, Policy, Question, Subject};
use crate::refusal::{Answer, Outcome, Refusal};
use crate::section::Section;
use std::sync::Arc;

/// A conversation about one transaction. Dropped, it ends, and milters forget the message.
pub struct Conversation {
    selection: Selection,
    client: Client,
    parts: Vec<Part>,
    sender: String,
    size: u64,
    instance: String,
    /// What was decided before the message was there.
    held: Option<String>,
    discarded: Option<String>,
    prepended: Vec<(String, String)>,
}

enum Part {
    Milter(MilterTalk),
    Policy(Arc<Policy>),
    /// It failed, and the message goes on without it.
    Without,
}

/// A filter's judgement on a sender or a recipient.
enum Judgement {
    Pass,
    Discard,
    Hold(String),
    Prepend(String, String),
    Refuse(Refusal),
}

/// A name of its own for each transaction. Policy services keep it in databases of theirs, so it
/// must not come again after a restart, nor on another host.
fn instance() -> String {
    static INSTANCES: AtomicU64 = AtomicU64::new(1);
    static RUN: OnceLock<u64> = OnceLock::new();
    // What begins every hash of this process at random is of another value in each.
    let run = RUN.get_or_init(|| RandomState::new().build_hasher().finish());
    format!("{run:x}.{:x}", INSTANCES.fetch_add(1, Ordering::Relaxed))
}

impl Conversation {
    pub(crate) fn new(selection: Selection, client: Client) -> Self {
        let parts = selection.filters.iter().map(|filter| match filter {
            Filter::Milter(milter) => Part::Milter(MilterTalk::new(Arc::clone(milter))),
            Filter::Policy(policy) => Part::Policy(Arc::clone(policy)),
        });
        Self {
            parts: parts.collect(),
            selection,
            client,
            sender: String::new(),
            size: 0,
            instance: instance(),
            held: None,
            discarded: None,
            prepended: Vec::new(),
        }
    }

    /// Asks about `MAIL`. After a refusal the conversation is over.
    pub async fn mail(&mut self, sender: &Sender<'_>) -> Answer {
        self.sender = sender.path.to_owned();
        self.size = sender.size.unwrap_or(0);
        for index in 0..self.parts.len() {
            let judged = match &mut self.parts[index] {
                Part::Milter(talk) => {
                    let name = talk.milter().name.clone();
                    talk.mail(&self.client, sender).await.map(|decision| judge(&name, decision))
                }
                Part::Policy(policy) if policy.config.at.contains(&PolicyStage::Mail) => {
                    let policy = Arc::clone(policy);
                    self.consult(&policy, PolicyStage::Mail, "", 0, "").await
                }
                Part::Policy(_) | Part::Without => continue,
            };
            if let Some(refusal) = self.take(index, judged) {
                return Answer::Refuse(refusal);
            }
        }
        Answer::Pass
    }

    /// Asks about `RCPT`, once the daemon itself has nothing against it. A refusal is this
    /// recipient's alone.
    pub async fn recipient(&mut self, recipient: &Recipient<'_>) -> Answer {
        for index in 0..self.parts.len() {
            let judged = match &mut self.parts[index] {
                Part::Milter(talk) => {
                    let name = talk.milter().name.clone();
                    talk.recipient(recipient.path).await.map(|decision| judge(&name, decision))
                }
                Part::Policy(policy) if policy.config.at.contains(&PolicyStage::Rcpt) => {
                    let policy = Arc::clone(policy);
                    let (path, before) = (recipient.path, recipient.before);
                    self.consult(&policy, PolicyStage::Rcpt, path, before, "").await
                }
                Part::Policy(_) | Part::Without => continue,
            };
            if let Some(refusal) = self.take(index, judged) {
                return Answer::Refuse(refusal);
            }
        }
        Answer::Pass
    }

    /// Asks about the whole message. Each milter sees what those before it have left.
    pub async fn message(&mut self, message: &Message<'_>) -> Outcome {
        let mut section = Section::parse(message.header);
        let mut changes = Changes::default();
        let mut header_changed = false;
        for index in 0..self.parts.len() {
            if self.discarded.is_some() {
                break;
            }
            let judged = match &mut self.parts[index] {
                Part::Milter(talk) => {
                    let name = talk.milter().name.clone();
                    let revised = {
                        let seen = seen_by(message, &changes);
                        talk.message(&seen, &mut section).await
                    };
                    revised.map(|revised| {
                        let Revised { decision, quarantine, changed } = revised;
                        header_changed |= changed.header;
                        merge(&mut changes, changed);
                        if quarantine.is_some() {
                            self.held = quarantine;
                        }
                        judge(&name, decision)
                    })
                }
                Part::Policy(policy) if policy.config.at.contains(&PolicyStage::EndOfMessage) => {
                    let policy = Arc::clone(policy);
                    self.size = message.octets;
                    let count = u32::try_from(message.recipients.len()).unwrap_or(u32::MAX);
                    let only = match message.recipients {
                        [only] => only.as_str(),
                        _ => "",
                    };
                    let stage = PolicyStage::EndOfMessage;
                    self.consult(&policy, stage, only, count, message.token).await
                }
                Part::Policy(_) | Part::Without => continue,
            };
            if let Some(refusal) = self.take(index, judged) {
                return Outcome::Refuse(refusal);
            }
        }
        self.conclude(section, header_changed, changes)
    }

    fn conclude(&mut self, mut section: Section, changed: bool, mut changes: Changes) -> Outcome {
        let counters = Arc::clone(&self.selection.counters);
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        if let Some(filter) = self.discarded.take() {
            count(&counters.discarded);
            return Outcome::Discard { filter };
        }
        let mut changed = changed;
        for (name, value) in self.prepended.drain(..) {
            match section.insert(0, name.as_bytes(), value.as_bytes()) {
                Ok(()) => changed = true,
                Err(_) => tracing::warn!(
                    target: "lastpost::filter", field = ?name, "a policy's field is none"
                ),
            }
        }
        changes.header = changed.then(|| section.to_octets());
        if !changes.are_none() {
            count(&counters.changed);
        }
        match self.held.take() {
            Some(reason) => {
                count(&counters.held);
                let reason: String = reason
                    .chars()
                    .take(200)
                    .map(|c| if c.is_control() { '?' } else { c })
                    .collect();
                Outcome::Hold { reason, changes }
            }
            None => {
                count(&counters.passed);
                Outcome::Accept(changes)
            }
        }
    }

    async fn consult(
        &self,
        policy: &Policy,
        stage: PolicyStage,
        recipient: &str,
        recipients: u32,
        token: &str,
    ) -> Result<Judgement, FilterError> {
        let size = self.size;
        let subject = Subject { stage, sender: &self.sender, recipient, recipients, size, token };
        let question =
            Question::new(&self.client, &subject, &self.instance, &policy.config.context);
        Ok(match policy.ask(&question).await? {
            Action::Pass => Judgement::Pass,
            Action::Refuse(refusal) => Judgement::Refuse(refusal),
            Action::Discard => Judgement::Discard,
            Action::Hold(reason) => Judgement::Hold(reason),
            Action::Prepend { name, value } => Judgement::Prepend(name, value),
            Action::Note(text) => {
                tracing::info!(
                    target: "lastpost::filter", filter = policy.config.name, ?text, "note"
                );
                Judgement::Pass
            }
            Action::Unknown(text) => {
                tracing::warn!(
                    target: "lastpost::filter", filter = policy.config.name, action = ?text,
                    "an action that this server does not have is passed over"
                );
                Judgement::Pass
            }
        })
    }

    /// Notes what a filter said; gives back what the client must be told.
    fn take(&mut self, index: usize, judged: Result<Judgement, FilterError>) -> Option<Refusal> {
        let counters = &self.selection.counters;
        let (name, on_failure) = match &self.parts[index] {
            Part::Milter(talk) => (talk.milter().name.clone(), talk.milter().on_failure),
            Part::Policy(policy) => (policy.config.name.clone(), policy.config.on_failure),
            Part::Without => return None,
        };
        match judged {
            Ok(Judgement::Pass) => None,
            Ok(Judgement::Discard) => {
                self.discarded = Some(name);
                None
            }
            Ok(Judgement::Hold(reason)) => {
                self.held = Some(reason);
                None
            }
            Ok(Judgement::Prepend(field, value)) => {
                // A service may say so at each of thousands of recipients.
                if self.prepended.len() < 100 {
                    self.prepended.push((field, value));
                }
                None
            }
            Ok(Judgement::Refuse(refusal)) => {
                counters.refused.fetch_add(1, Ordering::Relaxed);
                Some(refusal)
            }
            Err(error) => {
                counters.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    target: "lastpost::filter", filter = name, %error,
                    goes_on = on_failure == OnFailure::Accept, "a filter cannot be asked"
                );
                match on_failure {
                    OnFailure::Defer => Some(Refusal::unavailable(&name)),
                    OnFailure::Accept => {
                        self.parts[index] = Part::Without;
                        None
                    }
                }
            }
        }
    }
}

/// The message as the filters before have left it.
fn seen_by<'a>(message: &Message<'a>, changes: &'a Changes) -> Message<'a> {
    match &changes.body {
        Some(body) => Message { body, ..*message },
        None => *message,
    }
}

fn merge(changes: &mut Changes, changed: crate::milter::Changed) {
    if let Some(body) = changed.body {
        changes.body = Some(body);
    }
    if changed.sender.is_some() {
        changes.sender = changed.sender;
    }
    changes.added.extend(changed.added);
    changes.removed.extend(changed.removed);
}

fn judge(filter: &str, decision: Decision) -> Judgement {
    match decision {
        Decision::Continue | Decision::Accept => Judgement::Pass,
        Decision::Reject => Judgement::Refuse(Refusal::permanent(filter)),
        Decision::TemporaryFailure => Judgement::Refuse(Refusal::passing(filter)),
        Decision::Discard => Judgement::Discard,
        Decision::Code(reply) => Judgement::Refuse(
            Refusal::parse(filter, &reply).unwrap_or_else(|| Refusal::passing(filter)),
        ),
    }
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("filters", &self.parts.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::instance;

    #[test]
    fn each_transaction_has_a_name_of_its_own() {
        let (a, b) = (instance(), instance());
        assert_ne!(a, b);
        let run = |name: &str| name.split_once('.').map(|(run, _)| run.to_owned());
        assert_eq!(run(&a), run(&b));
        assert!(a.len() <= 33 && a.bytes().all(|c| c.is_ascii_hexdigit() || c == b'.'), "{a}");
    }
}
