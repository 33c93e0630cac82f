//! The chain, and SMTP AUTH as its first link.

use std::sync::Mutex;

use address::Domain;

use super::*;
use crate::testing::{account, key, moment, origin, plain};
use crate::{Channel, Delegation, Service};

/// An authority that always says the same, and remembers that it was asked.
struct Fixed {
    name: &'static str,
    ruling: Ruling,
    asked: Mutex<u32>,
    settled: Mutex<Vec<Settlement>>,
}

impl Fixed {
    fn new(name: &'static str, ruling: Ruling) -> Arc<Self> {
        Arc::new(Self { name, ruling, asked: Mutex::new(0), settled: Mutex::new(Vec::new()) })
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }
}

impl SubmissionAuthority for Fixed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn rule<'a>(&'a self, _: &'a Attempt<'a>) -> Answer<'a, Ruling> {
        *self.asked.lock().unwrap() += 1;
        Box::pin(std::future::ready(self.ruling.clone()))
    }

    fn settle(&self, _: &Permit, settlement: Settlement) {
        self.settled.lock().unwrap().push(settlement);
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl RulingObserver for Told {
    fn on_ruling(&self, attempt: &Attempt<'_>, outcome: Result<&Permit, &Refusal>) {
        let outcome = match outcome {
            Ok(permit) => format!("{} by {}", permit.account().key(), permit.authority()),
            Err(refusal) => refusal.reason.to_owned(),
        };
        self.0.lock().unwrap().push(format!("{} {outcome}", attempt.sender));
    }

    fn on_settlement(&self, permit: &Permit, settlement: Settlement) {
        self.0.lock().unwrap().push(format!("{} {}", permit.authority(), settlement.accepted));
    }
}

fn login(name: &str) -> Login {
    Login {
        account: Arc::new(account(name, plain("x"), false)),
        client: origin("192.0.2.1").client,
        channel: Channel { service: Service::Submission, tls: true, genuine_address: true },
        at: moment(0.0),
        acting: None,
    }
}

fn attempt<'a>(
    sender: &'a ReversePath,
    login: Option<&'a Login>,
    failed_auth: bool,
) -> Attempt<'a> {
    Attempt {
        client: origin("192.0.2.1").client,
        genuine_address: true,
        login,
        failed_auth,
        sender,
        helo: "client.example",
        extended: true,
        tls: true,
        listener: "submission",
        at: moment(1.0),
    }
}

fn sender(text: &str) -> ReversePath {
    ReversePath::parse(text).unwrap()
}

fn allow(name: &str, recipients_max: Option<u32>) -> Ruling {
    Ruling::Allow(Allowance { account: Arc::new(account(name, plain("x"), false)), recipients_max })
}

fn refusal(reason: &'static str) -> Refusal {
    Refusal { code: 550, enhanced: "5.7.1", text: "no".to_owned(), reason }
}

