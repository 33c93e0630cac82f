//! What goes over the socket: frames with a length of two octets, big-endian.
//!
//! A login: version, kind 1, id (8), milliseconds since 1970 (8), flags, service, address as
//! IPv6 (16), account. An acknowledgement: version, kind 2, id (8). A question whether the
//! other side answers: version, kind 3, id (8).

use std::net::{IpAddr, Ipv6Addr};

use address::AccountKey;
use auth::{Channel, Service};
use jiff::Timestamp;

const VERSION: u8 = 1;
const LOGIN: u8 = 1;
const ACKNOWLEDGEMENT: u8 = 2;
const PING: u8 = 3;
const GENUINE: u8 = 1;
const TLS: u8 = 2;
const LOGIN_FIXED: usize = 2 + 8 + 8 + 1 + 1 + 16;

/// Octets of the longest frame, its length included.
pub(super) const FRAME_MAX: usize = 2 + LOGIN_FIXED + AccountKey::LENGTH_MAX;

/// A login that another process saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteLogin {
    pub(super) id: u64,
    pub(super) at: Timestamp,
    pub(super) client: IpAddr,
    pub(super) channel: Channel,
    pub(super) account: AccountKey,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Login(RemoteLogin),
    /// Of the login or ping with this id.
    Acknowledgement(u64),
    /// To be acknowledged, nothing else.
    Ping(u64),
}

/// What came is not of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Frame {
    /// Appends the frame as it goes over the socket.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0, 0, VERSION]);
        match self {
            Self::Acknowledgement(id) => {
                out.push(ACKNOWLEDGEMENT);
                out.extend(id.to_be_bytes());
            }
            Self::Ping(id) => {
                out.push(PING);
                out.extend(id.to_be_bytes());
            }
            Self::Login(login) => {
                out.push(LOGIN);
                out.extend(login.id.to_be_bytes());
                out.extend(login.at.as_millisecond().to_be_bytes());
                let flag = |set, flag| if set { flag } else { 0 };
                let channel = &login.channel;
                out.push(flag(channel.genuine_address, GENUINE) | flag(channel.tls, TLS));
                out.push(match channel.service {
                    Service::Pop3 => 0,
                    Service::Submission => 1,
                });
                let address = match login.client {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                    IpAddr::V6(v6) => v6,
                };
                out.extend(address.octets());
                out.extend(login.account.as_str().as_bytes());
            }
        }
        let length = (out.len() - start - 2) as u16;
        out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }

    /// Takes a frame off the front of `input`; `None` if it is not complete yet.
    ///
    /// # Errors
    /// If it can't become one; the connection is of no further use then.
    pub(super) fn take(input: &mut Vec<u8>) -> Result<Option<Self>, Malformed> {
        let Some((length, rest)) = input.split_first_chunk::<2>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if length + 2 > FRAME_MAX {
            return Err(Malformed);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = Self::parse(body).ok_or(Malformed)?;
        input.drain(..length + 2);
        Ok(Some(frame))
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let ([version, kind], body) = body.split_first_chunk()?;
        let (id, body) = body.split_first_chunk()?;
        let id = u64::from_be_bytes(*id);
        match (*version, *kind) {
            (VERSION, ACKNOWLEDGEMENT) if body.is_empty() => Some(Self::Acknowledgement(id)),
            (VERSION, PING) if body.is_empty() => Some(Self::Ping(id)),
            (VERSION, LOGIN) => Self::parse_login(id, body).map(Self::Login),
            _ => None,
        }
    }

    fn parse_login(id: u64, body: &[u8]) -> Option<RemoteLogin> {
        let (milliseconds, body) = body.split_first_chunk()?;
        let ([flags, service], body) = body.split_first_chunk()?;
        let (address, account) = body.split_first_chunk::<16>()?;
        let service = match service {
            0 => Service::Pop3,
            1 => Service::Submission,
            _ => return None,
        };
        let channel =
            Channel { service, tls: flags & TLS != 0, genuine_address: flags & GENUINE != 0 };
        Some(RemoteLogin {
            id,
            at: Timestamp::from_millisecond(i64::from_be_bytes(*milliseconds)).ok()?,
            client: IpAddr::V6(Ipv6Addr::from(*address)).to_canonical(),
            channel,
            account: AccountKey::parse(std::str::from_utf8(account).ok()?, None).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn login(account: &str, client: &str) -> Frame {
        Frame::Login(RemoteLogin {
            id: 7,
            at: "2027-03-10T12:00:00.123Z".parse().unwrap(),
            client: client.parse().unwrap(),
            channel: Channel { service: Service::Pop3, tls: true, genuine_address: true },
            account: AccountKey::parse(account, None).unwrap(),
        })
    }

    #[test]
    fn what_is_written_is_read_in_any_pieces() {
        let longest = format!("{}@x.example", "a".repeat(AccountKey::LENGTH_MAX - 10));
        let frames = [
            login("alice@x.example", "192.0.2.1"),
            Frame::Acknowledgement(u64::MAX),
            Frame::Ping(0),
            login(&longest, "2001:db8::1"),
        ];
        let mut wire = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut wire));
        for step in [1, 2, 7, wire.len()] {
            let (mut input, mut read) = (Vec::new(), Vec::new());
            for piece in wire.chunks(step) {
                input.extend(piece);
                while let Some(frame) = Frame::take(&mut input).unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, frames);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn nonsense_is_malformed_at_once() {
        let take = |octets: &[u8]| Frame::take(&mut octets.to_vec());
        assert_eq!(take(b""), Ok(None));
        assert_eq!(take(&[0]), Ok(None));
        assert_eq!(take(&[0xFF, 0xFF]), Err(Malformed), "oversized, before it is read");
        assert_eq!(take(&[0, 0]), Err(Malformed), "empty");
        assert_eq!(take(b"GET / HTTP/1.1\r\n\r\n"), Err(Malformed));
        let mut acknowledgement = Vec::new();
        Frame::Acknowledgement(1).write(&mut acknowledgement);
        acknowledgement[2] = 2;
        assert_eq!(take(&acknowledgement), Err(Malformed), "another version");
        let mut bad_name = Vec::new();
        login("alice@x.example", "192.0.2.1").write(&mut bad_name);
        let last = bad_name.len() - 1;
        bad_name[last] = b'/';
        assert_eq!(take(&bad_name), Err(Malformed), "a name that is nobody's");
    }

    proptest! {
        #[test]
        fn any_octets_are_taken_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut input = octets;
            while let Ok(Some(_)) = Frame::take(&mut input) {}
        }
    }
}
