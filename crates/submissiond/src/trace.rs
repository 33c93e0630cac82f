//! What is added to a message: `Received`, `Date`, `Message-ID`.

use std::fmt::Write as _;
use std::net::IpAddr;

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

/// How the message came (RFC 3848).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carriage {
    pub(crate) extended: bool,
    pub(crate) tls: bool,
    pub(crate) authenticated: bool,
}

impl Carriage {
    /// The `with` keyword. After HELO there is neither TLS nor AUTH to tell of.
    pub(crate) const fn keyword(self) -> &'static str {
        match (self.extended, self.tls, self.authenticated) {
            (false, _, _) => "SMTP",
            (true, false, false) => "ESMTP",
            (true, true, false) => "ESMTPS",
            (true, false, true) => "ESMTPA",
            (true, true, true) => "ESMTPSA",
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
}

impl Trace<'_> {
    /// The whole `Received` field (RFC 5321 section 4.4).
    pub(crate) fn received(&self) -> String {
        format!(
            "Received: from {} ({})\r\n\tby {} with {} id {};\r\n\t{}\r\n",
            shown(self.helo),
            literal(self.client),
            self.host,
            self.carriage.keyword(),
            self.token,
            self.date(),
        )
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

    fn trace(helo: &str, client: &str) -> String {
        let carriage = Carriage { extended: true, tls: true, authenticated: true };
        let at = "2026-11-24T14:22:35Z".parse().unwrap();
        let client = client.parse().unwrap();
        let token = Token::fixed([0; 16]);
        Trace { host: "mail.example.net", helo, client, carriage, token, at }.received()
    }

    #[test]
    fn received_tells_who_and_when() {
        assert_eq!(
            trace("[192.0.2.7]", "192.0.2.7"),
            "Received: from [192.0.2.7] ([192.0.2.7])\r\n\tby mail.example.net with ESMTPSA id \
             aaaaaaaaaaaaaaaaaaaaaaaaaa;\r\n\tTue, 24 Nov 2026 14:22:35 +0000\r\n"
        );
        assert!(trace("a", "2001:db8::1").contains("([IPv6:2001:db8::1])"));
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
        let keyword =
            |extended, tls, authenticated| Carriage { extended, tls, authenticated }.keyword();
        assert_eq!(keyword(false, true, true), "SMTP");
        assert_eq!(keyword(true, false, false), "ESMTP");
        assert_eq!(keyword(true, true, false), "ESMTPS");
        assert_eq!(keyword(true, false, true), "ESMTPA");
    }

    #[test]
    fn tokens_differ() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.to_string().len(), 26);
        assert_eq!(Token::fixed([255; 16]).to_string(), "h".to_owned() + &"7".repeat(25));
    }
}
