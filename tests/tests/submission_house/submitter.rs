//! `AUTH=` (RFC 4954 section 5): who submitted a message, from the client to the next hop.

use lastpost_tests::{House, Plan, Talk};

use crate::hop::{Hop, Manner};
use crate::kit::{AIKO, BERT, HOME, PATIENCE, aiko, customer, plan};

const LOGIN: &str =
    "login = { username = \"relay\", password_file = \"hop.password\", cleartext = true }";

/// A house with a hop that it logs in at, and one that it does not.
fn house() -> (House, Hop, Hop) {
    let manner = Manner { extensions: &["AUTH PLAIN"], ..Manner::default() };
    let (known, unknown) = (Hop::start(manner), Hop::start(manner));
    let tables = known.tables("known", &["known.example"], LOGIN)
        + &unknown.tables("unknown", &["unknown.example"], "");
    let files = vec![("hop.password", "secret\n".to_owned())];
    (House::start(Plan { files, ..plan(tables) }), known, unknown)
}

fn sent(talk: &mut Talk, parameter: &str) {
    talk.expect(&format!("MAIL FROM:<sales@open.example>{parameter}"), "250");
    talk.expect("RCPT TO:<x@known.example>", "250");
    talk.expect("RCPT TO:<x@unknown.example>", "250");
    assert!(talk.message(AIKO).starts_with("250"));
}

#[test]
fn who_submitted_a_message_is_told_where_we_are_known_and_if_it_is_to_be_believed() {
    let (mut house, known, unknown) = house();
    for (number, (parameter, told)) in [
        (" AUTH=aiko@open.example", "AUTH=aiko@open.example"),
        (" AUTH=aiko+40closed.example", "AUTH=aiko@closed.example"),
        // Somebody else's, nobody's, and nothing said.
        (" AUTH=bert@open.example", "AUTH=<>"),
        (" AUTH=<>", "AUTH=<>"),
        ("", "AUTH=<>"),
    ]
    .into_iter()
    .enumerate()
    {
        sent(&mut aiko(&house, "submission"), parameter);
        let taken = known.wait_for_mail(number + 1, PATIENCE).pop().unwrap();
        assert!(taken.mail.ends_with(&format!(" {told}")), "{parameter}: {}", taken.mail);
        let taken = unknown.wait_for_mail(number + 1, PATIENCE).pop().unwrap();
        assert!(!taken.mail.contains("AUTH="), "{parameter}: {}", taken.mail);
    }
    // It is stored with the message: a restart forgets nothing.
    let mut talk = customer(&house, "submission", BERT, HOME);
    talk.expect(&format!("MAIL FROM:<{BERT}> AUTH={BERT} HOLDFOR=60"), "250");
    talk.expect("RCPT TO:<x@known.example>", "250");
    assert!(talk.message(BERT).starts_with("250"));
    drop(talk);
    house.restart();
    house.clock().advance(std::time::Duration::from_secs(61));
    let taken = known.wait_for_mail(6, PATIENCE).pop().unwrap();
    assert!(taken.mail.ends_with(&format!(" AUTH={BERT}")), "{}", taken.mail);
}
