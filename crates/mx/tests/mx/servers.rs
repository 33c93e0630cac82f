//! A name server on the loopback, its answers made by hand: slow, cut off, proven, and hostile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mx::{Answer, Dns, Dnssec, Kind, Lookup, LookupError, MxConfig, NameServer, Record, Wait};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use crate::kit::{address, mx, tlsa};

/// A question as it came.
struct Question {
    id: [u8; 2],
    /// Whether it asks for DNSSEC's verdict.
    wants_verdict: bool,
    /// The name as octets, type and class.
    octets: Vec<u8>,
    over_tcp: bool,
}

const MX: u16 = 15;
const A: u16 = 1;
const CNAME: u16 = 5;
const TXT: u16 = 16;
const TLSA: u16 = 52;

impl Question {
    fn read(message: &[u8], over_tcp: bool) -> Self {
        let end = 12 + message[12..].iter().position(|&octet| octet == 0).unwrap() + 5;
        Self {
            id: [message[0], message[1]],
            wants_verdict: message[3] & 0x20 != 0,
            octets: message[12..end].to_vec(),
            over_tcp,
        }
    }

    /// An answer with these flags (`0x8180`: an answer to a question that wanted recursion) and
    /// records, each a name, a type, and its data.
    fn answer(&self, flags: u16, records: &[(Vec<u8>, u16, Vec<u8>)]) -> Vec<u8> {
        let mut message = self.id.to_vec();
        message.extend(flags.to_be_bytes());
        let count = u16::try_from(records.len()).unwrap();
        for count in [1, count, 0, 0] {
            message.extend(count.to_be_bytes());
        }
        message.extend(&self.octets);
        for (name, kind, data) in records {
            message.extend(name);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        message
    }
}

/// The name that was asked for.
fn asked() -> Vec<u8> {
    vec![0xc0, 12]
}

fn name(text: &str) -> Vec<u8> {
    let labels = text
        .split('.')
        .flat_map(|label| std::iter::once(u8::try_from(label.len()).unwrap()).chain(label.bytes()));
    labels.chain([0]).collect()
}

fn mx_data(preference: u16, exchange: &[u8]) -> Vec<u8> {
    [&preference.to_be_bytes(), exchange].concat()
}

/// A server that answers as `reply` says; `None` is silence. Counts what it is asked.
async fn server(
    reply: impl Fn(&Question) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            break (tcp, udp);
        }
    };
    let at = tcp.local_addr().unwrap();
    let (reply, count) = (Arc::new(reply), Arc::new(AtomicUsize::new(0)));
    let (for_udp, counts) = (Arc::clone(&reply), Arc::clone(&count));
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            counts.fetch_add(1, Ordering::SeqCst);
            if let Some(answer) = for_udp(&Question::read(&buffer[..length], false)) {
                udp.send_to(&answer, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let reply = Arc::clone(&reply);
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut message = vec![0; usize::from(length)];
                    stream.read_exact(&mut message).await.unwrap();
                    let Some(answer) = reply(&Question::read(&message, true)) else { return };
                    stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    (at, count)
}

fn dns(server: SocketAddr, dnssec: Dnssec) -> Dns {
    let timeout = Wait::from_secs(1);
    Dns::new(&MxConfig {
        servers: vec![NameServer(server)],
        dnssec,
        timeout,
        ..MxConfig::default()
    })
    .unwrap()
}

async fn ask(
    kind: Kind,
    reply: impl Fn(&Question) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> Result<Answer, LookupError> {
    let (server, _) = server(reply).await;
    dns(server, Dnssec::Resolver).lookup("example.net", kind).await
}

#[tokio::test]
async fn records_of_every_kind() {
    let one = |kind, number: u16, data: Vec<u8>| {
        ask(kind, move |question| Some(question.answer(0x8180, &[(asked(), number, data.clone())])))
    };
    let answer = one(Kind::Mx, MX, mx_data(10, &name("Mail.Example.NET"))).await.unwrap();
    assert_eq!(answer.records, [mx(10, "mail.example.net")]);
    assert!(answer.exists && !answer.secure && answer.canonical.is_none());
    assert_eq!(answer.ttl.as_secs(), 60);
    assert_eq!(one(Kind::Mx, MX, mx_data(0, &[0])).await.unwrap().records, [mx(0, "")]);
    let answer = one(Kind::A, A, vec![192, 0, 2, 1]).await.unwrap();
    assert_eq!(answer.records, [address("192.0.2.1")]);
    let text = [&[5][..], b"v=STS", &[2], b"v1"].concat();
    let answer = one(Kind::Txt, TXT, text).await.unwrap();
    assert_eq!(answer.records, [Record::Txt(b"v=STSv1".to_vec())]);
    let data = [&[3, 1, 1][..], &[3; 32]].concat();
    assert_eq!(one(Kind::Tlsa, TLSA, data).await.unwrap().records, [Record::Tlsa(tlsa(3))]);
    let answer = one(Kind::Cname, CNAME, name("other.example")).await.unwrap();
    assert_eq!(answer.records, [Record::Cname("other.example".to_owned())]);
}

#[tokio::test]
async fn answers_are_kept_and_failures_are_not() {
    let (at, count) = server(|q| Some(q.answer(0x8180, &[(asked(), A, vec![192, 0, 2, 1])]))).await;
    let dns = dns(at, Dnssec::Resolver);
    for _ in 0..5 {
        dns.lookup("example.net", Kind::A).await.unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let (at, count) = server(|question| Some(question.answer(0x8182, &[]))).await;
    let dns = self::dns(at, Dnssec::Resolver);
    dns.lookup("example.net", Kind::A).await.unwrap_err();
    let asked = count.load(Ordering::SeqCst);
    dns.lookup("example.net", Kind::A).await.unwrap_err();
    assert!(count.load(Ordering::SeqCst) > asked);
}

#[tokio::test]
async fn a_verdict_is_believed_where_it_is_asked_for() {
    let reply = |question: &Question| {
        let flags = if question.wants_verdict { 0x81a0 } else { 0x8180 };
        Some(question.answer(flags, &[(asked(), A, vec![192, 0, 2, 1])]))
    };
    let (at, _) = server(reply).await;
    for (dnssec, expected) in [(Dnssec::Resolver, true), (Dnssec::Off, false)] {
        let answer = dns(at, dnssec).lookup("example.net", Kind::A).await.unwrap();
        assert_eq!(answer.secure, expected, "{dnssec:?}");
    }
    // A server that says so unasked is not believed either where nobody wants to know.
    let (at, _) = server(|q| Some(q.answer(0x81a0, &[(asked(), A, vec![192, 0, 2, 1])]))).await;
    assert!(!dns(at, Dnssec::Off).lookup("example.net", Kind::A).await.unwrap().secure);
}

#[tokio::test]
async fn who_validates_believes_no_verdict() {
    // Signatures are missing, and the root's keys are not to be had: nothing is proven.
    let (at, _) = server(|question| match question.octets[question.octets.len() - 3] {
        1 => Some(question.answer(0x81a0, &[(asked(), A, vec![192, 0, 2, 1])])),
        _ => Some(question.answer(0x81a0, &[])),
    })
    .await;
    let answer = dns(at, Dnssec::Validate).lookup("example.net", Kind::A).await;
    assert!(answer.as_ref().map_or(true, |answer| !answer.secure), "{answer:?}");
}

#[tokio::test]
async fn aliases_are_followed() {
    let records = || {
        vec![
            (name("elsewhere.example"), A, vec![192, 0, 2, 9]),
            (name("b.example"), CNAME, name("c.example")),
            (name("c.example"), A, vec![192, 0, 2, 1]),
            (asked(), CNAME, name("B.example")),
        ]
    };
    let answer = ask(Kind::A, move |question| Some(question.answer(0x8180, &records()))).await;
    let answer = answer.unwrap();
    assert_eq!(answer.records, [address("192.0.2.1")]);
    assert_eq!(answer.canonical.as_deref(), Some("c.example"));
}

#[tokio::test]
async fn there_may_be_nothing() {
    let answer = ask(Kind::Mx, |question| Some(question.answer(0x8183, &[]))).await.unwrap();
    assert!(!answer.exists && answer.records.is_empty());
    let answer = ask(Kind::Mx, |question| Some(question.answer(0x8180, &[]))).await.unwrap();
    assert!(answer.exists && answer.records.is_empty());
    // An alias to nowhere.
    let alias = |q: &Question| Some(q.answer(0x8183, &[(asked(), CNAME, name("gone.example"))]));
    let answer = ask(Kind::Mx, alias).await.unwrap();
    assert!(!answer.exists && answer.records.is_empty());
}

#[tokio::test]
async fn servers_that_fail_are_no_answer() {
    for flags in [0x8182, 0x8185, 0x8181, 0x8184] {
        let answer = ask(Kind::Mx, move |question| Some(question.answer(flags, &[]))).await;
        assert!(matches!(answer, Err(LookupError::Refused(_))), "{flags:x} {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_has_an_end() {
    let answer = ask(Kind::Mx, |_| None).await;
    assert_eq!(answer, Err(LookupError::Timeout));
}

#[tokio::test]
async fn what_is_cut_off_is_asked_for_over_tcp() {
    let many = |question: &Question| {
        if !question.over_tcp {
            return Some(question.answer(0x8380, &[]));
        }
        let record = |n: u8| (asked(), MX, mx_data(u16::from(n), &name(&format!("h{n}.example"))));
        Some(question.answer(0x8180, &(0..200).map(record).collect::<Vec<_>>()))
    };
    let answer = ask(Kind::Mx, many).await.unwrap();
    assert_eq!(answer.records.len(), 200);
    assert_eq!(answer.records[199], mx(199, "h199.example"));
}

#[tokio::test]
async fn names_that_are_no_hosts_are_left_out() {
    let answer = ask(Kind::Mx, |question| {
        let hostile = [&[9][..], b"a b\r\nc/..", &[0]].concat();
        let records =
            [(asked(), MX, mx_data(1, &hostile)), (asked(), MX, mx_data(2, &name("good.example")))];
        Some(question.answer(0x8180, &records))
    })
    .await
    .unwrap();
    assert_eq!(answer.records, [mx(2, "good.example")]);
}

#[tokio::test(start_paused = true)]
async fn answers_of_others_and_nonsense_are_not_believed() {
    let good = |q: &Question| q.answer(0x8180, &[(asked(), A, vec![192, 0, 2, 1])]);
    type Bad = fn(Vec<u8>) -> Vec<u8>;
    let spoiled: [(&str, Bad); 5] = [
        ("another id", |mut answer| {
            answer[0] ^= 1;
            answer
        }),
        ("another question", |mut answer| {
            answer[13] ^= 1;
            answer
        }),
        ("cut off", |answer| answer[..answer.len() - 3].to_vec()),
        ("a name that points at itself", |mut answer| {
            let pointer = answer.len() - 16;
            let itself = u8::try_from(pointer).unwrap();
            answer[pointer + 1] = itself;
            answer
        }),
        ("octets", |answer| vec![0xff; answer.len()]),
    ];
    for (what, spoil) in spoiled {
        let answer = ask(Kind::A, move |question| Some(spoil(good(question)))).await;
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn aliases_in_a_circle_have_an_end() {
    let answer = ask(Kind::A, |question| {
        let records =
            [(asked(), CNAME, name("b.example")), (name("b.example"), CNAME, name("example.net"))];
        Some(question.answer(0x8180, &records))
    })
    .await;
    assert!(answer.as_ref().map_or(true, |answer| answer.records.is_empty()), "{answer:?}");
}
