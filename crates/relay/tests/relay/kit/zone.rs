//! A DNS in memory, whose hosts are on loopback.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mx::{Answer, Kind, Looking, Lookup, Means, MxConfig, Record, Resolver, Tlsa};
use netio::Trust;

/// What it says; of a name of which it knows nothing, that it does not exist. All of it is
/// proven by DNSSEC unless it is told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    answers: HashMap<(String, Kind), Vec<Record>>,
    port: u16,
    pub(crate) secure: bool,
}

impl Zone {
    /// The hosts of `remote.example`, their preference as they are listed, all of them at the
    /// same port.
    pub(crate) fn new(port: u16, hosts: &[(&str, &[&str])]) -> Self {
        let mut zone = Self { answers: HashMap::new(), port, secure: true };
        let exchangers = hosts
            .iter()
            .zip(1..)
            .map(|((name, _), preference)| Record::Mx { preference, exchange: (*name).to_owned() });
        zone.put("remote.example", Kind::Mx, exchangers.collect());
        for (name, addresses) in hosts {
            let address = |text: &&str| Record::Address(text.parse::<IpAddr>().unwrap());
            zone.put(name, Kind::A, addresses.iter().map(address).collect());
        }
        zone
    }

    pub(crate) fn put(&mut self, name: &str, kind: Kind, records: Vec<Record>) {
        self.answers.insert((name.to_owned(), kind), records);
    }

    /// Says of which key a host is.
    pub(crate) fn vouch(&mut self, host: &str, usage: u8, digest: &[u8]) {
        let tlsa = Tlsa { usage, selector: 1, matching: 1, data: digest.into() };
        let name = format!("_{}._tcp.{host}", self.port);
        self.put(&name, Kind::Tlsa, vec![Record::Tlsa(tlsa)]);
    }

    /// A resolver that knows the policies in `directory`, and believes this authority.
    pub(crate) fn resolver(&self, directory: &Path, authority: Option<&Path>) -> Resolver {
        let config = MxConfig {
            policy_cache: Some(directory.to_owned()),
            loopback: true,
            port: self.port,
            ..MxConfig::default()
        };
        let trust = match authority {
            Some(path) => Trust::File(path.to_owned()),
            None => Trust::Anybody,
        };
        // Nobody listens there.
        let means = Means { lookup: Arc::new(self.clone()), trust, https_port: 1 };
        Resolver::with_means(&config, &[], means, 0).unwrap()
    }
}

impl Lookup for Zone {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        let records = self.answers.get(&(name.to_owned(), kind)).cloned().unwrap_or_default();
        let exists = self.answers.keys().any(|(known, _)| known == name);
        let secure = self.secure && !records.is_empty();
        let ttl = Duration::from_secs(60);
        let answer = Answer { records, exists, secure, canonical: None, ttl };
        Box::pin(async move { Ok(answer) })
    }
}
