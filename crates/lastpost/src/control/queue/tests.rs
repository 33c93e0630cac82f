//! The queue over the control side: what is asked is what is meant, whatever it is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use address::{AccountKey, Mailbox, ReversePath};
use auth::{Account, Attempt, Channel, Clock as _, Login, Service, SmtpAuth, StoredHash};
use spool::{Recipient, SpoolConfig};

use jiff::Timestamp;

use super::*;
use crate::control::ControlClient;

/// A spool with mail of alice's, and a client of its control side.
struct Desk {
    spool: Spool,
    address: std::net::SocketAddr,
    directory: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = SpoolConfig {
            segment_size: spool::Size::mib(1),
            inline_max: spool::Size::kib(64),
            reserve: spool::Size(0),
            free_space_min: spool::Size(0),
            ..SpoolConfig::at(directory.path().join("spool"))
        };
        let (spool, _) = Spool::open(&config, Arc::new(auth::SystemClock::new())).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, routes(spool.clone())).into_future());
        std::fs::write(directory.path().join("token"), "x").unwrap();
        Self { spool, address, directory }
    }

    async fn put(&self, to: &str, text: &[u8], review: Option<&str>) -> String {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let address = Mailbox::parse("alice@example.org").unwrap();
        let account = Account::new(
            AccountKey::parse("alice@example.org", None).unwrap(),
            vec![address.clone()],
            StoredHash::parse("{PLAIN}x").unwrap(),
            std::path::PathBuf::new(),
            false,
        );
        let at = auth::SystemClock::new().now();
        let channel = Channel { service: Service::Submission, tls: true, genuine_address: true };
        let login = Login { account: Arc::new(account), client, channel, at, acting: None };
        let sender = ReversePath::Mailbox(address);
        let attempt = Attempt {
            client,
            genuine_address: true,
            login: Some(&login),
            failed_auth: false,
            sender: &sender,
            helo: "pc",
            extended: true,
            tls: true,
            listener: "submission",
            at,
        };
        let chain = auth::Chain::new(vec![Arc::new(SmtpAuth)], Vec::new());
        let permit = auth::authorize(&chain, &attempt).await.unwrap();
        let envelope = spool::Envelope {
            sender: sender.clone(),
            recipients: vec![Recipient::new(Mailbox::parse(to).unwrap())],
            smtputf8: false,
            coding: Default::default(),
            wishes: spool::Wishes::default(),
            received_at: at.wall,
        };
        let mut draft = self.spool.draft().unwrap();
        draft.write(text).await.unwrap();
        let id = match review {
            None => self.spool.intake(&permit, envelope, draft).await,
            Some(why) => self.spool.intake_for_review(&permit, envelope, draft, why).await,
        };
        id.unwrap().to_string()
    }

    /// `GET` if there is no order, else `POST`.
    async fn ask(&self, path: &str, order: Option<&QueueOrder>) -> Result<String, String> {
        let client = ControlClient::new(self.address, &self.directory.path().join("token"));
        let (client, path) = (client.unwrap(), path.to_owned());
        let order = order.map(|order| serde_json::to_string(order).unwrap());
        let asked = tokio::task::spawn_blocking(move || match order {
            None => client.get(&path),
            Some(order) => client.post(&path, &order),
        });
        asked.await.unwrap().map_err(|error| error.to_string())
    }

    async fn order(&self, order: &QueueOrder) -> QueueDone {
        serde_json::from_str(&self.ask("/queue/order", Some(order)).await.unwrap()).unwrap()
    }
}

fn order(action: QueueAction, query: QueueQuery) -> QueueOrder {
    QueueOrder { action, ids: Vec::new(), query, dry_run: false, by: "root".into() }
}

#[tokio::test]
async fn mail_held_for_review_is_looked_at_and_released_with_its_reason() {
    let desk = Desk::open().await;
    let text = b"Subject: x\r\nFrom: <a@b.example>\r\n\r\nbody\r\n";
    let held = desk.put("bob@example.net", text, Some("too many recipients")).await;
    desk.put("bob@example.net", b"\r\nno header\r\n", None).await;
    let listed = desk.ask("/queue?held=true&reason=MANY&account=alice%40example.org", None).await;
    let listed: Vec<QueuedMessage> = serde_json::from_str(&listed.unwrap()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id.as_str(), listed[0].state.as_str()), (held.as_str(), "held"));
    assert_eq!(listed[0].review.as_deref(), Some("too many recipients"));
    let of = |what: &str| format!("/queue/{held}/text?{what}");
    let header = desk.ask(&of("header=true"), None).await.unwrap();
    assert_eq!(header, "Subject: x\r\nFrom: <a@b.example>\r\n");
    assert_eq!(desk.ask(&of("octets=9"), None).await.unwrap(), "Subject: ");
    assert_eq!(desk.ask(&of(""), None).await.unwrap().as_bytes(), text);
    let query = QueueQuery { reason: Some("many".into()), ..QueueQuery::default() };
    let rehearsed = QueueOrder { dry_run: true, ..order(QueueAction::Release, query.clone()) };
    let done = desk.order(&rehearsed).await;
    assert_eq!((done.done.len(), desk.spool.stats().held), (1, 1));
    let done = desk.order(&order(QueueAction::Release, query)).await;
    assert_eq!(done.done[0].review.as_deref(), Some("too many recipients"));
    assert_eq!(done.done[0].account.as_deref(), Some("alice@example.org"));
    assert_eq!(desk.spool.stats().held, 0);
}

