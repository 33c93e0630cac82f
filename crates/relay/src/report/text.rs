//! The part for people, in English or in Japanese followed by English.

use std::fmt::Write as _;

use super::{Action, Entry, Original, Place, Subject, date, encode};
use crate::config::Language;

/// Recipients that are listed for people; programs read of all.
const LISTED_MAX: usize = 100;

/// What a customer can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    Address,
    Full,
    TooLarge,
    Refused,
    Policy,
    Unconvertible,
    NoTls,
    Late,
    Expired,
    Delayed,
    Delivered,
    Relayed,
    Other,
}

impl Advice {
    /// By the meaning of the status code (RFC 3463 section 3).
    fn about(entry: &Entry<'_>) -> Self {
        let expired = match entry.action {
            Action::Delayed { .. } => return Self::Delayed,
            Action::Delivered => return Self::Delivered,
            Action::Relayed => return Self::Relayed,
            Action::Failed { expired } => expired,
        };
        match (expired, entry.status.subject, entry.status.detail) {
            (_, 4, 7) if entry.status.class == 5 => Self::Late,
            (true, _, _) => Self::Expired,
            (_, 1, _) => Self::Address,
            (_, 2, 2) => Self::Full,
            (_, 2, 3) | (_, 3, 4) => Self::TooLarge,
            (_, 6, _) => Self::Unconvertible,
            (_, 7, 30) => Self::NoTls,
            (_, 7, _) if entry.verdict.remote.is_none() => Self::Refused,
            (_, 7, _) => Self::Policy,
            _ => Self::Other,
        }
    }

    fn english(self) -> &'static str {
        match self {
            Self::Address => "The address does not exist there. Please check its spelling.",
            Self::Full => "The mailbox is full. Please tell the recipient another way.",
            Self::TooLarge => "The message is too large. Please send smaller attachments.",
            Self::Refused => "This mail system does not send it on, for the reason given.",
            Self::Policy => "The other side does not want this message, for the reason it gives.",
            Self::Unconvertible => "The other side cannot take a message of this form.",
            Self::NoTls => "The other side cannot keep the message under TLS, as you asked.",
            Self::Late => "It could not be delivered in the time that you set.",
            Self::Expired => "The other side could not be reached for too long.",
            Self::Delayed => "It is still being tried. You need not do anything.",
            Self::Delivered => "The message is in the mailbox.",
            Self::Relayed => "The message was handed on to a system that does not report further.",
            Self::Other => "The other side did not accept the message, for the reason given.",
        }
    }

    fn japanese(self) -> &'static str {
        match self {
            Self::Address => "宛先のメールアドレスが存在しません。綴りをご確認ください。",
            Self::Full => "宛先のメールボックスがいっぱいです。別の方法でお知らせください。",
            Self::TooLarge => "メールが大きすぎます。添付ファイルを小さくしてお送りください。",
            Self::Refused => "このメールシステムは、記載の理由によりこのメールを転送しません。",
            Self::Policy => "相手側のサーバーが、記載の理由によりこのメールを拒否しました。",
            Self::Unconvertible => "相手側のサーバーは、この形式のメールを受け取れません。",
            Self::NoTls => "ご指定の TLS による保護を、相手側のサーバーが保証できません。",
            Self::Late => "ご指定の時間内に配送できませんでした。",
            Self::Expired => "長時間にわたり相手側のサーバーに配送できませんでした。",
            Self::Delayed => "引き続き配送を試みています。再度お送りになる必要はありません。",
            Self::Delivered => "宛先のメールボックスに配送しました。",
            Self::Relayed => "この先の配送状況を通知しないサーバーに引き渡しました。",
            Self::Other => "相手側のサーバーが、記載の理由によりメールを受け取りませんでした。",
        }
    }
}

