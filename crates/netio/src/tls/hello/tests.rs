//! First messages as a real client writes them, whole and in pieces, and what is none.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

use super::*;
use crate::tls::provider;

/// The records in which the TLS library's client says hello.
fn records(versions: &[&'static SupportedProtocolVersion]) -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = "mail.example.jp".try_into().unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut records = Vec::new();
    connection.write_tls(&mut records).unwrap();
    records
}

fn offers(records: &[u8]) -> bool {
    message(records).as_deref().and_then(extensions).is_some_and(offers_extended_master_secret)
}

/// A ClientHello with these extensions, in records of at most so many octets.
fn made(kinds: &[u16], fragment_max: usize) -> Vec<u8> {
    let extensions: Vec<u8> =
        kinds.iter().flat_map(|kind| [&kind.to_be_bytes()[..], &[0, 3], b"abc"].concat()).collect();
    let mut body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2f], &[1, 0]].concat();
    body.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&extensions);
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[CLIENT_HELLO][..], &length[1..], &body].concat();
    let record = |fragment: &[u8]| {
        let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        [&[HANDSHAKE, 3, 1][..], &length, fragment].concat()
    };
    message.chunks(fragment_max).flat_map(record).collect()
}

#[test]
fn a_real_client_offers_it() {
    assert!(offers(&records(&[&version::TLS12])));
    assert!(offers(&records(&[&version::TLS13, &version::TLS12])));
}

#[test]
fn it_is_found_wherever_it_stands_and_however_it_is_cut() {
    for fragment_max in [1, 3, 40, 16_384] {
        assert!(offers(&made(&[23], fragment_max)));
        assert!(offers(&made(&[0, 11, 23, 35], fragment_max)));
        assert!(offers(&made(&[11, 23], fragment_max)));
        assert!(!offers(&made(&[], fragment_max)));
        assert!(!offers(&made(&[0, 11, 35, 0x1700, 22, 24], fragment_max)));
    }
}

#[test]
fn half_a_message_offers_nothing() {
    let whole = made(&[0, 11, 23], 50);
    for length in 0..whole.len() {
        assert!(!offers(&whole[..length]), "{length} octets");
    }
    // What is behind it is not looked at.
    assert!(offers(&[&whole[..], b"\x17\x03\x03\x00\x01x"].concat()));
    // Another message, and records of another kind.
    let mut other = made(&[23], 16_384);
    other[5] = 2;
    assert!(!offers(&other));
    other[5] = CLIENT_HELLO;
    other[0] = 23;
    assert!(!offers(&other));
}

proptest! {
    #[test]
    fn no_octets_are_too_odd(mut octets in vec(any::<u8>(), 0..300), begins in any::<bool>()) {
        if begins {
            octets.splice(0..0, [HANDSHAKE, 3, 1, 0, 200, CLIENT_HELLO, 0, 0, 196]);
        }
        // Whether it is there may be chance; that it ends is not.
        let _ = offers(&octets);
    }

    #[test]
    fn a_message_with_one_octet_changed_is_borne(at in 0_usize..80, octet in any::<u8>()) {
        let mut changed = made(&[0, 11, 23, 35], 30);
        let at = at % changed.len();
        changed[at] = octet;
        let _ = offers(&changed);
    }
}
