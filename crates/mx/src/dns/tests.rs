//! Validation: a root zone of our own, signed with a key that the resolver is told to believe.

use std::net::Ipv4Addr;

use hickory_resolver::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG, SigInput};
use hickory_resolver::proto::dnssec::{Algorithm, SigningKey, TBS};
use hickory_resolver::proto::op::OpCode;
use hickory_resolver::proto::rr::{DNSClass, Record as Rr, SerialNumber, rdata};
use tokio::net::UdpSocket;

use super::*;
use crate::config::{NameServer, Wait};

/// The root zone's key.
struct Root {
    key: Ed25519SigningKey,
    public: DNSKEY,
}

impl Root {
    fn new() -> Self {
        let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
        let key = Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
        let public = DNSKEY::from_key(&key.to_public_key().unwrap());
        Self { key, public }
    }

    fn anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::empty();
        anchors.insert(&self.key.to_public_key().unwrap());
        anchors
    }

    /// The records of one name and type, with their signature.
    fn signed(&self, records: Vec<Rr>) -> Vec<Rr> {
        let first = &records[0];
        let input = SigInput {
            type_covered: first.record_type(),
            algorithm: Algorithm::ED25519,
            num_labels: first.name.num_labels(),
            original_ttl: first.ttl,
            // From 2001 to 2065.
            sig_expiration: SerialNumber::new(3_000_000_000),
            sig_inception: SerialNumber::new(1_000_000_000),
            key_tag: self.public.calculate_key_tag().unwrap(),
            signer_name: Name::root(),
        };
        let octets = TBS::from_input(&first.name, DNSClass::IN, &input, records.iter()).unwrap();
        let signature = RRSIG::from_sig(input, self.key.sign(&octets).unwrap());
        let data = RData::DNSSEC(DNSSECRData::RRSIG(signature));
        let signature = Rr::from_rdata(first.name.clone(), first.ttl, data);
        records.into_iter().chain([signature]).collect()
    }

    fn answer(&self, name: &Name, kind: RecordType) -> Vec<Rr> {
        let address = |last| {
            let data = RData::A(rdata::A(Ipv4Addr::new(192, 0, 2, last)));
            vec![Rr::from_rdata(name.clone(), 300, data)]
        };
        match (name.to_ascii().as_str(), kind) {
            (".", RecordType::DNSKEY) => {
                let key = RData::DNSSEC(DNSSECRData::DNSKEY(self.public.clone()));
                self.signed(vec![Rr::from_rdata(Name::root(), 300, key)])
            }
            ("proven.example.", RecordType::A) => self.signed(address(1)),
            ("forged.example.", RecordType::A) => {
                let mut records = self.signed(address(1));
                records[0] = address(2).remove(0);
                records
            }
            ("stripped.example.", RecordType::A) => address(1),
            _ => Vec::new(),
        }
    }

    /// A name server with that zone.
    async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let query = asked.queries[0].clone();
                let mut reply = Message::response(asked.metadata.id, OpCode::Query);
                reply.add_answers(self.answer(query.name(), query.query_type()));
                reply.add_query(query);
                // What it says of itself must count for nothing.
                reply.metadata.authentic_data = true;
                socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
            }
        });
        at
    }
}

#[tokio::test]
async fn only_what_the_key_proves_is_believed() {
    let (root, stranger) = (Root::new(), Root::new());
    let (anchors, others) = (root.anchors(), stranger.anchors());
    let config = MxConfig {
        servers: vec![NameServer(root.serve().await)],
        dnssec: Dnssec::Validate,
        timeout: Wait::from_secs(2),
        ..MxConfig::default()
    };
    let dns = Dns::with_anchors(&config, anchors).unwrap();
    let proven = dns.lookup("proven.example", Kind::A).await.unwrap();
    assert!(proven.secure && proven.records.len() == 1, "{proven:?}");
    assert!(dns.lookup("proven.example", Kind::A).await.unwrap().secure, "from the cache");
    for name in ["forged.example", "stripped.example"] {
        let answer = dns.lookup(name, Kind::A).await;
        assert_eq!(answer, Err(LookupError::Bogus), "{name}");
    }
    let dns = Dns::with_anchors(&config, others).unwrap();
    let answer = dns.lookup("proven.example", Kind::A).await;
    assert_eq!(answer, Err(LookupError::Bogus), "the key is not the one that is believed");
}

#[test]
fn a_verdict_from_elsewhere_is_not_believed() {
    let believes = |servers: &[&str]| {
        let servers = servers.iter().map(|text| NameServer(text.parse().unwrap())).collect();
        Dns::new(&MxConfig { servers, ..MxConfig::default() }).unwrap().believing
    };
    assert!(believes(&["127.0.0.1:53", "[::1]:53"]));
    assert!(!believes(&["127.0.0.1:53", "192.0.2.1:53"]));
    assert!(!believes(&["[2001:db8::1]:53"]));
}
