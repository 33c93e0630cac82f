//! Single steps of an open, and the walk of LIST and UIDL: `cargo bench -p maildrop --features internals`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use maildrop::internals::{Listed, Messages, read_name};

const MESSAGES: u64 = 100_000;

/// Names as a delivery agent gives them, in the order of a hashed directory: none.
fn names() -> Vec<String> {
    (0..MESSAGES)
        .map(|n| {
            let n = n * 65_537 % MESSAGES;
            let (seconds, micros) = (1_700_000_000 + n / 3, n * 7919 % 1_000_000);
            format!("{seconds}.M{micros}P{}.mail.example.net,S=1234,W=1260:2,S", 1000 + n % 50)
        })
        .collect()
}

fn listed(names: &[String]) -> Listed {
    let mut listed = Listed::default();
    for (ino, name) in (1..).zip(names) {
        listed.push(name.as_bytes(), ino);
    }
    listed
}

fn steps(criterion: &mut Criterion) {
    let names = names();
    let listing = listed(&names);
    let messages = listing.clone().merge(None);
    let state = messages.encode();
    let mut group = criterion.benchmark_group("100k");
    group.throughput(Throughput::Elements(MESSAGES)).sample_size(20);
    group.bench_function("names", |bencher| {
        bencher.iter(|| {
            for name in &names {
                black_box(read_name(black_box(name.as_bytes())));
            }
        });
    });
    group.bench_function("merge, nothing known", |bencher| {
        bencher.iter_batched(|| listing.clone(), |l| l.merge(None), BatchSize::PerIteration);
    });
    group.bench_function("merge, all known", |bencher| {
        let with = |l: Listed| l.merge(Some(&messages));
        bencher.iter_batched(|| listing.clone(), with, BatchSize::PerIteration);
    });
    group.bench_function("state, encode", |bencher| bencher.iter(|| messages.encode()));
    group.bench_function("state, decode", |bencher| {
        bencher.iter_batched(|| state.clone(), Messages::decode, BatchSize::PerIteration);
    });
    group.bench_function("walk", |bencher| bencher.iter(|| black_box(&messages).walk()));
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
