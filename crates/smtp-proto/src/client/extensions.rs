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

/// What the next hop takes at most, where it says so (RFC 9422). Each is 1 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `MAILMAX`: transactions on one connection.
    pub mails: Option<u32>,
    /// `RCPTMAX`: recipients in one transaction.
    pub recipients: Option<u32>,
    /// `RCPTDOMAINMAX`: different domains among the recipients of one transaction.
    pub domains: Option<u32>,
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
    /// RFC 3030: the text may be sent by BDAT.
    pub chunking: bool,
    /// RFC 3030: the text may hold any octets. Worth something together with `chunking` alone.
    pub binary_mime: bool,
    /// RFC 6531: addresses and header may hold UTF-8.
    pub smtp_utf8: bool,
    /// RFC 3461: what the sender wants to hear may be passed on.
    pub dsn: bool,
    /// RFC 2852: the least number of seconds that a message with `R` must have left; 0: any.
    pub deliver_by: Option<u32>,
    /// RFC 8689.
    pub require_tls: bool,
    /// RFC 9422.
    pub limits: Limits,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 4954, with whichever mechanisms.
    pub auth: bool,
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
            self.auth = true;
            for mechanism in words {
                self.auth_plain |= mechanism.eq_ignore_ascii_case(b"PLAIN");
                self.auth_login |= mechanism.eq_ignore_ascii_case(b"LOGIN");
            }
        } else if keyword.eq_ignore_ascii_case(b"DELIVERBY") {
            // Further options may stand behind a comma (RFC 2852 section 3).
            let least = words.next().and_then(|word| word.split(|&o| o == b',').next());
            self.deliver_by = Some(least.and_then(number).unwrap_or(0));
        } else if keyword.eq_ignore_ascii_case(b"LIMITS") {
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                self.set_limit(name, value);
            }
        } else if let Some(flag) = self.flag(keyword) {
            *flag = true;
        }
    }

    fn set_limit(&mut self, name: &[u8], value: &[u8]) {
        // A limit of nothing would be no limit but a refusal, and that is said otherwise.
        let value = number(value).filter(|&value| value > 0);
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        match () {
            () if is(b"MAILMAX") => self.limits.mails = value,
            () if is(b"RCPTMAX") => self.limits.recipients = value,
            () if is(b"RCPTDOMAINMAX") => self.limits.domains = value,
            () => {}
        }
    }

    fn flag(&mut self, keyword: &[u8]) -> Option<&mut bool> {
        let is = |name: &[u8]| keyword.eq_ignore_ascii_case(name);
        Some(match () {
            () if is(b"PIPELINING") => &mut self.pipelining,
            () if is(b"8BITMIME") => &mut self.eight_bit_mime,
            () if is(b"CHUNKING") => &mut self.chunking,
            () if is(b"BINARYMIME") => &mut self.binary_mime,
            () if is(b"SMTPUTF8") => &mut self.smtp_utf8,
            () if is(b"DSN") => &mut self.dsn,
            () if is(b"REQUIRETLS") => &mut self.require_tls,
            () if is(b"STARTTLS") => &mut self.starttls,
            () if is(b"ENHANCEDSTATUSCODES") => &mut self.enhanced_status_codes,
            () => return None,
        })
    }
}

fn number<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// RFC 1870 section 4: no number or zero is no fixed limit. A number that does not fit is as
/// good as none.
fn size_limit(argument: Option<&[u8]>) -> SizeLimit {
    match argument.and_then(number::<u64>) {
        None | Some(0) => SizeLimit::Unlimited,
        Some(octets) => SizeLimit::Octets(octets),
    }
}
