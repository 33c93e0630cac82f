//! What was answered, read within bounds.

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use crate::HttpsError;

/// Room that is made for a body before any of it has come.
const ROOM_AT_FIRST: usize = 16 * 1024;

/// An answer, whole.
#[derive(Clone)]
pub struct Response {
    status: u16,
    fields: HeaderMap,
    body: Vec<u8>,
}

impl Response {
    /// The status, 100 to 999. Redirections are answers like others.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a field, if it is there and is text; the first one of several.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }

    /// Whether the media type is this one, whatever its parameters.
    #[must_use]
    pub fn is_of_type(&self, kind: &str) -> bool {
        let value = self.field(CONTENT_TYPE.as_str()).unwrap_or_default();
        value.split(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(kind))
    }

    /// The body; at most as long as the client's limit.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, to keep.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Reads the whole of an answer.
    pub(crate) async fn read(
        answer: hyper::Response<Incoming>,
        limit: usize,
    ) -> Result<Self, HttpsError> {
        let (parts, mut incoming) = answer.into_parts();
        let is_plain =
            |value: &hyper::header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !parts.headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
            return Err(HttpsError::Encoding);
        }
        let stated = incoming.size_hint().lower();
        if stated > limit as u64 {
            return Err(HttpsError::TooLong(limit));
        }
        let room = usize::try_from(stated).map_or(0, |stated| stated.min(ROOM_AT_FIRST));
        let mut body = Vec::with_capacity(room);
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| crate::client::broken(&error))?;
            // Trailers say nothing that is asked for.
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > limit.saturating_sub(body.len()) {
                return Err(HttpsError::TooLong(limit));
            }
            body.extend_from_slice(&data);
        }
        Ok(Self { status: parts.status.as_u16(), fields: parts.headers, body })
    }
}

impl std::fmt::Debug for Response {
    /// Without the body, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, body, .. } = self;
        f.debug_struct("Response").field("status", status).field("octets", &body.len()).finish()
    }
}
