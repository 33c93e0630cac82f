//! Mail comes in: by permit, for local recipients, as a report; small, large, too large.

use bytes::Bytes;
use spool::{
    Envelope, IntakeError, LocalRecipients, NotLocal, Origin, RECIPIENTS_MAX, Recipient, Report,
    Size, Spool, SpoolConfig, SpoolError,
};

use crate::kit::*;

#[tokio::test]
async fn a_submitted_message_keeps_its_envelope_origin_and_text() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let recipients = ["bob@example.net", "\"quoted @ local\"@example.net", "x@[IPv6:2001:db8::1]"];
    for octets in [0, 1, 3, 4096, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 64 * 1024 + 1, 700_000] {
        let id = put(&spool, &permit, &recipients, octets as u64, octets).await;
        let job = claim_one(&spool, start()).await;
        assert_eq!(job.id(), id);
        assert_eq!(job.envelope(), &envelope(&recipients));
        let Origin::Submitted { account, authority, client } = job.origin() else {
            panic!("{:?}", job.origin());
        };
        assert_eq!(account.as_str(), "alice@example.org");
        assert_eq!((&**authority, *client), ("smtp-auth", CLIENT));
        assert_eq!(job.octets(), octets as u64);
        assert_eq!(read(&job).await, text(octets as u64, octets));
        assert_eq!(read(&job).await, text(octets as u64, octets), "a second time");
        deliver(&spool, job).await;
    }
    assert_eq!(spool.stats().queued, 0);
}

#[tokio::test]
async fn a_text_written_in_pieces_of_any_size_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    for (seed, piece, octets) in
        [(1, 1, 9_000), (2, 777, 300_000), (3, 4096, 64 * 1024), (4, 65_537, 900_001)]
    {
        let whole = text(seed, octets);
        let mut draft = spool.draft_sized(octets as u64).unwrap();
        for (at, chunk) in whole.chunks(piece).enumerate() {
            assert_eq!(draft.octets(), (at * piece) as u64);
            draft.write(chunk).await.unwrap();
            draft.write(&[]).await.unwrap();
        }
        spool.intake(&permit, envelope(&["bob@example.net"]), draft).await.unwrap();
        let job = claim_one(&spool, start()).await;
        assert!(read(&job).await == whole, "pieces of {piece}");
        deliver(&spool, job).await;
    }
}

#[tokio::test]
async fn only_senders_and_numbers_of_recipients_that_the_permit_covers_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let take = async |envelope: Envelope| {
        spool.intake(&permit, envelope, spool.draft().unwrap()).await.map(|_| ())
    };
    let mut foreign = envelope(&["bob@example.net"]);
    foreign.sender = address::ReversePath::Mailbox(mailbox("mallory@example.org"));
    assert_eq!(take(foreign).await, Err(IntakeError::NotPermitted));
    // What a filter may put in the place of the sender that was ruled upon.
    let mut null = envelope(&["bob@example.net"]);
    null.sender = address::ReversePath::Null;
    assert_eq!(take(null).await, Ok(()));
    let mut other = envelope(&["bob@example.net"]);
    other.sender = address::ReversePath::Mailbox(mailbox("a.liddell@example.org"));
    assert_eq!(take(other).await, Ok(()), "another address of the account");
    let mut unqualified = envelope(&["bob@example.net"]);
    unqualified.sender = address::ReversePath::Unqualified("alice".into());
    assert_eq!(take(unqualified).await, Err(IntakeError::NotPermitted));
    assert_eq!(take(envelope(&[])).await, Err(IntakeError::NoRecipients));
    let mut crowd = envelope(&[]);
    crowd.recipients = vec![Recipient::new(mailbox("bob@example.net")); RECIPIENTS_MAX];
    assert_eq!(take(crowd.clone()).await, Ok(()));
    crowd.recipients.push(Recipient::new(mailbox("bob@example.net")));
    assert_eq!(take(crowd).await, Err(IntakeError::TooManyRecipients));
    let mut long = envelope(&[]);
    let name = format!("{}@{}.example", "x".repeat(64), vec!["y".repeat(63); 3].join("."));
    long.recipients = vec![Recipient::new(mailbox(&name)); RECIPIENTS_MAX];
    assert_eq!(take(long).await, Err(IntakeError::TooManyRecipients), "larger than a segment");
    assert_eq!(spool.stats().queued, 3);
}

#[tokio::test]
async fn local_recipients_need_their_account_as_proof() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let spool = open(&config(directory.path()), &clock);
    let mut recipients = LocalRecipients::new();
    assert_eq!(recipients.push(mailbox("bob@example.net").into(), &account()), Err(NotLocal));
    assert!(recipients.is_empty());
    let mut nobody = inbound();
    nobody.recipients = recipients;
    let refused = spool.inbound(nobody, spool.draft().unwrap()).await;
    assert_eq!(refused, Err(IntakeError::NoRecipients));
    let mut draft = spool.draft().unwrap();
    draft.write(b"Subject: hello\r\n\r\nhi\r\n").await.unwrap();
    spool.inbound(inbound(), draft).await.unwrap();
    let job = claim_one(&spool, start()).await;
    assert_eq!(*job.origin(), Origin::Inbound { client: CLIENT });
    assert_eq!(job.envelope().recipients[0].mailbox.local(), "Alice");
    assert_eq!(read(&job).await, b"Subject: hello\r\n\r\nhi\r\n");
}

