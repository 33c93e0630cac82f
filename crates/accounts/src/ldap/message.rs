//! The messages of LDAP that a mail server needs (RFC 4511): bind, search, unbind, StartTLS, and
//! the control that pages a search (RFC 2696).

use zeroize::Zeroizing;

use super::ber::{BOOLEAN, BerError, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, SET, Writer};

const BIND: u8 = 0x60;
const BIND_ANSWER: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED: u8 = 0x77;
const EXTENDED_ANSWER: u8 = 0x78;
const INTERMEDIATE: u8 = 0x79;
const CONTROLS: u8 = 0xa0;

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const PAGED_RESULTS: &[u8] = b"1.2.840.113556.1.4.319";

/// Most values that one entry may have, over all its attributes.
const VALUES_MAX: usize = 1000;

/// What a server's answer says of the request (RFC 4511 section 4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: u32,
    /// For the log. It may hold anything.
    pub(super) diagnostic: String,
}

impl Outcome {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(super) const UNAVAILABLE_CRITICAL_EXTENSION: u32 = 12;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;

    /// Whether it says that this server cannot answer at the moment, while another might: busy
    /// and unavailable.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self.code, 51 | 52)
    }

    /// The code with its name.
    pub(super) fn describe(&self) -> String {
        let name = match self.code {
            0 => "success",
            1 => "operationsError",
            2 => "protocolError",
            3 => "timeLimitExceeded",
            4 => "sizeLimitExceeded",
            7 => "authMethodNotSupported",
            8 => "strongerAuthRequired",
            10 => "referral, which is not followed",
            11 => "adminLimitExceeded",
            12 => "unavailableCriticalExtension",
            13 => "confidentialityRequired",
            18 => "inappropriateMatching",
            19 => "constraintViolation",
            32 => "noSuchObject",
            34 => "invalidDNSyntax",
            48 => "inappropriateAuthentication",
            49 => "invalidCredentials",
            50 => "insufficientAccessRights",
            51 => "busy",
            52 => "unavailable",
            53 => "unwillingToPerform",
            80 => "other",
            _ => "unnamed",
        };
        let shown: String = self
            .diagnostic
            .chars()
            .take(120)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let gap = if shown.is_empty() { "" } else { ": " };
        format!("result {} ({name}){gap}{shown}", self.code)
    }

    fn read(mut parts: Reader<'_>) -> Result<Self, BerError> {
        let code = parts.number(ENUMERATED)?;
        parts.take(OCTETS)?;
        let diagnostic = String::from_utf8_lossy(parts.take(OCTETS)?).into_owned();
        Ok(Self { code, diagnostic })
    }
}

/// An entry that was found. Values are wiped when it is dropped: one may be a hash.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    attributes: Vec<(String, Vec<Zeroizing<Vec<u8>>>)>,
}

impl Entry {
    /// The values of an attribute, whatever case its name is in; none if it has none.
    pub(super) fn values(&self, name: &str) -> &[Zeroizing<Vec<u8>>] {
        let found = self.attributes.iter().find(|(other, _)| {
            // A server may add options to the name that was asked for (RFC 4512 section 2.5.2).
            let base = other.split(';').next().unwrap_or(other);
            other.eq_ignore_ascii_case(name) || base.eq_ignore_ascii_case(name)
        });
        found.map_or(&[], |(_, values)| values)
    }

    fn read(mut parts: Reader<'_>) -> Result<Self, BerError> {
        let dn = parts.text()?.to_owned();
        let mut list = parts.within(SEQUENCE)?;
        let (mut attributes, mut count) = (Vec::new(), 0);
        while !list.is_empty() {
            let mut attribute = list.within(SEQUENCE)?;
            let name = attribute.text()?.to_owned();
            let mut set = attribute.within(SET)?;
            let mut values = Vec::new();
            while !set.is_empty() {
                values.push(Zeroizing::new(set.take(OCTETS)?.to_vec()));
            }
            count += 1 + values.len();
            if count > VALUES_MAX {
                return Err(BerError::TooLong { limit: VALUES_MAX });
            }
            attributes.push((name, values));
        }
        Ok(Self { dn, attributes })
    }
}

/// A message from the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The answer to a bind.
    Bound(Outcome),
    Entry(Entry),
    /// Other servers may know more; they are not asked.
    Reference,
    /// The end of a search, with the cookie of the next page; an empty one after the last.
    Done {
        outcome: Outcome,
        cookie: Option<Vec<u8>>,
    },
    /// The answer to StartTLS.
    Extended(Outcome),
    /// Something in between that nobody asked for.
    Intermediate,
    /// The server says of its own accord that it will close (RFC 4511 section 4.4.1).
    Notice,
}

