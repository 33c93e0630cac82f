//! Notices as they reach a mailbox.

use base64::Engine as _;

use super::*;

fn notice(happening: Happening, language: Language) -> Notice {
    Notice {
        account: AccountKey::parse("anna@example.net", None).unwrap(),
        happening,
        scope: Scope::Account,
        limit: Limit::MessagesPerHour,
        most: 200,
        at: "2026-11-24T12:00:00Z".parse().unwrap(),
        language,
        admin: Some(Mailbox::parse("abuse@example.net").unwrap()),
    }
}

fn letter(notice: &Notice) -> (String, String) {
    let to = Mailbox::parse("anna@example.net").unwrap();
    let text = String::from_utf8(notice.to_customer("mail.example.net", &to, 7)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn a_suspended_customer_is_told_how_to_get_back() {
    let (head, body) = letter(&notice(Happening::Suspended, Language::English));
    assert!(head.contains("To: <anna@example.net>\r\n"));
    assert!(head.contains("Subject: Sending mail is suspended for your account\r\n"));
    assert!(head.contains("Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n"));
    assert!(head.contains("Auto-Submitted: auto-generated\r\n"));
    assert!(body.contains("Since 2026-11-24 12:00 UTC, anna@example.net\r\nsends more mail"));
    assert!(body.contains("the limit is 200 messages an hour."));
    assert!(body.contains("2. Change the password"));
    assert!(body.contains("3. Tell us"));
}

#[test]
fn every_notice_is_seven_bit_with_short_lines_and_whole_line_ends() {
    for happening in [Happening::Deferred, Happening::Held, Happening::Suspended] {
        for language in [Language::English, Language::Japanese] {
            for limit in Limit::ALL {
                for scope in [Scope::Account, Scope::Address] {
                    let notice = Notice { limit, scope, ..notice(happening, language) };
                    let to = notice.admin.clone().unwrap();
                    let (_, admins) = notice.to_admin("mail.example.net", 1).unwrap();
                    for text in [notice.to_customer("mail.example.net", &to, 1), admins] {
                        let text = String::from_utf8(text).unwrap();
                        assert!(text.is_ascii() && text.ends_with("\r\n"));
                        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
                        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn japanese_is_followed_by_english() {
    let (head, body) = letter(&notice(Happening::Held, Language::Japanese));
    assert!(head.contains("Subject: =?UTF-8?B?"));
    assert!(head.contains("Content-Transfer-Encoding: base64"));
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(body.replace("\r\n", ""))
        .map(|octets| String::from_utf8(octets).unwrap())
        .unwrap();
    let japanese = decoded.find("1時間あたり200通").unwrap();
    let english = decoded.find("200 messages an hour").unwrap();
    assert!(japanese < english);
}

#[test]
fn the_admin_is_told_the_next_command() {
    let text = |happening| {
        let (to, letter) = notice(happening, Language::Japanese).to_admin("h.example", 1).unwrap();
        assert_eq!(to.to_string(), "abuse@example.net");
        String::from_utf8(letter).unwrap()
    };
    let suspended = text(Happening::Suspended);
    assert!(suspended.contains("Subject: [limits] anna@example.net suspended: messages-per-hour"));
    assert!(suspended.contains("lastpost limits resume anna@example.net"));
    assert!(text(Happening::Held).contains("lastpost queue release ID"));
    let nobody = Notice { admin: None, ..notice(Happening::Held, Language::English) };
    assert_eq!(nobody.to_admin("h.example", 1), None);
}
