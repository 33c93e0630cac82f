//! Filters on one listener and none on its neighbour: what clients, the queue and the next hop
//! see of a milter's word.

use lastpost_tests::House;

use crate::hop::{Hop, Manner};
use crate::kit::{
    AIKO, FRIEND, PATIENCE, aiko, emptied, house, nobody, parts, queue, release, send,
};
use crate::milter::{DIES, Milter, answer, tables};

/// Sends a message by the plain listener: when it has arrived, so has whatever was sent before.
fn sent_plainly(house: &House) {
    let before = house.received().len();
    assert!(send(&mut aiko(house, "legacy"), AIKO, &["last@elsewhere.example"]).starts_with("250"));
    house.wait_for_mail(before + 1);
}

#[test]
fn a_filter_sees_what_comes_to_its_listener_and_nothing_else() {
    let milter = Milter::start(|_| None);
    let house = house(milter.tables(""));
    sent_plainly(&house);
    assert_eq!(milter.text(b'M'), "");
    assert!(send(&mut aiko(&house, "checked"), AIKO, FRIEND).starts_with("250 2.0.0"));
    let received = house.wait_for_mail(2);
    assert_eq!(received[1].recipients, ["<friend@elsewhere.example>"]);
    assert_eq!(milter.text(b'M'), format!("<{AIKO}>\0"));
    assert_eq!(milter.text(b'B'), "text\r\n");
    let macros = milter.text(b'D');
    assert!(macros.contains(&format!("{{auth_authen}}\0{AIKO}\0")), "{macros:?}");
    let seen = milter.text(b'L');
    assert!(seen.contains("Message-ID\0") && !seen.contains("Received\0"), "{seen:?}");
    assert!(parts(&received[1].content).0.starts_with("Received: from customer.example"));
}

#[test]
fn one_of_three_recipients_is_refused_and_the_others_get_their_mail() {
    let milter = Milter::start(|packet| {
        let refused = packet.0 == b'R' && packet.1.starts_with(b"<eve");
        refused.then(|| vec![answer(b'y', b"550 5.7.1 Not to her\0")])
    });
    let house = house(milter.tables(""));
    let mut talk = aiko(&house, "checked");
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    talk.expect("RCPT TO:<ann@elsewhere.example>", "250 2.1.5");
    talk.expect("RCPT TO:<eve@elsewhere.example>", "550 5.7.1 Not to her");
    talk.expect("RCPT TO:<bob@elsewhere.example>", "250 2.1.5");
    assert!(talk.message(AIKO).starts_with("250 2.0.0"));
    let received = house.wait_for_mail(1);
    assert_eq!(received[0].recipients, ["<ann@elsewhere.example>", "<bob@elsewhere.example>"]);
}

#[test]
fn a_message_is_refused_at_its_end_and_nothing_of_it_stays() {
    let milter = Milter::at_the_end(vec![answer(b'y', b"554 5.7.1 Eicar found\0")]);
    let house = house(milter.tables(""));
    let mut talk = aiko(&house, "checked");
    assert!(send(&mut talk, AIKO, FRIEND).starts_with("554 5.7.1 Eicar found"));
    talk.expect("RCPT TO:<friend@elsewhere.example>", "503");
    assert!(queue(&house, "").is_empty());
    sent_plainly(&house);
    assert_eq!(house.received().len(), 1);
}

#[test]
fn a_quarantined_message_waits_for_its_release() {
    let milter = Milter::at_the_end(vec![answer(b'q', b"looks odd\0"), answer(b'c', b"")]);
    let house = house(milter.tables(""));
    assert!(send(&mut aiko(&house, "checked"), AIKO, FRIEND).starts_with("250 2.0.0"));
    sent_plainly(&house);
    let held = queue(&house, "?held=true");
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(
        (held[0]["state"].as_str(), held[0]["review"].as_str()),
        (Some("held"), Some("looks odd"))
    );
    assert_eq!(held[0]["recipients"][0]["address"], FRIEND[0]);
    release(&house, &held[0]);
    let received = house.wait_for_mail(2);
    assert_eq!(received[1].recipients, ["<friend@elsewhere.example>"]);
}

#[test]
fn a_discarded_message_is_acknowledged_and_goes_nowhere() {
    let milter = Milter::at_the_end(vec![answer(b'd', b"")]);
    let house = house(milter.tables(""));
    assert!(send(&mut aiko(&house, "checked"), AIKO, FRIEND).starts_with("250 2.0.0"));
    sent_plainly(&house);
    let received = house.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].recipients, ["<last@elsewhere.example>"]);
    emptied(&house);
}

