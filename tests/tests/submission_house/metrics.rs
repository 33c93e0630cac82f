//! `GET /metrics`: who gets it, whether it is OpenMetrics, and whether its figures move with the
//! mail.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use lastpost_tests::{House, eventually};

use crate::kit::{AIKO, FRIEND, PATIENCE, aiko, house, queue, release, send};
use crate::milter::{Milter, answer};

/// Asks with this header field; status line, header and body.
fn get(house: &House, field: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(house.address("control")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{field}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, header) = head.split_once("\r\n").unwrap();
    (status.to_owned(), header.to_ascii_lowercase(), body.to_owned())
}

/// The samples, by name and labels, of what must be OpenMetrics 1.0.
fn scrape(house: &House) -> BTreeMap<String, u64> {
    let token = std::fs::read_to_string(house.path("state").join("control.token")).unwrap();
    let (status, header, body) = get(house, &format!("Authorization: Bearer {}\r\n", token.trim()));
    assert_eq!(status, "HTTP/1.1 200 OK");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(header.contains(kind), "{header}");
    parse(&body)
}

/// A metric family while its samples are read.
struct Family {
    name: String,
    kind: Option<&'static str>,
}

fn parse(text: &str) -> BTreeMap<String, u64> {
    let lines = text.strip_suffix("# EOF\n").expect("the end");
    let mut samples = BTreeMap::new();
    let (mut family, mut begun) = (None::<Family>, HashSet::new());
    for line in lines.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(begun.insert(name.to_owned()), "a family in two places: {line}");
            family = Some(Family { name: name.to_owned(), kind: None });
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let family = family.as_mut().filter(|family| family.kind.is_none()).expect(line);
            assert_eq!(family.name, name, "{line}");
            family.kind = Some(["counter", "gauge"].into_iter().find(|k| *k == kind).expect(line));
        } else {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let name = series.split('{').next().unwrap();
            let family = family.as_ref().expect(line);
            let expected = match family.kind.expect(line) {
                "counter" => format!("{}_total", family.name),
                _ => family.name.clone(),
            };
            assert_eq!(name, expected, "{line}");
            check_labels(&series[name.len()..]);
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line}");
        }
    }
    samples
}

fn is_name(text: &str) -> bool {
    let good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    text.bytes().all(good) && !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty()
}

/// Nothing, or one label in braces, with its value in quotes.
fn check_labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect(text);
    let (key, value) = inner.split_once('=').expect(text);
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect(text);
    let bare = value.replace("\\\\", "").replace("\\\"", "").replace("\\n", "");
    assert!(is_name(key) && !bare.contains(['"', '\\', '\n']), "{text}");
}

#[test]
fn figures_are_for_those_who_have_the_token() {
    let house = house("");
    for field in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic eDp5\r\n"] {
        let (status, _, body) = get(&house, field);
        assert_eq!(status, "HTTP/1.1 401 Unauthorized", "{field}");
        assert!(!body.contains("lastpost_"), "{body}");
    }
    assert!(scrape(&house).len() > 50);
}

#[test]
fn figures_move_with_the_mail() {
    let says = Arc::new(AtomicU8::new(b'c'));
    let word = Arc::clone(&says);
    let milter = Milter::start(move |packet| {
        let word = word.load(Ordering::SeqCst);
        (packet.0 == b'E').then(|| match word {
            b'q' => vec![answer(b'q', b"odd\0"), answer(b'c', b"")],
            word => vec![answer(word, b"")],
        })
    });
    let limits = "[limits]\n[limits.account]\nmessages_per_hour = 4\n";
    let house = house(format!("{limits}{}", milter.tables("")));
    let before = scrape(&house);
    let mut talk = aiko(&house, "checked");
    for (word, reply) in [(b'c', "250"), (b'q', "250"), (b'd', "250"), (b'r', "550"), (b'c', "250")]
    {
        says.store(word, Ordering::SeqCst);
        let said = send(&mut talk, AIKO, &["ann@elsewhere.example", FRIEND[0]]);
        assert!(said.starts_with(reply), "{}: {said}", char::from(word));
    }
    house.wait_for_mail(2);
    let mut after = BTreeMap::new();
    eventually(PATIENCE, "an end of all deliveries", || {
        after = scrape(&house);
        after["lastpost_spool_in_delivery"] == 0 && after["lastpost_spool_queued"] == 1
    });
    let rose = |name: &str| after[name] - before.get(name).copied().unwrap_or(0);
    for (name, by) in [
        ("lastpost_submission_logins_total", 1),
        ("lastpost_submission_senders_permitted_total", 5),
        ("lastpost_submission_accepted_total", 3),
        ("lastpost_submission_held_total", 1),
        ("lastpost_submission_discarded_total", 1),
        ("lastpost_submission_refused_total", 1),
        ("lastpost_filter_passed_total", 2),
        ("lastpost_filter_held_total", 1),
        ("lastpost_filter_discarded_total", 1),
        ("lastpost_filter_refused_total", 1),
        ("lastpost_relay_relayed_total", 4),
        ("lastpost_hop_delivered_total{hop=\"next_hop\"}", 4),
    ] {
        assert_eq!(rose(name), by, "{name}");
    }
    assert!(rose("lastpost_limits_passed_total") >= 3);
    assert_eq!(after["lastpost_hop_up{hop=\"next_hop\"}"], 1);
    assert_eq!(after["lastpost_spool_held"], 1);
    release(&house, &queue(&house, "?held=true")[0]);
    eventually(PATIENCE, "the held one to leave", || scrape(&house)["lastpost_spool_queued"] == 0);
    assert_eq!(scrape(&house)["lastpost_hop_delivered_total{hop=\"next_hop\"}"], 6);
}
