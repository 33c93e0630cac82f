//! The catalogue: every sentence that a client is told, in every language.
//!
//! fetchmail takes a refused login for a wrong password, and gives the account up, unless the
//! reply says `[IN-USE]`, `[LOGIN-DELAY]`, "lock", "wait", or "service" and "unavailable".
//! Refusals that pass say one of these in each language; the others must not.

/// A sentence, or a piece of one that stands around a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) english: &'static str,
    pub(crate) japanese: &'static str,
}

macro_rules! catalogue {
    ($($name:ident { $english:literal, $japanese:literal })*) => {
        $(pub(crate) const $name: Text = Text { english: $english, japanese: $japanese };)*
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, Text)] = &[$((stringify!($name), $name)),*];
    };
}

catalogue! {
    // In every state.
    READY { "Lastpost POP3 server ready", "Lastpost POP3 サーバーです" }
    CAPABILITIES { "Capability list follows", "機能の一覧です" }
    LANGUAGES { "Language listing follows", "言語の一覧です" }
    LANGUAGE_CHOSEN { "Replies are in English now", "応答を日本語にしました" }
    LANGUAGE_UNKNOWN { "No such language here: LANG lists them", "その言語はありません。LANG で一覧を表示します" }
    NOT_SUPPORTED { "Not supported", "この機能はありません" }
    BYE { "Bye", "終了します" }

    // Bad commands.
    UNKNOWN { "Unknown command", "不明なコマンドです" }
    TOO_LONG { "Line too long", "行が長すぎます" }
    ARGUMENT_MISSING { "An argument is missing", "引数が足りません" }
    ARGUMENT_UNWANTED { "Too many arguments", "引数が多すぎます" }
    NOT_A_NUMBER { "A message number consists of digits", "メッセージ番号は数字で指定してください" }
    MALFORMED { "An argument is malformed", "引数の形式が正しくありません" }
    TOO_MANY_ERRORS { "Too many errors, closing the connection", "エラーが多すぎるため接続を切ります" }

    // Before the login.
    LOG_IN_FIRST { "Log in first", "先にログインしてください" }
    SEND_PASSWORD { "Send the password", "パスワードを送ってください" }
    SEND_USER_FIRST { "Send USER first", "先に USER を送ってください" }
    MECHANISMS { "Mechanisms follow", "認証方式の一覧です" }
    MECHANISM_UNKNOWN { "Mechanism not supported", "その認証方式はありません" }
    CANCELLED { "Authentication cancelled", "認証を取り消しました" }
    RESPONSE_TOO_LONG { "Response too long", "応答が長すぎます" }
    RESPONSE_NOT_BASE64 { "The response is not valid base64", "応答が base64 ではありません" }
    RESPONSE_MALFORMED { "The response is malformed", "応答の形式が正しくありません" }
    CLEARTEXT_STARTTLS {
        "Login without encryption is refused: switch on STARTTLS or SSL/TLS for incoming mail",
        "暗号化なしのログインはできません。受信メールの設定で STARTTLS または SSL/TLS を有効にしてください"
    }
    CLEARTEXT_TLS {
        "Login without encryption is refused: switch on SSL/TLS for incoming mail",
        "暗号化なしのログインはできません。受信メールの設定で SSL/TLS を有効にしてください"
    }
    BEGIN_TLS { "Begin TLS", "TLS を始めてください" }
    TLS_ACTIVE { "TLS is active already", "TLS は既に有効です" }
    TLS_NOT_OFFERED { "TLS is not offered here", "ここでは TLS を使えません" }
    TLS_AFTER_UTF8 { "STLS belongs before UTF8", "STLS は UTF8 より前に送ってください" }
    TLS_UNAVAILABLE { "TLS is unavailable now", "TLS は現在利用できません" }
    UTF8_MODE { "UTF-8 mode", "UTF-8 モードにしました" }
    CLIENT_TAKEN { "Updated", "更新しました" }
    CLIENT_NOT_TAKEN { "Not believed", "受け付けられません" }

    // Refused logins.
    LOGIN_FAILED {
        "Login failed: check the user name and the password",
        "ログインできません。ユーザー名とパスワードを確認してください"
    }
    MUST_CHANGE {
        "The password has to be changed before mail can be fetched",
        "メールを受信する前にパスワードを変更してください"
    }
    MAILDROP_IN_USE {
        "The mailbox is locked by another session: wait and try again",
        "別の接続がメールボックスを使用中です (locked)。しばらく待ってから再試行してください"
    }
    MAILDROP_UNAVAILABLE {
        "The mailbox service is unavailable: try again later",
        "メールボックスは現在利用できません (service unavailable)。後で再試行してください"
    }
    LOGIN_BUSY {
        "The login service is unavailable: try again in a minute",
        "ログインは現在利用できません (service unavailable)。1 分後に再試行してください"
    }
    TOO_SOON { "The last login was a moment ago: wait seconds: ", "前回のログインから間もないため待ってください (wait)。秒数: " }
    TOO_MANY_SESSIONS {
        "The account has too many sessions: wait and try again",
        "このアカウントの接続が多すぎます (wait)。しばらく待ってから再試行してください"
    }

    // After the login.
    NOT_AFTER_LOGIN { "Not after the login", "ログイン後には使えません" }
    MESSAGES { " messages (", " 通 (" }
    OCTETS_END { " octets)", " オクテット)" }
    OCTETS { " octets", " オクテット" }
    TOP_FOLLOWS { "Top of the message follows", "メッセージの先頭部分です" }
    NO_SUCH_MESSAGE { "No such message", "そのメッセージはありません" }
    MESSAGE_DELETED { "That message is deleted", "そのメッセージは削除済みです" }
    MESSAGE_UNREADABLE { "The message cannot be read now", "メッセージを現在読み出せません" }
    MESSAGE_GONE { "The message has been removed meanwhile", "メッセージは既に取り除かれています" }
    MESSAGE_NEEDS_UTF8 { "The message needs UTF-8 mode: send UTF8 first", "このメッセージには UTF-8 モードが必要です。先に UTF8 を送ってください" }
    DELETED { "Deleted when you quit", "終了時に削除します" }
    STILL_HERE { "Still here", "接続中です" }
    NOT_REMOVED { "some deleted messages not removed", "削除できなかったメッセージがあります" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    /// RFC 1939 section 3: 512 octets with the line end; status, code and a figure are in front.
    #[test]
    fn every_text_fits_a_reply() {
        for (name, text) in ALL {
            for language in Language::ALL {
                let said = language.say(*text);
                assert!(!said.is_empty() && said.len() <= 512 - 64, "{name}: {said}");
                assert!(!said.contains(['\r', '\n', '\0']), "{name}: {said}");
                // An opening bracket would make a response code of it (RFC 2449 section 6.4).
                assert!(!said.starts_with('['), "{name}: {said}");
            }
            assert!(text.english.is_ascii(), "{name}");
            assert_ne!(text.english, text.japanese, "{name}");
        }
    }

    /// As fetchmail decides: `pop3_ok` in its `pop3.c`.
    fn fetchmail_tries_again(said: &str) -> bool {
        let has = |word: &str| said.contains(word);
        has("lock")
            || has("Lock")
            || has("LOCK")
            || has("wait")
            || ((has("service") || has("Service")) && has("unavailable"))
    }

    #[test]
    fn fetchmail_tries_again_when_it_should() {
        let passing =
            [MAILDROP_IN_USE, MAILDROP_UNAVAILABLE, LOGIN_BUSY, TOO_SOON, TOO_MANY_SESSIONS];
        for (name, text) in ALL {
            for language in Language::ALL {
                let said = language.say(*text);
                assert_eq!(fetchmail_tries_again(said), passing.contains(text), "{name}: {said}");
            }
        }
    }
}
