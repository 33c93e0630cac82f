//! The stamp in the greeting that `APOP` digests (RFC 1939 section 7).

use std::fmt::Write as _;

use auth::Moment;

/// Random octets in a stamp: a client digests no stamp twice, and nobody can foresee one.
const RANDOM_OCTETS: usize = 16;
/// More of a host's name would make the stamp too long for a greeting; its end says enough.
const HOST_MAX: usize = 192;

/// A new stamp in the form of a message-id: random digits, the time, and the host. `None` if
/// there is no randomness; then the session goes without `APOP`, for a stamp that repeats would
/// let a digest be replayed.
pub(crate) fn stamp(hostname: &str, at: Moment) -> Option<Box<str>> {
    let mut random = [0; RANDOM_OCTETS];
    if let Err(error) = getrandom::fill(&mut random) {
        tracing::error!(target: "lastpost::pop3", %error, "no randomness: a session without APOP");
        return None;
    }
    let host = hostname.get(hostname.len().saturating_sub(HOST_MAX)..).unwrap_or("localhost");
    let mut stamp = String::with_capacity(2 * RANDOM_OCTETS + host.len() + 24);
    // Writing to a String cannot fail.
    stamp.push('<');
    for octet in random {
        let _ = write!(stamp, "{octet:02x}");
    }
    let _ = write!(stamp, ".{}@{host}>", at.wall.as_second());
    Some(stamp.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use auth::{Clock, SystemClock};

    use super::*;

    #[test]
    fn a_long_name_is_cut_to_what_a_greeting_takes() {
        let at = SystemClock::new().now();
        let host = format!("{}.example.net", "x".repeat(240));
        let stamp = stamp(&host, at).unwrap();
        assert!(stamp.len() <= 256 && stamp.ends_with("x.example.net>"), "{stamp}");
    }

    #[test]
    fn a_stamp_is_a_message_id_and_never_comes_twice() {
        let at = SystemClock::new().now();
        let stamps: HashSet<_> = (0..1000).map(|_| stamp("mail.example.net", at)).collect();
        assert_eq!(stamps.len(), 1000, "even within one second");
        for stamp in stamps {
            let stamp = stamp.unwrap();
            let inner = stamp.strip_prefix('<').unwrap().strip_suffix('>').unwrap();
            let (left, host) = inner.split_once('@').unwrap();
            assert_eq!(host, "mail.example.net");
            let (random, seconds) = left.split_once('.').unwrap();
            assert_eq!((random.len(), seconds), (32, at.wall.as_second().to_string().as_str()));
            assert!(random.bytes().all(|octet| octet.is_ascii_hexdigit()));
        }
    }
}
