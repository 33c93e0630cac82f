//! What it costs to put messages into wire form, to count them, and to cut lines.
//!
//! `cargo bench -p textproto`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use textproto::{DotStuffer, Line, LineEnd, LineReader, Measure, TopStuffer};

/// What a daemon reads at a time.
const BLOCK: usize = 64 * 1024;
const OCTETS: usize = 16 * BLOCK;

/// Lines of text of common lengths, then lines of an attachment, as mail is.
fn mixed(end: &[u8]) -> Vec<u8> {
    let text = b"Our printer has moved to the second floor; please find your offer attached. ";
    let base64 = b"n0RxQ+jjPa51OCvuGtbJvuYvolBeKCPk0i6lmtFe4AxO/EeiyFIZJOKHx71qbvz+u/0KCWGk+2KF";
    let mut message = Vec::with_capacity(OCTETS + 128);
    let mut number = 0_usize;
    while message.len() < OCTETS {
        let line = match number % 400 {
            0..20 => text.get(..number * 13 % 70).unwrap_or(text),
            _ => &base64[..],
        };
        message.extend_from_slice(line);
        message.extend_from_slice(end);
        number += 1;
    }
    message.truncate(OCTETS);
    message
}

fn messages() -> [(&'static str, Vec<u8>); 5] {
    let repeated = |piece: &[u8]| piece.repeat(OCTETS.div_ceil(piece.len()));
    [
        ("lf", mixed(b"\n")),
        ("crlf", mixed(b"\r\n")),
        ("dots", repeated(b".\n")),
        ("empty-lines", repeated(b"\n")),
        ("long-lines", repeated(&[&[b'x'; 5000][..], b"\n"].concat())),
    ]
}

fn stuffing(criterion: &mut Criterion) {
    let messages = messages();
    let mut group = criterion.benchmark_group("stuff");
    for (name, message) in &messages {
        group.throughput(Throughput::Bytes(message.len() as u64));
        let mut out = Vec::with_capacity(4 * BLOCK);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let mut stuffer = DotStuffer::new();
                for block in message.chunks(BLOCK) {
                    out.clear();
                    stuffer.stuff(block, &mut out);
                    black_box(&out);
                }
                stuffer.finish(&mut out);
                stuffer.wire_octets()
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("top");
    for (name, message) in &messages {
        group.throughput(Throughput::Bytes(message.len() as u64));
        let mut out = Vec::with_capacity(4 * BLOCK);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let mut stuffer = TopStuffer::new(u64::MAX);
                for block in message.chunks(BLOCK) {
                    out.clear();
                    stuffer.stuff(block, &mut out);
                    black_box(&out);
                }
                stuffer.wire_octets()
            });
        });
    }
    group.finish();
}

fn measuring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("measure");
    for (name, message) in messages() {
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut measure = Measure::new();
                message.chunks(BLOCK).for_each(|block| measure.add(black_box(block)));
                measure.octets()
            });
        });
    }
    group.finish();
}

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lines");
    let input: Vec<u8> = (1..=1000).flat_map(|n| format!("RETR {n}\r\n").into_bytes()).collect();
    group.throughput(Throughput::Elements(1000));
    group.bench_function("1000-commands", |bencher| {
        bencher.iter(|| {
            let mut reader = LineReader::new(512, LineEnd::CrlfOrLf);
            let (mut rest, mut octets) = (&input[..], 0);
            while let Line::Whole { line, consumed } = reader.next_line(rest) {
                octets += black_box(line).len();
                rest = rest.get(consumed..).unwrap_or_default();
            }
            octets
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = stuffing, measuring, lines
}
criterion_main!(benches);
