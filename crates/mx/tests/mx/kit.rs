//! A DNS in memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use mx::{
    Answer, Kind, Looking, Lookup, LookupError, Means, MxConfig, MxError, MxHost, Record, Resolver,
    Tlsa,
};
use netio::Trust;

/// What it says; of a name of which it knows nothing, that it does not exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone(HashMap<(String, Kind), Result<Answer, LookupError>>);

impl Zone {
    pub(crate) fn put(&mut self, name: &str, kind: Kind, records: Vec<Record>) -> &mut Self {
        self.put_answer(name, kind, |answer| answer.records = records)
    }

    /// The same, proven by DNSSEC.
    pub(crate) fn put_secure(&mut self, name: &str, kind: Kind, records: Vec<Record>) -> &mut Self {
        self.put_answer(name, kind, |answer| {
            answer.secure = true;
            answer.records = records;
        })
    }

    pub(crate) fn put_answer(
        &mut self,
        name: &str,
        kind: Kind,
        change: impl FnOnce(&mut Answer),
    ) -> &mut Self {
        let ttl = Duration::from_secs(60);
        let mut answer = Answer { exists: true, ttl, ..Answer::default() };
        change(&mut answer);
        self.0.insert((name.to_owned(), kind), Ok(answer));
        self
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.0.retain(|(other, _), _| other != name);
    }

    pub(crate) fn fail(&mut self, name: &str, kind: Kind, error: LookupError) -> &mut Self {
        self.0.insert((name.to_owned(), kind), Err(error));
        self
    }

    pub(crate) fn resolver(&self, config: &MxConfig) -> Resolver {
        let means = Means {
            lookup: Arc::new(self.clone()),
            trust: Trust::Anybody,
            // Nobody listens there.
            https_port: 1,
        };
        let own = [Domain::parse("mail.example.org").unwrap()];
        Resolver::with_means(config, &own, means, 0).unwrap()
    }

    pub(crate) async fn route(&self, domain: &str) -> Result<Vec<MxHost>, MxError> {
        self.route_by(&MxConfig::default(), domain).await
    }

    pub(crate) async fn route_by(
        &self,
        config: &MxConfig,
        domain: &str,
    ) -> Result<Vec<MxHost>, MxError> {
        self.resolver(config).route(&Domain::parse(domain).unwrap(), 0).await
    }
}

impl Lookup for Zone {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        let known = self.0.get(&(name.to_owned(), kind)).cloned();
        let exists = self.0.keys().any(|(other, _)| other == name);
        Box::pin(async move { known.unwrap_or_else(|| Ok(Answer { exists, ..Answer::default() })) })
    }
}

pub(crate) fn mx(preference: u16, exchange: &str) -> Record {
    Record::Mx { preference, exchange: exchange.to_owned() }
}

pub(crate) fn address(text: &str) -> Record {
    Record::Address(text.parse::<IpAddr>().unwrap())
}

pub(crate) fn tlsa(usage: u8) -> Tlsa {
    Tlsa { usage, selector: 1, matching: 1, data: vec![usage; 32].into() }
}

pub(crate) fn names(hosts: &[MxHost]) -> Vec<&str> {
    hosts.iter().map(|host| host.name.as_str()).collect()
}
