//! A house whose configuration has further tables, and a customer who sends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use lastpost_tests::{Customer, House, Plan, Talk, eventually};
use serde_json::Value;

pub(crate) const AIKO: &str = "aiko@open.example";
pub(crate) const BERT: &str = "bert@open.example";
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The usual customers; aiko has an address in another domain too. `tables`: whole tables of
/// `lastpost.toml`, behind those of `[submission]`.
pub(crate) fn plan(tables: impl Into<String>) -> Plan {
    let mut plan = Plan { submission: leaked(tables), ..Plan::default() };
    plan.customers[0] = Customer {
        login: AIKO,
        password: "aiko's password",
        aliases: &["sales@open.example", "aiko@closed.example"],
    };
    plan
}

/// The process ends soon enough.
fn leaked(text: impl Into<String>) -> &'static str {
    Box::leak(text.into().into_boxed_str())
}

pub(crate) fn house(tables: impl Into<String>) -> House {
    House::start(plan(tables))
}

/// A client of a listener that takes passwords in clear, logged in as `login`.
pub(crate) fn customer(house: &House, listener: &str, login: &str, from: IpAddr) -> Talk {
    let mut talk = house.client(listener, from);
    talk.expect("EHLO customer.example", "250");
    let reply = talk.auth_plain(login, house.customer(login).password);
    assert!(reply.starts_with("235"), "{reply}");
    talk
}

/// Aiko, at home.
pub(crate) fn aiko(house: &House, listener: &str) -> Talk {
    customer(house, listener, AIKO, HOME)
}

/// Sends a small message from `sender`; the last reply.
pub(crate) fn send(talk: &mut Talk, sender: &str, recipients: &[&str]) -> String {
    let reply = talk.ask(&format!("MAIL FROM:<{sender}>"));
    if !reply.starts_with("250") {
        return reply;
    }
    for recipient in recipients {
        let reply = talk.ask(&format!("RCPT TO:<{recipient}>"));
        if !reply.starts_with("250") {
            talk.expect("RSET", "250");
            return reply;
        }
    }
    talk.message(sender)
}

pub(crate) const FRIEND: &[&str] = &["friend@elsewhere.example"];

/// The messages of the queue that `query` means, as `lastpost queue list --json` has them.
pub(crate) fn queue(house: &House, query: &str) -> Vec<Value> {
    serde_json::from_str(&house.control().get(&format!("/queue{query}")).unwrap()).unwrap()
}

/// Waits until nothing is in the queue.
pub(crate) fn emptied(house: &House) {
    eventually(PATIENCE, "an empty queue", || queue(house, "").is_empty());
}

/// `lastpost queue release ID`.
pub(crate) fn release(house: &House, message: &Value) {
    let order = serde_json::json!({ "action": "release", "ids": [message["id"]] });
    let done = house.control().post("/queue/order", &order.to_string()).unwrap();
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["done"].as_array().unwrap().len(), 1, "{done}");
}

/// Messages in a Maildir that nobody has looked at.
pub(crate) fn new_mail(house: &House, login: &str) -> Vec<String> {
    let read = |at: std::fs::DirEntry| std::fs::read_to_string(at.path()).unwrap();
    std::fs::read_dir(house.maildir(login).join("new"))
        .map(|entries| entries.map(|entry| read(entry.unwrap())).collect())
        .unwrap_or_default()
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Header section, with its last line end, and body of a message.
pub(crate) fn parts(content: &[u8]) -> (String, Vec<u8>) {
    let end = content.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let header = String::from_utf8(content[..end + 2].to_vec()).unwrap();
    (header, content[end + 4..].to_vec())
}
