//! A driver without sockets: answers a session's questions from memory.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use md5::{Digest, Md5};
use pop3_proto::{
    Body, Claim, Expire, Internationalised, LoginFacts, LoginRefusal, MessageRefusal, Messages,
    Part, PendingLogin, PendingMessage, PendingSasl, PendingUpdate, PerUser, Progress, SaslMessage,
    Session, Step, Terms, TlsState, XclientFacts,
};
use sasl::{Mechanism, Offer, Secret};

use crate::talk::{Talk, Turn};
use crate::transcript::{Fact, Follows, Given, Message, Trouble};

/// A message, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) message: Message,
    pub(crate) breaks: bool,
    pub(crate) gone: bool,
    pub(crate) retrieved: bool,
}

/// A message as a session lists it.
pub(crate) struct Listed {
    octets: u64,
    uidl: String,
    retrieved: bool,
}

/// The maildrop that every account shares.
#[derive(Clone, Default)]
pub(crate) struct Maildrop(Rc<Vec<Listed>>);

impl Messages for Maildrop {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn octets(&self, index: usize) -> u64 {
        self.0[index].octets
    }

    fn uidl(&self, index: usize) -> &str {
        &self.0[index].uidl
    }

    fn retrieved_before(&self, index: usize) -> bool {
        self.0[index].retrieved
    }
}

/// The session between two of the client's blocks.
enum Stage {
    Open(Session<Maildrop>),
    Handshake(pop3_proto::Handshake),
    Closed,
}