#[tokio::test]
async fn orders_go_page_by_page_and_name_what_they_could_not_do() {
    let desk = Desk::open().await;
    let mut ids = Vec::new();
    for n in 0..150 {
        let domain = if n % 3 == 0 { "one.example" } else { "two.example" };
        ids.push(desk.put(&format!("bob@{domain}"), b"x", None).await);
    }
    let of_one =
        QueueQuery { domain: Some("One.example".into()), limit: Some(20), ..QueueQuery::default() };
    let mut next = order(QueueAction::Hold, of_one);
    let mut sizes = Vec::new();
    loop {
        let done = desk.order(&next).await;
        sizes.push(done.done.len());
        let Some(after) = done.next else { break };
        next.query.after = Some(after);
    }
    assert_eq!(sizes, [20, 20, 10, 0]);
    assert_eq!(desk.spool.stats().held, 50);
    let named = QueueOrder {
        ids: vec![ids[1].clone(), "0000000000001".into()],
        ..order(QueueAction::Delete, QueueQuery::default())
    };
    let done = desk.order(&named).await;
    assert_eq!((done.done.len(), done.failed.len()), (1, 1));
    assert!(done.failed[0].error.contains("0000000000001"));
    assert_eq!(desk.spool.stats().queued, 149);
    let shape = desk.ask("/queue/shape?states=held&top=1", None).await.unwrap();
    let shape: QueueShape = serde_json::from_str(&shape).unwrap();
    assert_eq!((shape.messages, shape.domains[0].domain.as_str()), (50, "one.example"));
    for (path, expected) in [
        ("/queue?domain=a%20b", "domain"),
        ("/queue/shape?states=helt", "helt"),
        ("/queue/xyz", "queue ID"),
        ("/queue/0000000000001", "no message"),
        ("/queue/0000000000001/text", "no message"),
    ] {
        let refused = desk.ask(path, None).await.unwrap_err();
        assert!(refused.contains(expected), "{path}: {refused}");
    }
}

#[test]
fn a_query_becomes_a_url_and_back() {
    let query = QueueQuery {
        account: Some("alice+a@example.org".into()),
        reason: Some("50 % & more = spam? über".into()),
        held: Some(true),
        older_than: Some(3600),
        limit: Some(7),
        ..QueueQuery::default()
    };
    let url = query.to_url();
    assert!(url.starts_with('?') && !url.contains(' '), "{url}");
    let uri: axum::http::Uri = format!("/queue{url}").parse().unwrap();
    let Query(back) = Query::<QueueQuery>::try_from_uri(&uri).unwrap();
    assert_eq!(back, query);
    assert_eq!(QueueQuery::default().to_url(), "");
    assert!(QueueQuery { limit: Some(3), ..QueueQuery::default() }.means_all());
    assert!(!query.means_all());
}

#[test]
fn what_is_malformed_is_named() {
    let bad = [
        (QueueQuery { after: Some("x".into()), ..QueueQuery::default() }, "after"),
        (QueueQuery { domain: Some("a b".into()), ..QueueQuery::default() }, "domain"),
        (QueueQuery { sender_domain: Some("".into()), ..QueueQuery::default() }, "sender-domain"),
        (QueueQuery { sender: Some("x".into()), ..QueueQuery::default() }, "sender"),
    ];
    for (query, named) in bad {
        let error = query.filter(Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
    let ancient = QueueQuery { older_than: Some(u64::MAX), ..QueueQuery::default() };
    let filter = ancient.filter(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(filter.received_before, Some(Timestamp::MIN));
    let null = QueueQuery { sender: Some("<>".into()), ..QueueQuery::default() };
    let filter = null.filter(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(filter.sender, Some(address::ReversePath::Null));
    let order = ShapeOrder { states: "held, incoming".into(), ..ShapeOrder::default() };
    let states = order.query().unwrap().states;
    assert!(states.held && states.incoming && !states.deferred);
    let wrong = ShapeOrder { states: "helt".into(), ..ShapeOrder::default() };
    assert!(wrong.query().unwrap_err().contains("\"helt\""));
}
