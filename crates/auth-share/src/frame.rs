//! An event as octets: of one length, sealed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use auth::{AccountTag, BlockReason, FailureEvent, Happening, ShareKey};
use ipnet::IpNet;
use subtle::ConstantTimeEq;

/// The first octet; another version of this layout would begin with another.
const VERSION: u8 = 1;
/// Octets of the seal: a truncated HMAC-SHA256 (RFC 2104 section 5).
const SEAL: usize = 16;
/// Octets before the seal.
const BODY: usize = 50;
/// Octets of each message.
pub(crate) const FRAME: usize = BODY + SEAL;

/// Who tells: a random number of each process.
pub(crate) type Teller = [u8; 8];

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Something happened.
    Event(FailureEvent),
    /// The teller has just begun and wants to know what holds.
    Greeting,
}

/// It is not a message, or not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The numbers of a message; what a kind does not need is zero.
#[derive(Default)]
struct Fields {
    kind: u8,
    age_ms: u32,
    network: Option<IpNet>,
    account: Option<AccountTag>,
    period_s: u32,
    strikes: u32,
    reason: u8,
}

fn seal(key: &ShareKey, body: &[u8]) -> [u8; SEAL] {
    let digest = key.digest(&[b"event", body]);
    digest.first_chunk().copied().unwrap_or_default()
}

/// The message of `teller`.
pub(crate) fn encode(key: &ShareKey, teller: &Teller, message: &Message) -> [u8; FRAME] {
    let fields = match message {
        Message::Greeting => Fields { kind: 7, ..Fields::default() },
        Message::Event(event) => fields_of(event),
    };
    let (family, address, length) = match fields.network {
        None => (0, [0; 16], 0),
        Some(IpNet::V4(net)) => {
            let mut octets = [0; 16];
            for (to, from) in octets.iter_mut().zip(net.addr().octets()) {
                *to = from;
            }
            (4, octets, net.prefix_len())
        }
        Some(IpNet::V6(net)) => (6, net.addr().octets(), net.prefix_len()),
    };
    let mut frame = Vec::with_capacity(FRAME);
    frame.push(VERSION);
    frame.extend_from_slice(teller);
    frame.push(fields.kind);
    frame.extend_from_slice(&fields.age_ms.to_be_bytes());
    frame.extend_from_slice(&[family, length]);
    frame.extend_from_slice(&address);
    frame.push(u8::from(fields.account.is_some()));
    frame.extend_from_slice(&fields.account.map_or(0, |tag| tag.0).to_be_bytes());
    frame.extend_from_slice(&fields.period_s.to_be_bytes());
    frame.extend_from_slice(&fields.strikes.to_be_bytes());
    frame.push(fields.reason);
    let seal = seal(key, &frame);
    let mut whole = [0; FRAME];
    for (to, from) in whole.iter_mut().zip(frame.iter().chain(&seal)) {
        *to = *from;
    }
    whole
}

fn fields_of(event: &FailureEvent) -> Fields {
    let milliseconds = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
    let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
    let age_ms = milliseconds(event.age);
    let rest = Fields { age_ms, ..Fields::default() };
    match event.happening {
        Happening::Failed { client, account } => {
            Fields { kind: 1, network: client.map(IpNet::from), account, ..rest }
        }
        Happening::Succeeded { client, account } => {
            Fields { kind: 2, network: Some(client.into()), account: Some(account), ..rest }
        }
        Happening::Blocked { network, period, strikes, reason } => {
            let reason = match reason {
                BlockReason::Failures => 1,
                BlockReason::Spraying => 2,
            };
            let period_s = seconds(period);
            Fields { kind: 3, network: Some(network), period_s, strikes, reason, ..rest }
        }
        Happening::Attacked { account, period } => {
            Fields { kind: 4, account: Some(account), period_s: seconds(period), ..rest }
        }
        Happening::NetworkForgiven { network } => {
            Fields { kind: 5, network: Some(network), ..rest }
        }
        Happening::AccountForgiven { account } => {
            Fields { kind: 6, account: Some(account), ..rest }
        }
    }
}

/// Takes the first `N` octets away.
fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Malformed> {
    let (first, others) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = others;
    Ok(first)
}