#[tokio::test]
async fn a_report_has_the_null_sender_and_passes_the_floor_of_space() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let full = SpoolConfig { free_space_min: Size(u64::MAX), ..config(directory.path()) };
    let spool = open(&full, &clock);
    assert!(spool.stats().full);
    assert_eq!(spool.draft().map(|_| ()), Err(IntakeError::Full));
    let report = Report {
        recipients: vec![mailbox("alice@example.org")],
        body: Bytes::from_static(b"Subject: Undelivered\r\n\r\n\xc3\xa4\r\n"),
        smtputf8: false,
        eight_bit: true,
        require_tls: false,
        at: start(),
    };
    spool.notify(report).await.unwrap();
    let job = claim_one(&spool, start()).await;
    assert_eq!(job.envelope().sender, address::ReversePath::Null);
    assert_eq!(*job.origin(), Origin::Report);
    assert!(job.envelope().coding == envelope::Coding::EightBit);
    drop(job);
    spool.close().await;
    // A draft begun before the floor was reached is refused at the end.
    let spool = open(&config(directory.path()), &clock);
    let draft = spool.draft().unwrap();
    spool.close().await;
    let spool = open(&full, &clock);
    let refused = spool.intake(&permit, envelope(&["bob@example.net"]), draft).await;
    assert_eq!(refused, Err(IntakeError::Full));
}

#[tokio::test]
async fn a_queue_at_its_bound_refuses_mail_until_one_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&SpoolConfig { messages_max: 2, ..config(directory.path()) }, &clock);
    put(&spool, &permit, &["bob@example.net"], 1, 10).await;
    let late = spool.draft().unwrap();
    put(&spool, &permit, &["bob@example.net"], 2, 10).await;
    assert_eq!(spool.draft().map(|_| ()), Err(IntakeError::Full));
    let refused = spool.intake(&permit, envelope(&["bob@example.net"]), late).await;
    assert_eq!(refused, Err(IntakeError::Full));
    let jobs = spool.claim(start(), 1).await;
    for job in jobs {
        deliver(&spool, job).await;
    }
    put(&spool, &permit, &["bob@example.net"], 3, 10).await;
}

#[tokio::test]
async fn a_text_beyond_the_largest_size_is_refused_as_soon_as_it_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let small = SpoolConfig { message_max: Size::kib(200), ..config(directory.path()) };
    let spool = open(&small, &clock);
    assert_eq!(spool.draft_sized(200 * 1024 + 1).map(|_| ()), Err(IntakeError::TooLarge));
    let mut draft = spool.draft_sized(0).unwrap();
    draft.write(&text(1, 200 * 1024)).await.unwrap();
    assert_eq!(draft.write(b"x").await, Err(IntakeError::TooLarge));
    drop(draft);
    spool.close().await;
    assert_eq!(std::fs::read_dir(directory.path().join("big")).unwrap().count(), 0);
}

#[tokio::test]
async fn drafts_share_bounded_memory_and_go_to_files_when_it_is_used_up() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let tight = SpoolConfig { memory_max: Size::mib(1), ..config(directory.path()) };
    let spool = open(&tight, &clock);
    let mut drafts = Vec::new();
    for seed in 0..40 {
        let mut draft = spool.draft_sized(60 * 1024).unwrap();
        draft.write(&text(seed, 60 * 1024)).await.unwrap();
        drafts.push(draft);
    }
    let files = || std::fs::read_dir(directory.path().join("big")).unwrap().count();
    assert_eq!(files(), 40 - 17, "17 times 60 KiB is what 1 MiB has room for");
    for draft in drafts {
        spool.intake(&permit, envelope(&["bob@example.net"]), draft).await.unwrap();
    }
    let mut jobs = spool.claim(start(), 100).await;
    jobs.sort_by_key(|job| job.id());
    let mut texts = Vec::new();
    for job in jobs {
        texts.push(read(&job).await);
        deliver(&spool, job).await;
    }
    texts.sort();
    let mut expected: Vec<_> = (0..40).map(|seed| text(seed, 60 * 1024)).collect();
    expected.sort();
    assert!(texts == expected);
    // The memory has come back.
    let mut again = spool.draft().unwrap();
    again.write(&text(1, 60 * 1024)).await.unwrap();
    spool.close().await;
    assert_eq!(files(), 0, "files of delivered messages are gone");
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_where_the_lock_is() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let spool = open(&config(directory.path()), &clock);
    let second = Spool::open(&config(directory.path()), clock.clone());
    let Err(error @ SpoolError::InUse { .. }) = second else {
        panic!("{second:?}");
    };
    assert!(error.to_string().contains("lock"), "{error}");
    let listed = spool::read::list(directory.path(), &spool::Filter::default());
    assert!(matches!(listed, Err(SpoolError::InUse { .. })));
    let clone = spool.clone();
    drop(spool);
    assert!(Spool::open(&config(directory.path()), clock.clone()).is_err(), "a clone has it");
    drop(clone);
    open(&config(directory.path()), &clock);
}

#[tokio::test]
async fn values_out_of_range_name_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let good = config(directory.path());
    let bad = [
        (SpoolConfig { segment_size: Size(1), ..good.clone() }, "segment_size"),
        (SpoolConfig { inline_max: Size::mib(1), ..good.clone() }, "inline_max"),
        (SpoolConfig { memory_max: Size(0), ..good.clone() }, "memory_max"),
        (SpoolConfig { compact_below: 76, ..good.clone() }, "compact_below"),
        (SpoolConfig { waiting_max: 0, ..good.clone() }, "waiting_max"),
        (SpoolConfig { io_threads: 0, ..good.clone() }, "io_threads"),
        (SpoolConfig { directory: "".into(), ..good.clone() }, "directory"),
    ];
    for (config, key) in bad {
        let Err(error) = Spool::open(&config, clock()) else {
            panic!("{key} was taken");
        };
        assert!(error.to_string().contains(key), "{error}");
    }
    SpoolConfig::default().validate().unwrap();
}
