//! What the pure session costs: commands parsed and answered, look-ups one by one, listings.
//!
//! `cargo bench -p pop3-proto`

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pop3_proto::{LoginFacts, Messages, Part, Progress, Session, Step, Terms};
use sasl::Mechanism;

/// A maildrop whose unique-ids are as long as file names are.
struct Maildrop(Vec<(u64, String)>);

impl Maildrop {
    fn of(count: usize) -> Self {
        let message = |index: usize| {
            let octets = 2_000 + index as u64 * 7 % 50_000;
            (octets, format!("1732450000.M{index:06}P4711.mail.example.net"))
        };
        Self((0..count).map(message).collect())
    }
}

impl Messages for Maildrop {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn octets(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |message| message.0)
    }

    fn uidl(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |message| &message.1)
    }

    fn retrieved_before(&self, _: usize) -> bool {
        false
    }
}

fn terms() -> Terms {
    let mechanisms = Mechanism::ALL.into_iter().collect();
    Terms { cleartext_login: true, mechanisms, ..Terms::default() }
}

fn logged_in(maildrop: Maildrop) -> Session<Maildrop> {
    let mut out = Vec::new();
    let session = Session::<Maildrop>::greet(terms(), &mut out);
    match session.advance(b"USER aiko\r\nPASS secret\r\n", &mut out) {
        (_, Step::Verify(_, pending)) => pending.accept(maildrop, LoginFacts::default(), &mut out),
        _ => unreachable!("a password was sent"),
    }
}

/// Answers all of `input`, as a driver that throws the replies away.
fn answer(
    mut session: Session<Maildrop>,
    mut input: &[u8],
    out: &mut Vec<u8>,
) -> Session<Maildrop> {
    loop {
        let (done, step) = session.advance(input, out);
        input = input.get(done..).unwrap_or_default();
        session = match step {
            Step::Continue(session) => {
                black_box(out.len());
                out.clear();
                return session;
            }
            Step::Flush(session) => {
                black_box(out.len());
                out.clear();
                session
            }
            _ => unreachable!("nothing that asks the driver is sent"),
        };
    }
}

/// A fixed input, again and again on one session.
fn repeat(criterion: &mut Criterion, name: &str, elements: u64, maildrop: Maildrop, input: &[u8]) {
    let mut group = criterion.benchmark_group("session");
    group.measurement_time(Duration::from_secs(3)).throughput(Throughput::Elements(elements));
    let mut out = Vec::with_capacity(2 * pop3_proto::REPLY_BLOCK);
    let mut session = Some(logged_in(maildrop));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            if let Some(open) = session.take() {
                session = Some(answer(open, black_box(input), &mut out));
            }
        });
    });
    group.finish();
}

fn commands(criterion: &mut Criterion) {
    let input = b"NOOP\r\nSTAT\r\nUIDL 3\r\nLIST 2\r\nRSET\r\nLIST 99\r\nDELE x\r\nLANG en\r\n";
    repeat(criterion, "commands", 8 * 100, Maildrop::of(10), &input.repeat(100));
}

fn lookups(criterion: &mut Criterion) {
    const COUNT: usize = 5_000;
    let mut input = String::new();
    for number in 1..=COUNT {
        // Writing to a `String` cannot fail.
        let _ = write!(input, "UIDL {number}\r\n");
    }
    repeat(criterion, "uidl-n", COUNT as u64, Maildrop::of(COUNT), input.as_bytes());
}

fn listings(criterion: &mut Criterion) {
    const COUNT: usize = 100_000;
    repeat(criterion, "list-100k", COUNT as u64, Maildrop::of(COUNT), b"LIST\r\n");
    repeat(criterion, "uidl-100k", COUNT as u64, Maildrop::of(COUNT), b"UIDL\r\n");
}

/// A login and `QUIT`, without what the driver does in between.
fn logins(criterion: &mut Criterion) {
    criterion.bench_function("session/login-quit", |bencher| {
        let mut out = Vec::with_capacity(4096);
        bencher.iter(|| {
            out.clear();
            let session = Session::<Maildrop>::greet(terms(), &mut out);
            let input = b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\nSTAT\r\nQUIT\r\n";
            let (done, step) = session.advance(black_box(input), &mut out);
            let Step::Sasl(_, pending) = step else { return };
            let session = pending.accept(Maildrop(Vec::new()), LoginFacts::default(), &mut out);
            let rest = input.get(done..).unwrap_or_default();
            if let (_, Step::Update { pending, .. }) = session.advance(rest, &mut out) {
                pending.accept(&mut out);
            }
            black_box(&out);
        });
    });
}

/// A message in blocks through `RETR` and `TOP`.
fn messages(criterion: &mut Criterion) {
    let line = b"The quick brown fox jumps over the lazy dog; seventy-two octets to a line\n";
    let stored = [b"Subject: a\n\n".as_slice(), &line.repeat(14_000)].concat();
    let mut group = criterion.benchmark_group("message");
    group.measurement_time(Duration::from_secs(3));
    for (name, part) in [("retr-1MB", Part::Whole), ("top-100", Part::Top(100))] {
        let command: &[u8] = if part == Part::Whole { b"RETR 1\r\n" } else { b"TOP 1 100\r\n" };
        let octets = if part == Part::Whole { stored.len() as u64 } else { 7_400 };
        group.throughput(Throughput::Bytes(octets));
        let mut out = Vec::with_capacity(4 * pop3_proto::REPLY_BLOCK);
        let mut open = Some(logged_in(Maildrop::of(1)));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let Some(session) = open.take() else { return };
                let (_, Step::Send(_, pending)) = session.advance(command, &mut out) else {
                    return;
                };
                let mut body = pending.accept(&mut out);
                for block in stored.chunks(pop3_proto::REPLY_BLOCK) {
                    let progress = body.push(block, &mut out);
                    black_box(out.len());
                    out.clear();
                    if progress == Progress::Complete {
                        break;
                    }
                }
                open = Some(body.finish(&mut out).0);
                out.clear();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, commands, lookups, listings, logins, messages);
criterion_main!(benches);
