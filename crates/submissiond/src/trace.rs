//! What is added to a message: `Received`, `Date`, `Message-ID`.

use std::fmt::Write as _;
use std::net::IpAddr;

use address::{Mailbox, ReversePath};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// Names one transaction, in `Received`, in a `Message-ID` of ours and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token([u8; 16]);

impl Token {
    /// A token of its own; `None` if the system has no randomness.
    pub(crate) fn random() -> Option<Self> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).ok()?;
        Some(Self(octets))
    }

    #[cfg(test)]
    pub(crate) const fn fixed(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

impl std::fmt::Display for Token {
    /// 26 characters: lower-case letters and digits, five bits each.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let number = u128::from_be_bytes(self.0);
        for place in (0..26).rev() {
            let digit = (number >> (place * 5)) & 31;
            f.write_char(char::from(ALPHABET[digit as usize]))?;
        }
        Ok(())
    }
}

/// How the message came (RFC 3848, RFC 6531 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carriage {
    pub(crate) extended: bool,
    /// Whether `MAIL` said `SMTPUTF8`.
    pub(crate) smtputf8: bool,
    /// TLS version and cipher suite, by their registered names.
    pub(crate) tls: Option<(&'static str, &'static str)>,
    pub(crate) authenticated: bool,
}

impl Carriage {
    /// The `with` keyword. After HELO there is neither TLS nor AUTH to tell of.
    pub(crate) const fn keyword(self) -> &'static str {
        if !self.extended {
            return "SMTP";
        }
        match (self.smtputf8, self.tls.is_some(), self.authenticated) {
            (false, false, false) => "ESMTP",
            (false, true, false) => "ESMTPS",
            (false, false, true) => "ESMTPA",
            (false, true, true) => "ESMTPSA",
            (true, false, false) => "UTF8SMTP",
            (true, true, false) => "UTF8SMTPS",
            (true, false, true) => "UTF8SMTPA",
            (true, true, true) => "UTF8SMTPSA",
        }
    }
}

/// One message's marks.
#[derive(Clone, Debug)]
pub(crate) struct Trace<'a> {
    /// Our own name.
    pub(crate) host: &'a str,
    /// What the client called itself.
    pub(crate) helo: &'a str,
    pub(crate) client: IpAddr,
    pub(crate) carriage: Carriage,
    pub(crate) token: Token,
    pub(crate) at: Timestamp,
    /// The envelope's sender.
    pub(crate) sender: &'a ReversePath,
    /// The recipient, if there is only one: several would learn of each other.
    pub(crate) recipient: Option<&'a Mailbox>,
}

/// What `Received` says of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its name for itself and its address.
    Shown,
    /// Nothing.
    Hidden,
    /// This in a comment.
    Token(String),
}

impl Trace<'_> {
    /// The whole `Received` field (RFC 5321 section 4.4; the `tls` clause is RFC 8314 section
    /// 4.3).
    pub(crate) fn received(&self, origin: &Origin) -> String {
        let mut field = String::with_capacity(256);
        field.push_str("Received: ");
        match origin {
            Origin::Shown => {
                let _ = write!(field, "from {} ({})\r\n\t", shown(self.helo), literal(self.client));
            }
            Origin::Hidden => {}
            Origin::Token(token) => {
                let _ = write!(field, "(client {token})\r\n\t");
            }
        }
        let (with, id) = (self.carriage.keyword(), self.token);
        let _ = write!(field, "by {} with {with} id {id}", self.host);
        // An address in UTF-8 would keep the message from hosts that take it but for this field.
        if let Some(recipient) = self.recipient.filter(|recipient| recipient.is_ascii()) {
            let _ = write!(field, "\r\n\tfor <{recipient}>");
        }
        if let Some((version, cipher)) = self.carriage.tls.filter(|_| self.carriage.extended) {
            let _ = write!(field, "\r\n\ttls {cipher} ({version})");
        }
        let _ = write!(field, ";\r\n\t{}\r\n", self.date());
        field
    }

    /// The instant as RFC 5322 section 3.3 writes it, in UTC.
    pub(crate) fn date(&self) -> String {
        let utc = self.at.to_zoned_datetime(TimeZone::UTC);
        // It fails before the year 0 and after 9999 alone, where no clock stands.
        rfc2822::to_string(&utc).unwrap_or_default()
    }

    /// A `Message-ID` that nobody else has.
    pub(crate) fn message_id(&self) -> String {
        format!("<{}@{}>", self.token, self.host)
    }
}

