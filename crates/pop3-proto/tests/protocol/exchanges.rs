//! SASL exchanges: the driver hears exactly what was said within them, whatever the mechanism,
//! the split and the pipelining, and nothing of it is anywhere else.

use pop3_proto::{LoginFacts, LoginRefusal, SaslMessage, Session, Step, Terms};
use proptest::collection::vec;
use proptest::prelude::*;
use sasl::{Mechanism, Secret};

use crate::properties::lines;
use crate::world::Maildrop;

/// What the driver hears: the mechanism, the octets, and whether they begin an exchange.
type Heard = (Mechanism, Option<Vec<u8>>, bool);

/// How an exchange ends, after the last message or instead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Refused,
    Malformed,
    Cancelled,
    NotBase64,
    TooLong,
}

/// What client and driver say in one exchange.
#[derive(Clone, Debug)]
struct Exchange {
    mechanism: Mechanism,
    initial: Option<Vec<u8>>,
    /// Each challenge and the response to it.
    turns: Vec<(Vec<u8>, Vec<u8>)>,
    end: End,
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        // What would be a command if it got out.
        1 => Just(b"\r\nQUIT\r\n".to_vec()),
        4 => vec(any::<u8>(), 0..60),
        1 => vec(any::<u8>(), 8000..9216),
    ]
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let end = prop::sample::select(vec![
        End::Refused,
        End::Malformed,
        End::Cancelled,
        End::NotBase64,
        End::TooLong,
    ]);
    let turns = vec((vec(any::<u8>(), 0..200), octets()), 0..4);
    let mechanism = prop::sample::select(Mechanism::EVERY.to_vec());
    (mechanism, proptest::option::of(octets()), turns, end)
        .prop_map(|(mechanism, initial, turns, end)| Exchange { mechanism, initial, turns, end })
}

fn encoded(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    sasl::encode(octets, &mut text);
    text
}

impl Exchange {
    /// What the client sends, and behind it a command.
    fn said(&self) -> Vec<u8> {
        let mut said = [b"AUTH ", self.mechanism.name().as_bytes()].concat();
        if let Some(initial) = &self.initial {
            let text = if initial.is_empty() { b"=".to_vec() } else { encoded(initial) };
            said.extend([&b" "[..], &text].concat());
        }
        said.extend_from_slice(b"\r\n");
        for (_, response) in &self.turns {
            said.extend([encoded(response), b"\r\n".to_vec()].concat());
        }
        match self.end {
            End::Cancelled => said.extend_from_slice(b"*\r\n"),
            End::NotBase64 => said.extend_from_slice(b"AGFp?\r\n"),
            End::TooLong => said.extend([vec![b'A'; 12_292], b"\r\n".to_vec()].concat()),
            End::Refused | End::Malformed => {}
        }
        said.extend_from_slice(b"NOOP\r\n");
        said
    }

    /// What the driver hears.
    fn heard(&self) -> Vec<Heard> {
        let first = (self.mechanism, self.initial.clone(), true);
        let rest = self.turns.iter().map(|turn| (self.mechanism, Some(turn.1.clone()), false));
        std::iter::once(first).chain(rest).collect()
    }

    /// What the client reads: a challenge before each response and before what ends it by the
    /// client's doing, and two errors.
    fn read(&self) -> Vec<Vec<u8>> {
        let mut read: Vec<Vec<u8>> = self.turns.iter().map(|turn| challenge(&turn.0)).collect();
        let last = match self.end {
            End::Refused => "[AUTH] Login failed: check the user name and the password",
            End::Malformed => "The response is malformed",
            End::Cancelled => "Authentication cancelled",
            End::NotBase64 => "The response is not valid base64",
            End::TooLong => "Response too long",
        };
        if !matches!(self.end, End::Refused | End::Malformed) {
            read.push(challenge(b"?"));
        }
        read.push(format!("-ERR {last}\r").into_bytes());
        read.push(b"-ERR Log in first\r".to_vec());
        read
    }
}

fn challenge(octets: &[u8]) -> Vec<u8> {
    [b"+ ", &encoded(octets)[..], b"\r"].concat()
}

fn terms() -> Terms {
    Terms {
        cleartext_login: true,
        mechanisms: Mechanism::EVERY.into_iter().collect(),
        errors_before_login: u8::MAX,
        ..Terms::default()
    }
}

