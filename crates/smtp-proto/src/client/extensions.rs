//! What the next hop announced in its reply to EHLO (RFC 5321 section 4.1.1.1).

use super::Received;

/// What the next hop says of message sizes (RFC 1870).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SizeLimit {
    /// It did not announce SIZE.
    #[default]
    Unannounced,
    /// It takes the parameter, and names no limit.
    Unlimited,
    /// At most this many octets.
    Octets(u64),
}

/// The extensions this client makes use of; all are off after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// RFC 2920: commands may be sent in groups.
    pub pipelining: bool,
    /// RFC 1870.
    pub size: SizeLimit,
    /// RFC 6152: the body may hold octets above 127.
    pub eight_bit_mime: bool,
    /// RFC 6531: addresses and header may hold UTF-8.
    pub smtp_utf8: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 4954 with RFC 4616.
    pub auth_plain: bool,
    /// RFC 4954 with the undocumented but common mechanism LOGIN.
    pub auth_login: bool,
}

impl Extensions {
    /// Reads the lines of a reply to EHLO; the first one is the greeting.
    #[must_use]
    pub fn parse(reply: Received<'_>) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines().skip(1) {
            extensions.read_line(line);
        }
        extensions
    }

    fn read_line(&mut self, line: &[u8]) {
        // `AUTH=LOGIN PLAIN` is how servers of the nineties wrote it.
        let mut words = line.split(|&o| o == b' ' || o == b'=').filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { return };
        if keyword.eq_ignore_ascii_case(b"SIZE") {
            self.size = size_limit(words.next());
        } else if keyword.eq_ignore_ascii_case(b"AUTH") {
            for mechanism in words {
                self.auth_plain |= mechanism.eq_ignore_ascii_case(b"PLAIN");
                self.auth_login |= mechanism.eq_ignore_ascii_case(b"LOGIN");
            }
        } else if let Some(flag) = self.flag(keyword) {
            *flag = true;
        }
    }

    fn flag(&mut self, keyword: &[u8]) -> Option<&mut bool> {
        let is = |name: &[u8]| keyword.eq_ignore_ascii_case(name);
        Some(match () {
            () if is(b"PIPELINING") => &mut self.pipelining,
            () if is(b"8BITMIME") => &mut self.eight_bit_mime,
            () if is(b"SMTPUTF8") => &mut self.smtp_utf8,
            () if is(b"STARTTLS") => &mut self.starttls,
            () if is(b"ENHANCEDSTATUSCODES") => &mut self.enhanced_status_codes,
            () => return None,
        })
    }
}

/// RFC 1870 section 4: no number or zero is no fixed limit. A number that does not fit is as
/// good as none.
fn size_limit(argument: Option<&[u8]>) -> SizeLimit {
    let number = argument
        .and_then(|digits| core::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse::<u64>().ok());
    match number {
        None | Some(0) => SizeLimit::Unlimited,
        Some(octets) => SizeLimit::Octets(octets),
    }
}