/// The subject.
pub(super) fn subject(language: Language, subject: Subject) -> &'static str {
    match (language, subject) {
        (Language::English, Subject::Failure) => "Your message could not be delivered",
        (Language::English, Subject::Delay) => "Your message is delayed",
        (Language::English, Subject::Success) => "Your message was delivered",
        (Language::Japanese, Subject::Failure) => {
            "メールを配送できませんでした (Your message could not be delivered)"
        }
        (Language::Japanese, Subject::Delay) => {
            "メールの配送が遅れています (Your message is delayed)"
        }
        (Language::Japanese, Subject::Success) => {
            "メールを配送しました (Your message was delivered)"
        }
    }
}

/// The text, with CRLF line ends.
pub(super) fn body(
    place: &Place<'_>,
    subject: Subject,
    original: &Original<'_>,
    entries: &[Entry<'_>],
) -> String {
    let mut out = String::new();
    if place.language == Language::Japanese {
        japanese(&mut out, place, subject, original, entries);
        out.push_str("\r\n----\r\n\r\n");
    }
    english(&mut out, place, subject, original, entries);
    out
}

fn english(
    out: &mut String,
    place: &Place<'_>,
    subject: Subject,
    original: &Original<'_>,
    entries: &[Entry<'_>],
) {
    let said = match subject {
        Subject::Failure => {
            "could not be\r\n\
             delivered to the recipients below. It will not be tried again."
        }
        Subject::Delay => {
            "has not been\r\n\
             delivered yet to the recipients below."
        }
        Subject::Success => "reached the recipients below,\r\nof whom you asked to hear.",
    };
    let _ = write!(
        out,
        "This is the mail system at {}.\r\n\r\nYour message of {} {said}\r\n",
        place.hello,
        date(original.received_at),
    );
    recipients(out, entries, Advice::english);
    if entries.len() > LISTED_MAX {
        let _ = write!(out, "\r\n  and {} more\r\n", entries.len() - LISTED_MAX);
    }
    let what = match original.returned.is_whole() {
        true => "Your message",
        false => "The header of your message",
    };
    let _ = write!(
        out,
        "\r\n{what} is attached. If you ask for help, please\r\n\
         quote the queue ID {}.\r\n",
        original.id,
    );
}

fn japanese(
    out: &mut String,
    place: &Place<'_>,
    subject: Subject,
    original: &Original<'_>,
    entries: &[Entry<'_>],
) {
    let said = match subject {
        Subject::Failure => "次の宛先に配送できませんでした。再送は行われません。",
        Subject::Delay => "次の宛先にまだ配送できていません。",
        Subject::Success => "ご依頼により、次の宛先への配送をお知らせします。",
    };
    let _ = write!(
        out,
        "{} のメールシステムです。\r\n\r\n{} にお預かりしたメールを、\r\n{said}\r\n",
        place.hello,
        date(original.received_at),
    );
    recipients(out, entries, Advice::japanese);
    if entries.len() > LISTED_MAX {
        let _ = write!(out, "\r\n  ほか {} 件\r\n", entries.len() - LISTED_MAX);
    }
    let what = match original.returned.is_whole() {
        true => "メール",
        false => "メールのヘッダー",
    };
    let _ = write!(
        out,
        "\r\nお送りになった{what}を添付します。お問い合わせの際は、\r\n\
         キューID {} をお知らせください。\r\n",
        original.id,
    );
}

fn recipients(out: &mut String, entries: &[Entry<'_>], advice: fn(Advice) -> &'static str) {
    for entry in entries.iter().take(LISTED_MAX) {
        let _ = write!(out, "\r\n  <{}>\r\n", entry.recipient.mailbox);
        let said = match (&entry.verdict.remote, entry.action) {
            (Some(remote), _) => format!("{remote}: {}", entry.verdict.text),
            (None, Action::Delivered) => String::new(),
            (None, _) => entry.verdict.text.to_string(),
        };
        for line in encode::wrap(&said, 68).iter().filter(|line| !line.is_empty()) {
            let _ = write!(out, "    {line}\r\n");
        }
        let _ = write!(out, "    {}\r\n", advice(Advice::about(entry)));
    }
}
