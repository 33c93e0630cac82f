//! Asks name servers: UDP, and TCP where an answer is cut off; with DNSSEC as configured.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_resolver::net::{DnsError, NetError, NoRecords, RetryDnsHandle};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::{
    DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode,
};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use netio::Tlsa;
use tokio::time::timeout;

use crate::cache::AnswerCache;
use crate::config::{Dnssec, MxConfig, MxConfigError};
use crate::{Answer, Kind, Looking, Lookup, LookupError, Record, name};

/// Times that a question is asked again if there is no answer.
const ATTEMPTS: usize = 2;
/// Records of one answer that are looked at.
const RECORDS_MAX: usize = 1000;
/// Aliases of one answer that are followed.
const ALIASES_MAX: usize = 16;
/// How long it is known that there is nothing, where the answer does not say.
const NOTHING_TTL: u32 = 60;
/// Attempts, a chain of keys to validate, and a change from UDP to TCP fit into so many waits.
const WAITS_MAX: u32 = 6;

type Pool = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

/// The name servers, and what they said of late.
pub struct Dns {
    pool: Pool,
    validating: Option<DnssecDnsHandle<Pool>>,
    /// Whether the servers' AD bit is believed.
    believing: bool,
    limit: Duration,
    cache: AnswerCache,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let validating = self.validating.is_some();
        let fields = ("believing", &self.believing);
        f.debug_struct("Dns").field("validating", &validating).field(fields.0, fields.1).finish()
    }
}

impl Dns {
    /// Those that `config` names, or the system's. Blocking: may read /etc/resolv.conf.
    ///
    /// # Errors
    /// If there is no name server to ask.
    pub fn new(config: &MxConfig) -> Result<Self, MxConfigError> {
        Self::with_anchors(config, TrustAnchors::default())
    }

    fn with_anchors(config: &MxConfig, anchors: TrustAnchors) -> Result<Self, MxConfigError> {
        let servers = match config.servers.as_slice() {
            [] => system_servers()?,
            servers => servers.iter().map(|server| server.0).collect(),
        };
        let on_loopback = servers.iter().all(|server| server.ip().is_loopback());
        if config.dnssec == Dnssec::Resolver && config.dane && !on_loopback {
            tracing::warn!(
                target: "lastpost::relay",
                "no DANE: the name servers are not on this host, and what they say of DNSSEC \
                 cannot be believed; use one on loopback, or relay.mx.dnssec = \"validate\""
            );
        }
        let mut options = ResolverOpts::default();
        options.timeout = config.timeout.duration();
        options.edns0 = true;
        let context = Arc::new(PoolContext::new(options, no_tls()?));
        let servers = servers.into_iter().map(server);
        let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::default());
        let pool = RetryDnsHandle::new(pool, ATTEMPTS);
        let validating = (config.dnssec == Dnssec::Validate)
            .then(|| DnssecDnsHandle::with_trust_anchor(pool.clone(), Arc::new(anchors)));
        Ok(Self {
            pool,
            validating,
            believing: config.dnssec == Dnssec::Resolver && on_loopback,
            limit: config.timeout.duration() * WAITS_MAX,
            cache: AnswerCache::new(),
        })
    }

    async fn ask(&self, text: &str, kind: Kind) -> Result<Answer, LookupError> {
        if let Some(answer) = self.cache.get(text, kind) {
            return Ok(answer);
        }
        let failed = |error: &dyn fmt::Display| LookupError::Failed(error.to_string());
        let name = Name::from_ascii(format!("{text}.")).map_err(|error| failed(&error))?;
        let request = self.request(Query::query(name.clone(), record_type(kind)));
        let asked = async {
            match &self.validating {
                Some(validating) => validating.send(request).first_answer().await,
                None => self.pool.send(request).first_answer().await,
            }
        };
        let response = timeout(self.limit, asked).await.map_err(|_| LookupError::Timeout)?;
        let answer = match response {
            Ok(response) => self.answer(&name, kind, &response)?,
            Err(error) => nothing(error)?,
        };
        self.cache.put(text, kind, &answer);
        Ok(answer)
    }

    /// A question that asks for DNSSEC's verdict where that is believed (RFC 6840 section 5.7).
    fn request(&self, query: Query) -> DnsRequest {
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        let mut message: Message = DnsRequest::from_query(query, options).into_parts().0;
        message.metadata.authentic_data = self.believing;
        DnsRequest::new(message, options)
    }

    fn answer(
        &self,
        name: &Name,
        kind: Kind,
        response: &DnsResponse,
    ) -> Result<Answer, LookupError> {
        match response.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(LookupError::Refused(code.to_string())),
        }
        let answers = response.answers.get(..RECORDS_MAX).unwrap_or(&response.answers);
        if self.validating.is_some() && answers.iter().any(|record| record.proof == Proof::Bogus) {
            return Err(LookupError::Bogus);
        }
        let chain = Chain::follow(name, kind, answers);
        let (mut records, mut ttl) = (Vec::new(), chain.ttl);
        let mut all_proven = chain.proven;
        for record in answers.iter().filter(|record| record.name == *chain.end) {
            if record.record_type() == record_type(kind) {
                records.extend(read(&record.data));
                ttl = ttl.min(record.ttl);
                all_proven &= record.proof == Proof::Secure;
            }
        }
        if records.is_empty() {
            ttl = ttl.min(response.negative_ttl().unwrap_or(NOTHING_TTL));
        }
        let is_proven = match &self.validating {
            Some(_) => all_proven,
            None => self.believing && response.authentic_data,
        };
        let canonical = (chain.end != name).then(|| name::host(&chain.end.to_ascii())).flatten();
        Ok(Answer {
            secure: is_proven && !records.is_empty(),
            exists: response.response_code == ResponseCode::NoError,
            canonical,
            ttl: Duration::from_secs(u64::from(ttl)),
            records,
        })
    }
}

