//! What is asked.

use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::HttpsError;

/// A request: method, fields and body. Its body is overwritten when the last copy goes; what
/// the socket and TLS copied is theirs.
#[derive(Clone)]
pub struct Request {
    pub(crate) is_post: bool,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) repeatable: bool,
}

impl Request {
    /// A `GET`.
    #[must_use]
    pub fn get() -> Self {
        let fields = HeaderMap::new();
        Self { is_post: false, fields, body: Bytes::new(), repeatable: true }
    }

    /// A `POST` of JSON, which wants JSON back.
    #[must_use]
    pub fn post_json(body: Zeroizing<Vec<u8>>) -> Self {
        Self::post("application/json", body)
    }

    /// A `POST` of a form (`application/x-www-form-urlencoded`), which wants JSON back.
    #[must_use]
    pub fn post_form(pairs: &[(&str, &[u8])]) -> Self {
        Self::post("application/x-www-form-urlencoded", form(pairs))
    }

    fn post(kind: &'static str, body: Zeroizing<Vec<u8>>) -> Self {
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        fields.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Self { is_post: true, fields, body: Bytes::from_owner(Wiped(body)), repeatable: false }
    }

    /// The same with a field, in the place of one of that name. The value is treated as a
    /// secret: it is never shown.
    ///
    /// # Errors
    /// If name or value hold what a field cannot.
    pub fn field(mut self, name: &str, value: &[u8]) -> Result<Self, HttpsError> {
        let name = HeaderName::try_from(name).map_err(|_| HttpsError::Request("field name"))?;
        let mut value =
            HeaderValue::from_bytes(value).map_err(|_| HttpsError::Request("field value"))?;
        value.set_sensitive(true);
        self.fields.insert(name, value);
        Ok(self)
    }

    /// The same, for a `POST` that does no harm if it comes twice: it is sent again when a
    /// kept connection breaks before the answer begins (RFC 9110 section 9.2.2).
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_post { "Request(POST ..)" } else { "Request(GET ..)" })
    }
}

/// Octets that are overwritten when the last [`Bytes`] of them goes.
struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// `name=value&…` as forms are encoded (`application/x-www-form-urlencoded`): what is not an
/// unreserved character is escaped.
#[must_use]
pub fn form(pairs: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    // One piece of memory that never moves, for values may be secret.
    let most = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(most));
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        escape(name.as_bytes(), &mut out);
        out.push(b'=');
        escape(value, &mut out);
    }
    out
}

fn escape(octets: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &octet in octets {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(octet),
            b' ' => out.push(b'+'),
            _ => out.extend([b'%', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        let pairs: &[(&str, &[u8])] = &[("token", b"a b&c=d+%\r\n"), ("x", "\u{e9}".as_bytes())];
        assert_eq!(&**form(pairs), b"token=a+b%26c%3Dd%2B%25%0D%0A&x=%C3%A9");
        assert!(form(&[]).is_empty());
    }

    #[test]
    fn fields_cannot_carry_line_ends_and_are_not_shown() {
        let value = b"Bearer secret";
        let request = Request::get().field("Authorization", value).unwrap();
        assert!(!format!("{request:?} {:?}", request.fields).contains("secret"));
        assert!(Request::get().field("X", b"a\r\nY: b").is_err());
        assert!(Request::get().field("X: y", b"a").is_err());
        let body = Zeroizing::new(b"secret".to_vec());
        assert!(!format!("{:?}", Request::post_json(body)).contains("secret"));
    }
}