/// The client's name for itself, with nothing in it that means something in `Received`.
fn shown(helo: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let name: String = helo.chars().take(255).map(|c| if allowed(c) { c } else { '?' }).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS13: (&str, &str) = ("TLSv1.3", "TLS_AES_256_GCM_SHA384");

    fn received(helo: &str, client: &str, recipient: Option<&str>, origin: &Origin) -> String {
        let carriage =
            Carriage { extended: true, smtputf8: false, tls: Some(TLS13), authenticated: true };
        let recipient = recipient.map(|address| Mailbox::parse(address).unwrap());
        let trace = Trace {
            host: "mail.example.net",
            helo,
            client: client.parse().unwrap(),
            carriage,
            token: Token::fixed([0; 16]),
            at: "2026-11-24T14:22:35Z".parse().unwrap(),
            sender: &ReversePath::Null,
            recipient: recipient.as_ref(),
        };
        trace.received(origin)
    }

    fn trace(helo: &str, client: &str) -> String {
        received(helo, client, None, &Origin::Shown)
    }

    #[test]
    fn received_tells_who_and_when() {
        assert_eq!(
            trace("[192.0.2.7]", "192.0.2.7"),
            "Received: from [192.0.2.7] ([192.0.2.7])\r\n\tby mail.example.net with ESMTPSA id \
             aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);\r\n\t\
             Tue, 24 Nov 2026 14:22:35 +0000\r\n"
        );
        assert!(trace("a", "2001:db8::1").contains("([IPv6:2001:db8::1])"));
    }

    #[test]
    fn a_lone_recipient_is_named_and_a_client_is_hidden() {
        let field = received("pc", "192.0.2.7", Some("\"a b\"@example.org"), &Origin::Hidden);
        assert!(field.starts_with("Received: by mail.example.net with ESMTPSA id aaaa"), "{field}");
        assert!(field.contains("\r\n\tfor <\"a b\"@example.org>\r\n\ttls "), "{field}");
        assert!(!field.contains("192.0.2.7") && !field.contains("pc"));
        let field = received("pc", "192.0.2.7", None, &Origin::Token("abc".to_owned()));
        assert!(field.starts_with("Received: (client abc)\r\n\tby mail.example.net with"));
        assert!(!field.contains("192.0.2.7") && !field.contains("for "));
    }

    #[test]
    fn a_header_stays_ascii_whoever_gets_the_message() {
        for address in ["x@b\u{fc}cher.example", "j\u{fc}rgen@example.org"] {
            let field = received("pc", "192.0.2.7", Some(address), &Origin::Shown);
            assert!(field.is_ascii() && !field.contains("for "), "{field}");
        }
    }

    #[test]
    fn a_name_cannot_forge_the_rest_of_the_field() {
        let forged = trace("x ([198.51.100.1])\r\n\tby bank.example; now", "192.0.2.7");
        assert!(forged.starts_with(
            "Received: from x??[198.51.100.1]????by?bank.example??now ([192.0.2.7])\r\n"
        ));
        assert!(trace("", "192.0.2.7").starts_with("Received: from unknown ("));
        assert!(trace(&"x".repeat(5000), "192.0.2.7").len() < 600);
    }

    #[test]
    fn the_keyword_tells_how() {
        let keyword = |extended, smtputf8, tls: bool, authenticated| {
            let tls = tls.then_some(TLS13);
            Carriage { extended, smtputf8, tls, authenticated }.keyword()
        };
        assert_eq!(keyword(false, true, true, true), "SMTP");
        assert_eq!(keyword(true, false, false, false), "ESMTP");
        assert_eq!(keyword(true, false, true, false), "ESMTPS");
        assert_eq!(keyword(true, false, false, true), "ESMTPA");
        assert_eq!(keyword(true, false, true, true), "ESMTPSA");
        assert_eq!(keyword(true, true, false, false), "UTF8SMTP");
        assert_eq!(keyword(true, true, true, false), "UTF8SMTPS");
        assert_eq!(keyword(true, true, false, true), "UTF8SMTPA");
        assert_eq!(keyword(true, true, true, true), "UTF8SMTPSA");
    }

    #[test]
    fn tokens_differ() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.to_string().len(), 26);
        assert_eq!(Token::fixed([255; 16]).to_string(), "h".to_owned() + &"7".repeat(25));
    }
}
