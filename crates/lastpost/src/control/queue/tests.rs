//! The queue over the control side: what is asked is what is meant, whatever it is.

use super::*;

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
