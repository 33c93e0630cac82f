//! The part for people, in English or in Japanese followed by English.

use std::fmt::Write as _;

use super::{Failure, Original, Place, date, encode};
use crate::config::Language;

/// What a customer can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    Address,
    Full,
    TooLarge,
    Policy,
    Expired,
    Other,
}

impl Advice {
    /// By the meaning of the status code (RFC 3463 section 3).
    fn about(failure: &Failure<'_>) -> Self {
        match (failure.expired, failure.status.subject, failure.status.detail) {
            (true, _, _) => Self::Expired,
            (_, 1, _) => Self::Address,
            (_, 2, 2) => Self::Full,
            (_, 2, 3) | (_, 3, 4) => Self::TooLarge,
            (_, 7, _) => Self::Policy,
            _ => Self::Other,
        }
    }

    fn english(self) -> &'static str {
        match self {
            Self::Address => "The address does not exist there. Please check its spelling.",
            Self::Full => "The mailbox is full. Please tell the recipient another way.",
            Self::TooLarge => "The message is too large. Please send smaller attachments.",
            Self::Policy => "The other side does not want this message, for the reason it gives.",
            Self::Expired => "The other side could not be reached for too long.",
            Self::Other => "The other side did not accept the message, for the reason given.",
        }
    }

    fn japanese(self) -> &'static str {
        match self {
            Self::Address => "宛先のメールアドレスが存在しません。綴りをご確認ください。",
            Self::Full => "宛先のメールボックスがいっぱいです。別の方法でお知らせください。",
            Self::TooLarge => "メールが大きすぎます。添付ファイルを小さくしてお送りください。",
            Self::Policy => "相手側のサーバーが、記載の理由によりこのメールを拒否しました。",
            Self::Expired => "長時間にわたり相手側のサーバーに配送できませんでした。",
            Self::Other => "相手側のサーバーが、記載の理由によりメールを受け取りませんでした。",
        }
    }
}

/// The subject.
pub(super) fn subject(language: Language) -> &'static str {
    match language {
        Language::English => "Your message could not be delivered",
        Language::Japanese => "メールを配送できませんでした (Your message could not be delivered)",
    }
}

/// The text, with CRLF line ends.
pub(super) fn body(place: &Place<'_>, original: &Original<'_>, failures: &[Failure<'_>]) -> String {
    let mut out = String::new();
    if place.language == Language::Japanese {
        japanese(&mut out, place, original, failures);
        out.push_str("\r\n----\r\n\r\n");
    }
    english(&mut out, place, original, failures);
    out
}

fn english(out: &mut String, place: &Place<'_>, original: &Original<'_>, failures: &[Failure<'_>]) {
    let _ = write!(
        out,
        "This is the mail system at {}.\r\n\r\n\
         Your message of {} could not be\r\n\
         delivered to the recipients below. It will not be tried again.\r\n",
        place.hello,
        date(original.received_at),
    );
    recipients(out, failures, Advice::english);
    let _ = write!(
        out,
        "\r\nThe header of your message is attached. If you ask for help, please\r\n\
         quote the queue ID {}.\r\n",
        original.id,
    );
}

fn japanese(
    out: &mut String,
    place: &Place<'_>,
    original: &Original<'_>,
    failures: &[Failure<'_>],
) {
    let _ = write!(
        out,
        "{} のメールシステムです。\r\n\r\n\
         {} にお預かりしたメールを、\r\n\
         次の宛先に配送できませんでした。再送は行われません。\r\n",
        place.hello,
        date(original.received_at),
    );
    recipients(out, failures, Advice::japanese);
    let _ = write!(
        out,
        "\r\nお送りになったメールのヘッダーを添付します。お問い合わせの際は、\r\n\
         キューID {} をお知らせください。\r\n",
        original.id,
    );
}

fn recipients(out: &mut String, failures: &[Failure<'_>], advice: fn(Advice) -> &'static str) {
    for failure in failures {
        let _ = write!(out, "\r\n  <{}>\r\n", failure.recipient);
        let said = match &failure.verdict.remote {
            Some(remote) => format!("{remote}: {}", failure.verdict.text),
            None => failure.verdict.text.to_string(),
        };
        for line in encode::wrap(&said, 68) {
            let _ = write!(out, "    {line}\r\n");
        }
        let _ = write!(out, "    {}\r\n", advice(Advice::about(failure)));
    }
}