/// Reads a message: the number of its request, and what it is.
pub(super) fn read(octets: &[u8]) -> Result<(u32, Message), BerError> {
    let mut parts = Reader::new(octets).within(SEQUENCE)?;
    let id = parts.number(INTEGER)?;
    if id == 0 {
        // Not looked into: some servers write it otherwise than the standard has it.
        return Ok((0, Message::Notice));
    }
    let (tag, content) = parts.next()?;
    let inner = Reader::new(content);
    let message = match tag {
        BIND_ANSWER => Message::Bound(Outcome::read(inner)?),
        SEARCH_ENTRY => Message::Entry(Entry::read(inner)?),
        SEARCH_REFERENCE => Message::Reference,
        SEARCH_DONE => Message::Done { outcome: Outcome::read(inner)?, cookie: cookie(parts)? },
        EXTENDED_ANSWER => Message::Extended(Outcome::read(inner)?),
        INTERMEDIATE => Message::Intermediate,
        found => return Err(BerError::Unexpected { found, expected: SEARCH_DONE }),
    };
    Ok((id, message))
}

/// The cookie among the controls behind a message, if there is one.
fn cookie(mut parts: Reader<'_>) -> Result<Option<Vec<u8>>, BerError> {
    let Some(content) = parts.take_if(CONTROLS)? else { return Ok(None) };
    let mut controls = Reader::new(content);
    while !controls.is_empty() {
        let mut control = controls.within(SEQUENCE)?;
        if control.take(OCTETS)? != PAGED_RESULTS {
            continue;
        }
        control.take_if(BOOLEAN)?;
        let mut value = Reader::new(control.take(OCTETS)?).within(SEQUENCE)?;
        value.take(INTEGER)?;
        return Ok(Some(value.take(OCTETS)?.to_vec()));
    }
    Ok(None)
}

/// Where below its base a search looks (RFC 4511 section 4.5.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// At the entry of that name alone.
    Base,
    /// At the entries right below it.
    One,
    /// At it and all below it.
    #[default]
    Sub,
}

/// What is searched for.
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    /// The most entries that the server should send; 0: as many as it likes.
    pub(super) size_limit: u32,
    /// The most seconds that it should take.
    pub(super) time_limit: u32,
    /// The filter as it goes over the wire.
    pub(super) filter: &'a [u8],
    pub(super) attributes: &'a [String],
    /// The size of a page, and the cookie of the page before.
    pub(super) page: Option<(u32, &'a [u8])>,
}

fn message(id: u32, parts: impl FnOnce(&mut Writer)) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::new();
    writer.put_all(SEQUENCE, |w| {
        w.put_number(INTEGER, id);
        parts(w);
    });
    writer.finish()
}

/// A simple bind (RFC 4511 section 4.2). The caller sees to it that neither name nor password
/// is empty: a server takes that for an anonymous bind and says that it succeeded (RFC 4513
/// section 5.1.2).
pub(super) fn bind(id: u32, dn: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
    message(id, |w| {
        w.put_all(BIND, |w| {
            w.put_number(INTEGER, 3);
            w.put(OCTETS, dn.as_bytes());
            w.put(0x80, password);
        });
    })
}

pub(super) fn unbind(id: u32) -> Zeroizing<Vec<u8>> {
    message(id, |w| w.put(UNBIND, &[]))
}

pub(super) fn start_tls(id: u32) -> Zeroizing<Vec<u8>> {
    message(id, |w| w.put_all(EXTENDED, |w| w.put(0x80, START_TLS)))
}

pub(super) fn search(id: u32, search: &Search<'_>) -> Zeroizing<Vec<u8>> {
    message(id, |w| {
        w.put_all(SEARCH, |w| {
            w.put(OCTETS, search.base.as_bytes());
            w.put_number(
                ENUMERATED,
                match search.scope {
                    Scope::Base => 0,
                    Scope::One => 1,
                    Scope::Sub => 2,
                },
            );
            // Aliases of the directory are not followed: they could lead out of the base.
            w.put_number(ENUMERATED, 0);
            w.put_number(INTEGER, search.size_limit);
            w.put_number(INTEGER, search.time_limit);
            w.put_bool(false);
            w.put_raw(search.filter);
            w.put_all(SEQUENCE, |w| {
                search.attributes.iter().for_each(|name| w.put(OCTETS, name.as_bytes()));
            });
        });
        if let Some((size, cookie)) = search.page {
            w.put_all(CONTROLS, |w| {
                w.put_all(SEQUENCE, |w| {
                    w.put(OCTETS, PAGED_RESULTS);
                    w.put_bool(true);
                    let mut value = Writer::new();
                    value.put_all(SEQUENCE, |w| {
                        w.put_number(INTEGER, size);
                        w.put(OCTETS, cookie);
                    });
                    w.put(OCTETS, &value.finish());
                });
            });
        }
    })
}

/// An entry for tests of what is read from one.
#[cfg(test)]
pub(super) fn entry_of(dn: &str, attributes: &[(&str, &[&str])]) -> Entry {
    let values = |values: &[&str]| -> Vec<_> {
        values.iter().map(|value| Zeroizing::new(value.as_bytes().to_vec())).collect()
    };
    let attributes = attributes.iter().map(|(name, list)| ((*name).to_owned(), values(list)));
    Entry { dn: dn.to_owned(), attributes: attributes.collect() }
}

#[cfg(test)]
mod tests;