/// Who tells, and what. Nothing is looked at before the seal is right.
pub(crate) fn decode(key: &ShareKey, octets: &[u8]) -> Result<(Teller, Message), Malformed> {
    let (body, given) = octets.split_at_checked(BODY).ok_or(Malformed)?;
    if given.len() != SEAL || !bool::from(seal(key, body).ct_eq(given)) {
        return Err(Malformed);
    }
    let mut rest = body;
    let [version] = *take(&mut rest)?;
    let teller: Teller = *take(&mut rest)?;
    let [kind] = *take(&mut rest)?;
    let age_ms = u32::from_be_bytes(*take(&mut rest)?);
    let [family, length] = *take(&mut rest)?;
    let address: &[u8; 16] = take(&mut rest)?;
    let [has_account] = *take(&mut rest)?;
    let tag = u64::from_be_bytes(*take(&mut rest)?);
    let period = Duration::from_secs(u32::from_be_bytes(*take(&mut rest)?).into());
    let strikes = u32::from_be_bytes(*take(&mut rest)?);
    let [reason] = *take(&mut rest)?;
    if version != VERSION {
        return Err(Malformed);
    }
    let network = match family {
        0 => None,
        4 => {
            let [a, b, c, d, ..] = *address;
            Some(IpNet::new(Ipv4Addr::new(a, b, c, d).into(), length).map_err(|_| Malformed)?)
        }
        6 => Some(IpNet::new(Ipv6Addr::from(*address).into(), length).map_err(|_| Malformed)?),
        _ => return Err(Malformed),
    };
    let account = (has_account == 1).then_some(AccountTag(tag));
    let client: Option<IpAddr> = network.map(|network| network.addr());
    let happening = match kind {
        1 => Happening::Failed { client, account },
        2 => Happening::Succeeded {
            client: client.ok_or(Malformed)?,
            account: account.ok_or(Malformed)?,
        },
        3 => Happening::Blocked {
            network: network.ok_or(Malformed)?,
            period,
            strikes,
            reason: match reason {
                1 => BlockReason::Failures,
                2 => BlockReason::Spraying,
                _ => return Err(Malformed),
            },
        },
        4 => Happening::Attacked { account: account.ok_or(Malformed)?, period },
        5 => Happening::NetworkForgiven { network: network.ok_or(Malformed)? },
        6 => Happening::AccountForgiven { account: account.ok_or(Malformed)? },
        7 => return Ok((teller, Message::Greeting)),
        _ => return Err(Malformed),
    };
    let age = Duration::from_millis(age_ms.into());
    Ok((teller, Message::Event(FailureEvent { age, happening })))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> ShareKey {
        ShareKey::new(&[3; 32]).unwrap()
    }

    fn all() -> Vec<Message> {
        let account = AccountTag(0x0123_4567_89ab_cdef);
        let client = |text: &str| text.parse::<IpAddr>().unwrap();
        let happenings = [
            Happening::Failed { client: Some(client("192.0.2.1")), account: Some(account) },
            Happening::Failed { client: None, account: Some(account) },
            Happening::Failed { client: Some(client("2001:db8::1")), account: None },
            Happening::Succeeded { client: client("2001:db8:1:2:3::9"), account },
            Happening::Blocked {
                network: "2001:db8:7::/48".parse().unwrap(),
                period: Duration::from_secs(600),
                strikes: 3,
                reason: BlockReason::Spraying,
            },
            Happening::Blocked {
                network: "192.0.2.0/24".parse().unwrap(),
                period: Duration::from_secs(86_400),
                strikes: 9,
                reason: BlockReason::Failures,
            },
            Happening::Attacked { account, period: Duration::from_secs(3600) },
            Happening::NetworkForgiven { network: "10.0.0.0/8".parse().unwrap() },
            Happening::AccountForgiven { account },
        ];
        let age = Duration::from_millis(1234);
        let event = |happening| Message::Event(FailureEvent { age, happening });
        happenings.into_iter().map(event).chain([Message::Greeting]).collect()
    }

    #[test]
    fn every_message_comes_back() {
        for message in all() {
            let frame = encode(&key(), b"teller-1", &message);
            assert_eq!(decode(&key(), &frame), Ok((*b"teller-1", message)));
        }
    }

    #[test]
    fn names_and_keys_are_not_in_it() {
        let account = key().tag("anna@example.net");
        let happening = Happening::AccountForgiven { account };
        let event = FailureEvent { age: Duration::ZERO, happening };
        let frame = encode(&key(), b"teller-1", &Message::Event(event));
        let text = String::from_utf8_lossy(&frame);
        assert!(!text.contains("anna") && !frame.windows(8).any(|octets| octets == [3; 8]));
    }

    #[test]
    fn a_changed_octet_another_length_and_another_key_are_seen() {
        for message in all() {
            let frame = encode(&key(), b"teller-1", &message);
            for place in 0..FRAME {
                let mut changed = frame;
                changed[place] ^= 1;
                assert_eq!(decode(&key(), &changed), Err(Malformed), "octet {place}");
            }
            for length in 0..FRAME {
                assert_eq!(decode(&key(), &frame[..length]), Err(Malformed));
            }
            let longer: Vec<u8> = frame.iter().copied().chain([0]).collect();
            assert_eq!(decode(&key(), &longer), Err(Malformed));
            assert_eq!(decode(&ShareKey::new(&[4; 32]).unwrap(), &frame), Err(Malformed));
        }
    }

    proptest! {
        /// Even sealed nonsense, as of another version, does no harm.
        #[test]
        fn whatever_is_sealed_is_understood_or_refused(body in prop::array::uniform(any::<u8>())) {
            let body: [u8; BODY] = body;
            let mut frame = body.to_vec();
            frame.extend_from_slice(&seal(&key(), &body));
            if let Ok((teller, message)) = decode(&key(), &frame) {
                let again = encode(&key(), &teller, &message);
                prop_assert_eq!(decode(&key(), &again), Ok((teller, message)));
            }
        }

        #[test]
        fn nonsense_is_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&key(), &octets), Err(Malformed));
        }
    }
}
