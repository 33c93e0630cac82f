//! The texts of the notices. Nothing in them comes from a client but the account's name.

use std::fmt::Write as _;

use super::letter::Words;
use super::{Happening, Notice};
use crate::config::Language;
use crate::kind::{Limit, Scope};
use crate::texts::{date, english, japanese};

/// To the customer.
pub(super) fn customer(notice: &Notice) -> Words {
    let (subject, mut text) = (english_subject(notice), english_text(notice));
    match notice.language {
        Language::English => Words { subject: subject.to_owned(), text },
        Language::Japanese => {
            text.insert_str(0, &format!("{}\n----\n\n", japanese_text(notice)));
            Words { subject: format!("{} ({subject})", japanese_subject(notice)), text }
        }
    }
}

/// To the admin: always English, with the command to go on with.
pub(super) fn admin(notice: &Notice) -> Words {
    let Notice { account, limit, scope, most, at, .. } = notice;
    let done = match notice.happening {
        Happening::Deferred => "deferred",
        Happening::Held => "held",
        Happening::Suspended => "suspended",
    };
    let mut text = format!(
        "Account {account} reached a limit at {}.\n\n\
         limit    {} ({})\n\
         action   {done}\n\n\
         Look at its counters:\n    lastpost limits show {account}\n",
        date(*at),
        limit.word(*scope),
        english(*limit, *most),
    );
    // Writing to a String cannot fail.
    let _ = match notice.happening {
        Happening::Deferred => Ok(()),
        Happening::Held => writeln!(
            text,
            "Look at what is held, then release or delete it:\n    lastpost queue list\n    \
             lastpost queue release ID\n    lastpost queue delete ID"
        ),
        Happening::Suspended => writeln!(
            text,
            "It cannot send until you resume it:\n    lastpost limits resume {account}"
        ),
    };
    text.push_str("\nThere is one such notice for each account, limit and day.\n");
    Words { subject: format!("[limits] {account} {done}: {}", limit.word(*scope)), text }
}

fn english_subject(notice: &Notice) -> &'static str {
    match notice.happening {
        Happening::Deferred => "Your mail is being sent more slowly",
        Happening::Held => "Your mail is being checked before it is sent",
        Happening::Suspended => "Sending mail is suspended for your account",
    }
}

fn japanese_subject(notice: &Notice) -> &'static str {
    match notice.happening {
        Happening::Deferred => "メールの送信を一時的に制限しています",
        Happening::Held => "送信メールを確認のため保留しています",
        Happening::Suspended => "メールの送信を停止しました",
    }
}

fn english_text(notice: &Notice) -> String {
    let Notice { account, at, .. } = notice;
    let (date, bound) = (date(*at), english(notice.limit, notice.most));
    let happened = match (notice.scope, notice.limit) {
        (Scope::Address, _) => format!(
            "Since {date}, more mail comes from the network address that\n\
             {account} uses than may come from one:\n\
             the limit is {bound}\n\
             for all who share the address.\n"
        ),
        (Scope::Account, Limit::NetworksPerHour) => format!(
            "Since {date}, {account}\n\
             is used from very many networks at once:\n\
             the limit is {bound}. One person is hardly in so many places.\n"
        ),
        (Scope::Account, Limit::FailedPerHour) => format!(
            "Since {date}, {account}\n\
             sends to very many addresses that do not exist:\n\
             the limit is {bound}.\n"
        ),
        (Scope::Account, _) => format!(
            "Since {date}, {account}\n\
             sends more mail than it may:\n\
             the limit is {bound}.\n"
        ),
    };
    let now = match notice.happening {
        Happening::Deferred => {
            "Further messages are refused for the time being. Nothing is lost: your mail\n\
             program keeps them. Send them again later.\n"
        }
        Happening::Held => {
            "Further messages are accepted and looked at by us before they go on. You need\n\
             not send them again.\n"
        }
        Happening::Suspended => {
            "Nothing can be sent from it any more. You can still read your mail.\n"
        }
    };
    let todo = match notice.happening {
        Happening::Suspended => {
            "To send again:\n\n\
             1. Check your computers and telephones for malicious software.\n\
             2. Change the password of this account, and of every other place where you\n   \
             use the same one.\n\
             3. Tell us that you have done so, and we resume the account.\n"
        }
        Happening::Deferred | Happening::Held => {
            "If this mail is not yours, somebody else knows your password: change it at\n\
             once, and check your computers and telephones for malicious software.\n\
             If it is yours and you need to send more, please ask us.\n"
        }
    };
    format!("{happened}\n{now}\n{todo}")
}

fn japanese_text(notice: &Notice) -> String {
    let Notice { account, at, .. } = notice;
    let (date, bound) = (date(*at), japanese(notice.limit, notice.most));
    let happened = match (notice.scope, notice.limit) {
        (Scope::Address, _) => format!(
            "{date} 以降、{account} がお使いの接続元アドレスからの送信が、\n\
             上限({bound})を超えています。\n"
        ),
        (Scope::Account, Limit::NetworksPerHour) => format!(
            "{date} 以降、{account} が非常に多くのネットワークから\n\
             同時に使われています(上限は{bound})。\n"
        ),
        (Scope::Account, Limit::FailedPerHour) => format!(
            "{date} 以降、{account} から存在しない宛先への送信が\n\
             上限({bound})を超えています。\n"
        ),
        (Scope::Account, _) => format!(
            "{date} 以降、{account} からの送信が上限({bound})を\n\
             超えています。\n"
        ),
    };
    let now = match notice.happening {
        Happening::Deferred => {
            "これ以降のメールは一時的に受け付けていません。メールはお使いの\n\
             メールソフトに残っていますので、しばらくしてから再度お送りください。\n"
        }
        Happening::Held => {
            "これ以降のメールはお預かりし、確認のうえで送信します。\n\
             再送の必要はありません。\n"
        }
        Happening::Suspended => {
            "このアカウントからの送信を停止しました。受信は引き続きご利用いただけます。\n"
        }
    };
    let todo = match notice.happening {
        Happening::Suspended => {
            "送信を再開するには:\n\n\
             1. パソコンやスマートフォンにウイルスがないかご確認ください。\n\
             2. このアカウントのパスワードと、同じものをお使いの他のサービスの\n   \
             パスワードを変更してください。\n\
             3. 上記がお済みになりましたらご連絡ください。送信を再開します。\n"
        }
        Happening::Deferred | Happening::Held => {
            "お心当たりのない場合は、パスワードが第三者に知られています。直ちに\n\
             変更し、パソコンやスマートフォンにウイルスがないかご確認ください。\n\
             お心当たりがあり、さらに送信が必要な場合はご相談ください。\n"
        }
    };
    format!("{happened}\n{now}\n{todo}")
}