/// Plays one exchange; `cut`: the octets of a read.
fn play(
    session: Session<Maildrop>,
    exchange: &Exchange,
    cut: usize,
) -> (Session<Maildrop>, Vec<Heard>, Vec<u8>) {
    let (mut session, said) = (session, exchange.said());
    let (mut heard, mut out, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let mut turns = exchange.turns.iter();
    for read in said.chunks(cut) {
        unread.extend_from_slice(read);
        loop {
            let (done, step) = session.advance(&unread, &mut out);
            unread.drain(..done);
            session = match step {
                Step::Continue(session) => {
                    assert!(!session.is_in_exchange() || !heard.is_empty());
                    session
                }
                Step::Sasl(SaslMessage { mechanism, message, first }, pending) => {
                    let message = message.map(|secret| secret.expose().to_vec());
                    heard.push((mechanism, message, first));
                    match (turns.next(), exchange.end) {
                        (Some((challenge, _)), _) => {
                            pending.challenge(&Secret::from(&challenge[..]), &mut out)
                        }
                        (None, End::Refused) => pending.refuse(LoginRefusal::Credentials, &mut out),
                        (None, End::Malformed) => pending.malformed(&mut out),
                        (None, _) => pending.challenge(&Secret::from("?"), &mut out),
                    }
                }
                _ => panic!("nothing else is asked"),
            };
            if unread.is_empty() || done == 0 {
                break;
            }
        }
    }
    (session, heard, out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_driver_hears_what_was_said_and_the_client_reads_the_turns(
        exchanges in vec(exchange(), 1..5),
        cut in prop_oneof![Just(1_usize), 2..700_usize, Just(usize::MAX)],
    ) {
        let mut out = Vec::new();
        let mut session = Session::<Maildrop>::greet(terms(), &mut out);
        for exchange in &exchanges {
            // An octet at a time costs too much for the long ones.
            let cut = if exchange.said().len() > 2000 { cut.max(500) } else { cut };
            let (next, heard, out) = play(session, exchange, cut);
            session = next;
            prop_assert_eq!(heard, exchange.heard());
            let read: Vec<Vec<u8>> = lines(&out).into_iter().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(read, exchange.read());
            prop_assert!(!session.is_in_exchange());
        }
    }

    /// Whatever comes within an exchange, one line gets one reply, which repeats nothing of it.
    #[test]
    fn any_line_within_an_exchange_has_one_reply(
        line in vec(any::<u8>().prop_filter("no line end", |octet| *octet != b'\n'), 0..300),
        mechanism in prop::sample::select(Mechanism::EVERY.to_vec()),
    ) {
        let mut out = Vec::new();
        let session = Session::<Maildrop>::greet(terms(), &mut out);
        let begin = format!("AUTH {mechanism}\r\n");
        let (_, step) = session.advance(begin.as_bytes(), &mut out);
        let Step::Sasl(SaslMessage { message: None, first: true, .. }, pending) = step else {
            panic!("an exchange begins")
        };
        let session: Session<Maildrop> = pending.challenge(&Secret::default(), &mut out);
        prop_assert!(session.is_in_exchange());
        out.clear();
        let (_, step) = session.advance(&[&line[..], b"\r\n"].concat(), &mut out);
        let session = match step {
            Step::Sasl(said, pending) => {
                prop_assert!(!said.first && said.mechanism == mechanism);
                prop_assert!(out.is_empty(), "the driver has the word");
                pending.malformed(&mut out)
            }
            Step::Continue(session) => session,
            _ => panic!("nothing else is asked"),
        };
        prop_assert!(!session.is_in_exchange());
        let replies = lines(&out);
        prop_assert_eq!(replies.len(), 1);
        prop_assert!(replies[0].starts_with(b"-ERR ") && replies[0].len() < 512);
        let echoed = line.len() >= 8 && replies[0].windows(8).any(|part| part == &line[..8]);
        prop_assert!(!echoed);
    }
}

/// A login at the end of an exchange is a login like any other: the errors are forgotten, and
/// the next line is a command after the login.
#[test]
fn an_accepted_exchange_is_a_login() {
    let mut out = Vec::new();
    let session = Session::<Maildrop>::greet(terms(), &mut out);
    let input = b"AUTH EXTERNAL =\r\nSTAT\r\n";
    let (done, step) = session.advance(input, &mut out);
    let Step::Sasl(said, pending) = step else { panic!("an exchange begins") };
    assert_eq!((said.mechanism, said.first), (Mechanism::External, true));
    assert!(said.message.is_some_and(|message| message.is_empty()));
    out.clear();
    let session = pending.accept(Maildrop::default(), LoginFacts::default(), &mut out);
    assert!(session.is_logged_in() && !session.is_in_exchange());
    let (_, step) = session.advance(&input[done..], &mut out);
    assert!(matches!(step, Step::Continue(_)));
    assert_eq!(out, b"+OK 0 messages (0 octets)\r\n+OK 0 0\r\n");
}

/// What a client says in an exchange is in no log.
#[test]
fn messages_do_not_show_their_octets() {
    let mut out = Vec::new();
    let session = Session::<Maildrop>::greet(terms(), &mut out);
    let (_, step) = session.advance(b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n", &mut out);
    let Step::Sasl(said, _) = step else { panic!("an exchange begins") };
    let shown = format!("{said:?}");
    assert!(shown.contains("Plain") && !shown.contains("aiko"), "{shown}");
}

/// STLS within an exchange is a response, and an exchange is over once TLS is there.
#[test]
fn nothing_of_an_exchange_gets_into_tls() {
    let mut out = Vec::new();
    let terms = Terms { tls: pop3_proto::TlsState::Offered, ..terms() };
    let session = Session::<Maildrop>::greet(terms, &mut out);
    let (_, step) = session.advance(b"AUTH LOGIN\r\n", &mut out);
    let Step::Sasl(_, pending) = step else { panic!("an exchange begins") };
    let session: Session<Maildrop> = pending.challenge(&Secret::default(), &mut out);
    let (_, step) = session.advance(b"STLS\r\n", &mut out);
    let Step::Sasl(_, pending) = step else { panic!("it is a response") };
    let session: Session<Maildrop> = pending.malformed(&mut out);
    let (_, step) = session.advance(b"STLS\r\nAUTH PLAIN\r\nAGFpa28Ac2VjcmV0\r\n", &mut out);
    let Step::StartTls(pending) = step else { panic!("now it is a command") };
    let offer = sasl::Offer::NONE.with(Mechanism::External);
    let session = pending.accept(&mut out).established::<Maildrop>(offer);
    out.clear();
    let (_, step) = session.advance(b"AGFpa28Ac2VjcmV0\r\nAUTH PLAIN\r\nAUTH\r\n", &mut out);
    assert!(matches!(step, Step::Continue(_)));
    let expected = "-ERR Unknown command\r\n-ERR Mechanism not supported\r\n\
                    +OK Mechanisms follow\r\nEXTERNAL\r\n.\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