#[test]
fn the_sender_can_become_one_that_the_account_may_use_and_no_other() {
    for (given, expected) in [
        ("<sales@open.example>", "<sales@open.example>"),
        ("<>", "<>"),
        ("<ceo@bank.example>", "<aiko@open.example>"),
        ("<bert@open.example>", "<aiko@open.example>"),
        ("no address", "<aiko@open.example>"),
    ] {
        let change = answer(b'e', format!("{given}\0").as_bytes());
        let milter = Milter::at_the_end(vec![change, answer(b'c', b"")]);
        let house = house(milter.tables(""));
        let reply = send(&mut aiko(&house, "checked"), AIKO, FRIEND);
        assert!(reply.starts_with("250 2.0.0"), "{given}: {reply}");
        assert_eq!(house.wait_for_mail(1)[0].sender, expected, "{given}");
    }
}

#[test]
fn recipients_are_added_and_removed() {
    let milter = Milter::at_the_end(vec![
        answer(b'+', b"<archive@elsewhere.example>\0"),
        answer(b'-', b"<friend@elsewhere.example>\0"),
        answer(b'a', b""),
    ]);
    let house = house(milter.tables(""));
    let to = ["friend@elsewhere.example", "ann@elsewhere.example"];
    assert!(send(&mut aiko(&house, "checked"), AIKO, &to).starts_with("250 2.0.0"));
    let recipients = &house.wait_for_mail(1)[0].recipients;
    assert_eq!(*recipients, ["<ann@elsewhere.example>", "<archive@elsewhere.example>"]);
}

#[test]
fn a_filter_that_is_away_stops_its_own_listener_alone() {
    let house_without = house(tables(nobody(), ""));
    let mut talk = aiko(&house_without, "checked");
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "451 4.7.1");
    talk.expect("NOOP", "250");
    sent_plainly(&house_without);

    let house = house(tables(nobody(), "on_failure = \"accept\"\n"));
    assert!(send(&mut aiko(&house, "checked"), AIKO, FRIEND).starts_with("250 2.0.0"));
    assert_eq!(house.wait_for_mail(1).len(), 1);
}

#[test]
fn one_that_dies_in_the_middle_of_a_body_lets_nothing_through_half_seen() {
    for (more, code, arrives) in
        [("", "451 4.7.1", 0), ("on_failure = \"accept\"\n", "250 2.0.0", 1)]
    {
        let milter = Milter::start(|packet| (packet.0 == b'B').then(|| vec![answer(DIES, b"")]));
        let house = house(milter.tables(more));
        let mut talk = aiko(&house, "checked");
        talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
        talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
        talk.expect("DATA", "354");
        let line = "0123456789".repeat(9) + "\r\n";
        let text = format!("From: <{AIKO}>\r\n\r\n{}.\r\n", line.repeat(4000));
        talk.send_raw(text.as_bytes());
        talk.expect_reply(code);
        sent_plainly(&house);
        house.wait_for_mail(1 + arrives);
        emptied(&house);
        assert_eq!(house.received().len(), 1 + arrives);
        if let Some(whole) = house.received().iter().find(|one| one.content.len() > 10_000) {
            assert_eq!(parts(&whole.content).1, line.repeat(4000).into_bytes());
        }
    }
}

#[test]
fn chunks_and_addresses_in_utf_8_go_through_a_filter() {
    let milter =
        Milter::at_the_end(vec![answer(b'h', "X-Scan\0gut, süß\0".as_bytes()), answer(b'c', b"")]);
    let hop = Hop::start(Manner { extensions: &["8BITMIME", "SMTPUTF8"], ..Manner::default() });
    let route = hop.tables("utf8", &["utf8.example"], "");
    let house = house(format!("{}{route}", milter.tables("")));
    let mut talk = aiko(&house, "checked");
    talk.expect(&format!("MAIL FROM:<{AIKO}> SMTPUTF8 BODY=8BITMIME"), "250");
    talk.expect("RCPT TO:<愛子@utf8.example>", "250");
    let text = format!("From: <{AIKO}>\r\nSubject: 挨拶\r\n\r\nGrüße\r\n.\r\n");
    let (first, second) = text.as_bytes().split_at(40);
    for (chunk, last) in [(first, ""), (second, " LAST")] {
        talk.send_raw(format!("BDAT {}{last}\r\n", chunk.len()).as_bytes());
        talk.send_raw(chunk);
        talk.expect_reply("250 2.0.0");
    }
    let received = hop.wait_for_mail(1, PATIENCE);
    assert_eq!(received[0].recipients, ["<愛子@utf8.example>"]);
    assert!(received[0].mail.contains("SMTPUTF8"), "{}", received[0].mail);
    let (header, body) = parts(&received[0].content);
    assert!(
        header.contains("Subject: 挨拶\r\n") && header.ends_with("X-Scan: gut, süß\r\n"),
        "{header}"
    );
    assert_eq!(body, "Grüße\r\n.\r\n".as_bytes());
    assert_eq!(milter.text(b'R'), "<愛子@utf8.example>\0");
    assert_eq!(milter.text(b'B'), "Grüße\r\n.\r\n");
}
