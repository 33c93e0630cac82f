//! retire: whole file
//! What may be sent with one grant.

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, BERT, ELSEWHERE, HOME, accepted, house, pass, refused};

const MESSAGES: &str = "Without authentication 2 messages may be sent within 20 minutes.";

/// A session of aiko's.
fn session(house: &House) -> Talk {
    house.greeted(HOME, "aiko")
}

#[test]
fn fetching_again_does_not_multiply_it() {
    let house = house("quota.messages = 2");
    house.fetch(AIKO, HOME);
    accepted(&house.send(AIKO, HOME));
    accepted(&house.send(AIKO, HOME));
    for _ in 0..19 {
        refused(&house.send(AIKO, HOME), "450 4.7.1", MESSAGES);
        pass(&house, 60);
        house.fetch(AIKO, HOME);
    }
    refused(&house.send(AIKO, HOME), "450 4.7.1", MESSAGES);
    // One window after it began it begins anew, with the next login.
    pass(&house, 60);
    refused(&house.send(AIKO, HOME), "450 4.7.1", MESSAGES);
    house.fetch(AIKO, HOME);
    accepted(&house.send(AIKO, HOME));
    accepted(&house.send(AIKO, HOME));
    refused(&house.send(AIKO, HOME), "450 4.7.1", MESSAGES);
}

#[test]
fn each_grant_has_its_own() {
    let house = house("quota.messages = 2");
    for (login, from) in [(AIKO, HOME), (BERT, HOME), (AIKO, ELSEWHERE)] {
        house.fetch(login, from);
        accepted(&house.send(login, from));
        accepted(&house.send(login, from));
        refused(&house.send(login, from), "450 4.7.1", MESSAGES);
    }
}

#[test]
fn recipients_count_and_one_message_has_a_limit_of_its_own() {
    let house = house("quota.recipients = 5\nquota.recipients_per_message = 3");
    house.fetch(AIKO, HOME);
    let mut talk = session(&house);
    let send = |talk: &mut Talk, recipients: usize| {
        talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
        for number in 0..recipients {
            talk.expect(&format!("RCPT TO:<friend{number}@elsewhere.example>"), "250");
        }
    };
    send(&mut talk, 3);
    talk.expect("RCPT TO:<one-more@elsewhere.example>", "452 4.5.3");
    accepted(&talk.message(AIKO));
    // Of five, two are left.
    send(&mut talk, 2);
    talk.expect("RCPT TO:<one-more@elsewhere.example>", "452 4.5.3");
    let over = "Without authentication mail may go to 5 recipients within 20 minutes.";
    refused(&session(&house).ask(&format!("MAIL FROM:<{AIKO}>")), "450 4.7.1", over);
    talk.expect("RSET", "250");
    send(&mut talk, 2);
    accepted(&talk.message(AIKO));
    refused(&talk.ask(&format!("MAIL FROM:<{AIKO}>")), "450 4.7.1", over);
    let received = house.wait_for_mail(2);
    let recipients: usize = received.iter().map(|message| message.recipients.len()).sum();
    assert_eq!(recipients, 5);
}

#[test]
fn parallel_sessions_do_not_pass_it_together() {
    let house = house("quota.messages = 5");
    house.fetch(AIKO, HOME);
    let replies: Vec<String> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| [house.send(AIKO, HOME), house.send(AIKO, HOME)]))
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let sent = replies.iter().filter(|reply| reply.starts_with("250")).count();
    assert_eq!(sent, 5, "{replies:#?}");
    assert_eq!(house.wait_for_mail(5).len(), 5);
}