impl Lookup for Dns {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        Box::pin(self.ask(name, kind))
    }
}

/// The aliases from a name to its end.
struct Chain<'a> {
    end: &'a Name,
    proven: bool,
    ttl: u32,
}

impl<'a> Chain<'a> {
    fn follow(
        name: &'a Name,
        kind: Kind,
        answers: &'a [hickory_resolver::proto::rr::Record],
    ) -> Self {
        let mut chain = Self { end: name, proven: true, ttl: u32::MAX };
        if kind == Kind::Cname {
            return chain;
        }
        for _ in 0..ALIASES_MAX {
            let alias = answers.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == *chain.end => Some((record, &target.0)),
                _ => None,
            });
            let Some((record, target)) = alias else { break };
            chain.end = target;
            chain.proven &= record.proof == Proof::Secure;
            chain.ttl = chain.ttl.min(record.ttl);
        }
        chain
    }
}

/// An error that is an answer: there is nothing.
fn nothing(error: NetError) -> Result<Answer, LookupError> {
    let answer = |exists, ttl: Option<u32>| {
        let ttl = Duration::from_secs(u64::from(ttl.unwrap_or(NOTHING_TTL)));
        Ok(Answer { exists, ttl, ..Answer::default() })
    };
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            response_code, negative_ttl, ..
        })) => match response_code {
            ResponseCode::NXDomain => answer(false, negative_ttl),
            ResponseCode::NoError => answer(true, negative_ttl),
            code => Err(LookupError::Refused(code.to_string())),
        },
        NetError::Dns(DnsError::Nsec { proof: Proof::Bogus, .. } | DnsError::DnssecBogus) => {
            Err(LookupError::Bogus)
        }
        NetError::Dns(DnsError::Nsec { response, .. }) => {
            answer(response.response_code != ResponseCode::NXDomain, response.negative_ttl())
        }
        NetError::Dns(DnsError::ResponseCode(code)) => Err(LookupError::Refused(code.to_string())),
        NetError::Timeout => Err(LookupError::Timeout),
        other => Err(LookupError::Failed(other.to_string())),
    }
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Tlsa => RecordType::TLSA,
        Kind::Txt => RecordType::TXT,
        Kind::Cname => RecordType::CNAME,
    }
}

/// A record, unless it names what cannot be a host.
fn read(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(IpAddr::V4(address.0)),
        RData::AAAA(address) => Record::Address(IpAddr::V6(address.0)),
        RData::MX(mx) => {
            let exchange = match mx.exchange.is_root() {
                true => String::new(),
                false => name::host(&mx.exchange.to_ascii())?,
            };
            Record::Mx { preference: mx.preference, exchange }
        }
        RData::TLSA(tlsa) => Record::Tlsa(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone().into(),
        }),
        RData::TXT(text) => Record::Txt(text.txt_data.concat()),
        RData::CNAME(target) => Record::Cname(name::host(&target.0.to_ascii())?),
        _ => return None,
    })
}

fn server(address: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
    server
}

fn system_servers() -> Result<Vec<SocketAddr>, MxConfigError> {
    let expected = "name servers, or some in /etc/resolv.conf";
    let (config, _) = read_system_conf().map_err(|error| {
        MxConfigError::new("servers", "[]", format_args!("{expected}: {error}"))
    })?;
    let of = |server: &NameServerConfig| {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        SocketAddr::new(server.ip, port)
    };
    let servers: Vec<_> = config.name_servers.iter().map(of).collect();
    match servers.is_empty() {
        true => Err(MxConfigError::new("servers", "[]", expected)),
        false => Ok(servers),
    }
}

fn no_tls() -> Result<TlsConfig, MxConfigError> {
    let failed = |error: NetError| MxConfigError::new("servers", "[]", error);
    TlsConfig::new().map_err(failed)
}

#[cfg(test)]
mod tests;