/// A server in memory, and the client's end of the line.
pub(crate) struct World {
    pub(crate) terms: Terms,
    pub(crate) facts: LoginFacts,
    /// What the proxy said last.
    pub(crate) client: Option<XclientFacts>,
    pub(crate) accounts: HashMap<String, Vec<u8>>,
    pub(crate) stored: Rc<RefCell<Vec<Stored>>>,
    pub(crate) trouble: Option<Trouble>,
    /// Where the password is to be changed, if it is.
    must_change: Option<Option<String>>,
    /// What other mechanisms than PLAIN and LOGIN hear and say.
    turns: VecDeque<(Vec<u8>, Follows)>,
    /// The exchange under way.
    talk: Option<Talk>,
    pub(crate) removal_fails: bool,
    pub(crate) removed: Option<Vec<usize>>,
    pub(crate) retrieved: Option<Vec<usize>>,
    /// Octets from the server that the client has not read.
    pub(crate) out: Vec<u8>,
    /// Steps that asked something, in order: what a driver must see whatever the split.
    pub(crate) asked: Vec<String>,
    unread: Vec<u8>,
    stage: Option<Stage>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            // As the daemon has it unless it is told otherwise.
            terms: Terms {
                cleartext_login: true,
                mechanisms: Mechanism::ALL.into_iter().collect(),
                mechanisms_under_tls: Mechanism::ALL.into_iter().collect(),
                expire: Some(PerUser { value: Expire::Never, varies: false }),
                ..Terms::default()
            },
            facts: LoginFacts { login_delay: None, expire: Some(Expire::Never) },
            client: None,
            accounts: HashMap::new(),
            stored: Rc::default(),
            trouble: None,
            must_change: None,
            turns: VecDeque::new(),
            talk: None,
            removal_fails: false,
            removed: None,
            retrieved: None,
            out: Vec::new(),
            asked: Vec::new(),
            unread: Vec::new(),
            stage: None,
        }
    }

    pub(crate) fn arrange(&mut self, given: &Given) {
        let mut stored = self.stored.borrow_mut();
        match given {
            Given::Account { login, password } => {
                self.accounts.insert(login.clone(), password.clone());
            }
            Given::Message(message) => {
                stored.push(Stored { message: message.clone(), ..Stored::default() });
            }
            Given::TlsOffered => self.terms.tls = TlsState::Offered,
            Given::TlsActive => self.terms.tls = TlsState::Active,
            Given::CleartextRefused => {
                self.terms.cleartext_login = false;
                let safe = |mechanism: &Mechanism| !mechanism.is_cleartext();
                self.terms.mechanisms = self.terms.mechanisms.iter().filter(safe).collect();
            }
            Given::Mechanisms { names, under_tls } => {
                let known = |name: &String| Mechanism::parse(name.as_bytes()).unwrap();
                let offer = names.iter().map(known).collect();
                self.terms.mechanisms_under_tls = offer;
                if !under_tls {
                    self.terms.mechanisms = offer;
                }
            }
            Given::MustChange(url) => self.must_change = Some(url.clone()),
            Given::Turn(message, follows) => {
                self.turns.push_back((message.clone(), follows.clone()));
            }
            Given::Login(trouble) => self.trouble = *trouble,
            Given::Breaks(index) => stored[*index].breaks = true,
            Given::Gone(index) => stored[*index].gone = true,
            Given::RemovalFails => self.removal_fails = true,
            Given::Apop(stamp) => self.terms.apop_stamp = Some(stamp.as_str().into()),
            Given::OfAll(Fact::LoginDelay(value), varies) => {
                self.terms.login_delay = Some(PerUser { value: *value, varies: *varies });
            }
            Given::OfAll(Fact::Expire(days), varies) => {
                self.terms.expire = Some(PerUser { value: expire(*days), varies: *varies });
            }
            Given::Own(Fact::LoginDelay(value)) => self.facts.login_delay = Some(*value),
            Given::Own(Fact::Expire(days)) => self.facts.expire = Some(expire(*days)),
            Given::Last => self.terms.last = true,
            Given::Proxy => self.terms.xclient = true,
            Given::Utf8Only => self.terms.internationalised = Internationalised::Refused,
            Given::Retrieved(index) => stored[*index].retrieved = true,
        }
    }

    /// The client connects, at the latest when it first speaks or listens.
    pub(crate) fn connect(&mut self) {
        if self.stage.is_none() {
            self.stage = Some(Stage::Open(Session::greet(self.terms.clone(), &mut self.out)));
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.stage, Some(Stage::Closed))
    }

    pub(crate) fn shake_hands(&mut self) {
        let Some(Stage::Handshake(handshake)) = self.stage.take() else { panic!("no handshake") };
        let offer: Offer = self.terms.mechanisms_under_tls;
        self.stage = Some(Stage::Open(handshake.established(offer)));
    }

    /// The open session, for a test that drives it by itself.
    pub(crate) fn take_session(&mut self) -> Option<Session<Maildrop>> {
        match self.stage.take() {
            Some(Stage::Open(session)) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn hang_up(&mut self) {
        self.stage = Some(Stage::Closed);
    }

    /// The client sends `octets`, which arrive as one read.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.connect();
        self.unread.extend_from_slice(octets);
        let Some(Stage::Open(mut session)) = self.stage.take() else {
            // Closed, or octets in clear where a handshake is due: nobody reads them.
            self.stage.get_or_insert(Stage::Closed);
            return;
        };
        loop {
            let mut out = Vec::new();
            let (done, step) = session.advance(&self.unread, &mut out);
            assert!(out.len() <= pop3_proto::REPLY_BLOCK + 1024, "{} octets at once", out.len());
            self.out.append(&mut out);
            self.unread.drain(..done);
            session = match step {
                Step::Continue(session) => {
                    self.forget_talk(&session);
                    self.stage = Some(Stage::Open(session));
                    return;
                }
                Step::Flush(session) => session,
                Step::Verify(claim, pending) => self.verify(&claim, pending),
                Step::Sasl(message, pending) => self.converse(message, pending),
                Step::Xclient(facts, pending) => {
                    self.asked.push(format!("client {facts:?}"));
                    self.client = Some(facts);
                    let terms = Terms { xclient: false, ..self.terms.clone() };
                    pending.accept(terms, &mut self.out)
                }
                Step::StartTls(pending) => {
                    assert!(self.unread.is_empty());
                    self.asked.push("tls".to_owned());
                    self.stage = Some(Stage::Handshake(pending.accept(&mut self.out)));
                    return;
                }
                Step::Send(part, pending) => match self.retrieve(part, pending) {
                    Some(session) => session,
                    None => return self.hang_up(),
                },
                Step::Update { messages, deleted, retrieved, pending } => {
                    drop(messages);
                    self.update(deleted, retrieved, pending);
                    return self.hang_up();
                }
                Step::Close => return self.hang_up(),
            };
        }
    }

    /// An exchange is forgotten as soon as the session is in none.
    fn forget_talk(&mut self, session: &Session<Maildrop>) {
        if !session.is_in_exchange() {
            self.talk = None;
        }
        assert_eq!(session.is_in_exchange(), self.talk.is_some());
    }

    fn verify(&mut self, claim: &Claim, pending: PendingLogin) -> Session<Maildrop> {
        self.asked.push(format!("verify {claim:?}"));
        match self.judge(self.is_right(claim)) {
            Some(why) => pending.refuse(why, &mut self.out),
            None => pending.accept(self.open(), self.facts, &mut self.out),
        }
    }

    fn converse(&mut self, said: SaslMessage, pending: PendingSasl) -> Session<Maildrop> {
        let SaslMessage { mechanism, message, first } = said;
        let octets = message.as_ref().map(Secret::expose);
        self.asked.push(format!("{mechanism} {first} {octets:?}"));
        assert!(
            self.terms
                .mechanisms
                .iter()
                .chain(self.terms.mechanisms_under_tls.iter())
                .any(|offered| offered == mechanism),
            "{mechanism} is not offered"
        );
        let talk = if first { Talk::default() } else { self.talk.take().unwrap() };
        match talk.turn(mechanism, octets, &mut self.turns) {
            Turn::Challenge(challenge, talk) => {
                self.talk = Some(talk);
                pending.challenge(&Secret::from(&challenge[..]), &mut self.out)
            }
            Turn::Malformed => pending.malformed(&mut self.out),
            Turn::Login(login, password) => {
                let right = self.accounts.get(&login).is_some_and(|known| *known == password);
                self.finish(right, pending)
            }
            Turn::Settled(right) => self.finish(right, pending),
        }
    }

    fn finish(&mut self, right: bool, pending: PendingSasl) -> Session<Maildrop> {
        match self.judge(right) {
            Some(why) => pending.refuse(why, &mut self.out),
            None => pending.accept(self.open(), self.facts, &mut self.out),
        }
    }

    /// Why somebody is not let in whose password is `right`, or not.
    fn judge(&mut self, right: bool) -> Option<LoginRefusal> {
        match self.trouble {
            Some(Trouble::Busy) => {
                self.trouble = None;
                Some(LoginRefusal::Busy)
            }
            _ if !right => Some(LoginRefusal::Credentials),
            _ if self.must_change.is_some() => {
                let url = self.must_change.clone().flatten().map(Into::into);
                Some(LoginRefusal::MustChange { url })
            }
            Some(Trouble::InUse) => Some(LoginRefusal::InUse),
            Some(Trouble::Unavailable) => Some(LoginRefusal::Unavailable),
            Some(Trouble::TooSoon(seconds)) => Some(LoginRefusal::TooSoon { seconds }),
            Some(Trouble::TooMany) => Some(LoginRefusal::TooManySessions),
            None => None,
        }
    }

    fn is_right(&self, claim: &Claim) -> bool {
        match claim {
            Claim::Password { login, password } => {
                self.accounts.get(login).is_some_and(|known| known == password.expose())
            }
            Claim::Digest { login, stamp, digest } => {
                self.accounts.get(login).is_some_and(|secret| {
                    let mut md5 = Md5::new();
                    md5.update(stamp.as_bytes());
                    md5.update(secret);
                    md5.finalize()[..] == digest[..]
                })
            }
            Claim::Void { .. } => false,
        }
    }

    fn open(&self) -> Maildrop {
        let listed = self.stored.borrow().iter().map(listed).collect();
        Maildrop(Rc::new(listed))
    }

    fn retrieve(
        &mut self,
        part: Part,
        pending: PendingMessage<Maildrop>,
    ) -> Option<Session<Maildrop>> {
        let index = pending.index();
        assert_eq!(pending.messages().count(), self.stored.borrow().len());
        self.asked.push(format!("send {index} {part:?}"));
        let stored = self.stored.borrow();
        let stored = &stored[index];
        if stored.gone {
            return Some(pending.refuse(MessageRefusal::Gone, &mut self.out));
        }
        let mut body: Body<Maildrop> = pending.accept(&mut self.out);
        let whole = &stored.message.stored;
        let readable = if stored.breaks { &whole[..whole.len() - 1] } else { whole };
        // Small blocks, so that line ends and dots fall on their edges.
        for block in readable.chunks(3) {
            if body.push(block, &mut self.out) == Progress::Complete {
                return Some(body.finish(&mut self.out).0);
            }
        }
        if stored.breaks {
            return None;
        }
        let (session, octets) = body.finish(&mut self.out);
        if part == Part::Whole {
            assert_eq!(octets, Some(textproto::measure(whole)));
        }
        Some(session)
    }

    fn update(&mut self, deleted: Vec<usize>, retrieved: Vec<usize>, pending: PendingUpdate) {
        self.asked.push(format!("update {deleted:?} {retrieved:?}"));
        self.retrieved = Some(retrieved);
        if self.removal_fails && !deleted.is_empty() {
            self.removed = Some(deleted[1..].to_vec());
            pending.refuse(&mut self.out);
        } else {
            self.removed = Some(deleted);
            pending.accept(&mut self.out);
        }
    }
}

fn listed(stored: &Stored) -> Listed {
    Listed {
        octets: textproto::measure(&stored.message.stored),
        uidl: stored.message.uidl.clone(),
        retrieved: stored.retrieved,
    }
}

fn expire(days: Option<u32>) -> Expire {
    days.map_or(Expire::Never, Expire::Days)
}
