//! A million queued messages fit in bounded memory.

use std::process::Command;
use std::sync::Arc;

use crate::QueueId;
use crate::layer::Disk;
use crate::names::Names;
use crate::queue::{Entry, Marks, Queue};
use crate::segment::Segment;
use crate::segments::Location;

const CHILD: &str = "SPOOL_MEMORY_TEST";
const MESSAGES: u64 = 1_000_000;
const OCTETS_EACH: u64 = 200;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

fn fill() -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let (segment, _) =
        Segment::create(&Disk, &Names::new(directory.path()), directory.path(), 1, 1 << 20)
            .unwrap();
    let before = resident();
    let mut queue = Queue::default();
    queue.segments.add(Arc::new(segment), true);
    for n in 0..MESSAGES {
        let location = Location { generation: 1, offset: n as u32 };
        let entry = Entry {
            // Due times in no order, as retries have them.
            due: (n.wrapping_mul(0x9e37_79b9) % 10_000_000) as i64,
            message: location,
            state: location,
            meta_len: 200,
            body_len: 4096,
            state_len: 60,
            marks: Marks::default(),
        };
        queue.insert(QueueId::from_u64(n), entry);
    }
    assert_eq!(queue.len() as u64, MESSAGES);
    resident() - before
}

/// In a process of its own, where nobody else's memory counts.
#[test]
fn a_million_queued_messages_take_at_most_200_octets_each() {
    if std::env::var_os(CHILD).is_some() {
        println!("\nRESIDENT {}", fill());
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::memory::a_million_queued_messages_take_at_most_200_octets_each"])
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let octets = text.lines().find_map(|line| line.strip_prefix("RESIDENT ")).unwrap();
    let each = octets.parse::<u64>().unwrap() / MESSAGES;
    println!("{each} octets for each queued message");
    assert!(each <= OCTETS_EACH, "{each}");
    assert!(each > 40, "that measured nothing: {each}");
}