#[tokio::test]
async fn the_first_opinion_ends_the_chain() {
    let silent = Fixed::new("silent", Ruling::Abstain);
    let generous = Fixed::new("generous", allow("ann@example.net", Some(5)));
    let strict = Fixed::new("strict", Ruling::Refuse(refusal("strict")));
    let told = Arc::new(Told::default());
    let from = sender("<ann@example.net>");
    let chain =
        Chain::new(vec![silent.clone(), generous.clone(), strict.clone()], vec![told.clone()]);
    assert_eq!(format!("{chain:?}"), r#"["silent", "generous", "strict"]"#);
    let permit = authorize(&chain, &attempt(&from, None, false)).await.unwrap();
    assert_eq!(permit.authority(), "generous");
    assert_eq!(permit.account().key(), &key("ann@example.net"));
    assert_eq!((permit.client(), permit.at()), (origin("192.0.2.1").client, moment(1.0)));
    assert_eq!(permit.recipients_max(), Some(5));
    assert!(permit.may_send_as(&Mailbox::parse("Ann@example.net").unwrap()));
    assert!(!permit.may_send_as(&Mailbox::parse("bob@example.net").unwrap()));
    assert_eq!((silent.asked(), generous.asked(), strict.asked()), (1, 1, 0));

    let settlement = Settlement { accepted: true, recipients: 2, octets: 99 };
    chain.settle(&permit, settlement);
    assert_eq!(*generous.settled.lock().unwrap(), [settlement]);
    assert!(silent.settled.lock().unwrap().is_empty());
    let told = told.0.lock().unwrap().clone();
    assert_eq!(told, ["<ann@example.net> ann@example.net by generous", "generous true"]);
}

#[tokio::test]
async fn who_was_given_leave_sends_as_others() {
    let given = vec![
        Delegation::Address(Mailbox::parse("boss@example.net").unwrap()),
        Delegation::Domain(Domain::parse("xn--bcher-kva.example").unwrap()),
    ];
    let mut login = login("ann@example.net");
    login.account = Arc::new(account("ann@example.net", plain("x"), false).with_delegations(given));
    let chain = Chain::new(vec![Arc::new(SmtpAuth)], Vec::new());
    for (text, allowed) in [
        ("<ann@example.net>", true),
        ("<\"ANN\"@example.net>", true),
        ("<Boss@Example.NET>", true),
        ("<anybody@bücher.example>", true),
        ("<>", true),
        ("<bob@example.net>", false),
        ("<anybody@sub.bücher.example>", false),
    ] {
        let from = sender(text);
        let outcome = authorize(&chain, &attempt(&from, Some(&login), false)).await;
        assert_eq!(outcome.is_ok(), allowed, "{text}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_told() {
    let strict = Fixed::new("strict", Ruling::Refuse(refusal("strict")));
    let generous = Fixed::new("generous", allow("ann@example.net", None));
    let told = Arc::new(Told::default());
    let chain = Chain::new(vec![strict, generous.clone()], vec![told.clone()]);
    let from = sender("<>");
    let refused = authorize(&chain, &attempt(&from, None, false)).await.unwrap_err();
    assert_eq!(refused, refusal("strict"));
    assert_eq!(generous.asked(), 0);
    assert_eq!(*told.0.lock().unwrap(), ["<> strict"]);
}

#[tokio::test]
async fn when_nobody_has_an_opinion_authentication_is_required() {
    let from = sender("<ann@example.net>");
    for chain in [
        Chain::default(),
        Chain::new(vec![Arc::new(SmtpAuth), Fixed::new("silent", Ruling::Abstain)], Vec::new()),
    ] {
        let refused = authorize(&chain, &attempt(&from, None, false)).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.enhanced, refused.reason),
            (530, "5.7.0", "no-authority")
        );
        assert!(refused.text.contains("switch on SMTP authentication"));
        assert!(!refused.text.contains(['\r', '\n']));
    }
}

#[tokio::test]
async fn after_an_authentication_no_later_authority_is_asked() {
    let grant = Fixed::new("grant", allow("bob@example.net", None));
    let chain = Chain::new(vec![Arc::new(SmtpAuth), grant.clone()], Vec::new());
    let ann = login("ann@example.net");
    let own = sender("<Ann@Example.net>");
    let permit = authorize(&chain, &attempt(&own, Some(&ann), false)).await.unwrap();
    assert_eq!((permit.authority(), permit.account().key()), (SmtpAuth::NAME, ann.account.key()));

    let null = authorize(&chain, &attempt(&ReversePath::Null, Some(&ann), false)).await.unwrap();
    assert_eq!(null.account().key(), ann.account.key(), "RFC 6409: the null sender is allowed");

    let other = sender("<bob@example.net>");
    let refused = authorize(&chain, &attempt(&other, Some(&ann), false)).await.unwrap_err();
    let found = (refused.code, refused.enhanced, refused.reason);
    assert_eq!(found, (550, "5.7.1", "sender-not-owned"), "though a grant would have covered bob");
    assert!(refused.text.contains("ann@example.net may not send as <bob@example.net>"));

    // A login that followed a failure counts as a login.
    assert!(authorize(&chain, &attempt(&own, Some(&ann), true)).await.is_ok());
    assert_eq!(grant.asked(), 0);
}

#[tokio::test]
async fn after_a_failed_authentication_no_later_authority_is_asked() {
    let grant = Fixed::new("grant", allow("bob@example.net", None));
    let chain = Chain::new(vec![Arc::new(SmtpAuth), grant.clone()], Vec::new());
    for from in [sender("<bob@example.net>"), ReversePath::Null] {
        let refused = authorize(&chain, &attempt(&from, None, true)).await.unwrap_err();
        assert_eq!((refused.code, refused.reason), (530, "auth-failed-before"));
    }
    assert_eq!(grant.asked(), 0);
    let from = sender("<bob@example.net>");
    let permit = authorize(&chain, &attempt(&from, None, false)).await.unwrap();
    assert_eq!(permit.authority(), "grant", "without any attempt the grant is asked");
}
