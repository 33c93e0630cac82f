//! The mail exchangers of a domain, as the DNS has them now, and what each demands of TLS.

use std::collections::HashMap;
use std::fmt::Write as _;

use address::Domain;
use auth::{Clock as _, SystemClock};
use mx::{MxHost, Resolver};
use relay::Settings;
use serde::Serialize;

use crate::cli::CliError;

/// What was found out.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Exchangers {
    /// In the order in which they are tried; those of equal preference in any.
    hosts: Vec<MxHost>,
    /// Why there is none.
    problem: Option<String>,
}

/// Asks the DNS, for each of these domains.
pub(super) fn find(
    domains: Vec<Domain>,
    settings: &Settings,
) -> Result<HashMap<Domain, Exchangers>, CliError> {
    if domains.is_empty() {
        return Ok(HashMap::new());
    }
    let own: Vec<_> = settings.hello.domain().cloned().into_iter().collect();
    let now = SystemClock::new().now().wall.as_second();
    crate::daemon::runtime()?.block_on(async {
        let resolver = Resolver::observer(&settings.mx, &own, now).map_err(CliError::failed)?;
        let mut found = HashMap::new();
        for domain in domains {
            let exchangers = match resolver.route(&domain, now).await {
                Ok(hosts) => Exchangers { hosts, problem: None },
                Err(error) => Exchangers { hosts: Vec::new(), problem: Some(error.to_string()) },
            };
            found.insert(domain, exchangers);
        }
        Ok(found)
    })
}

impl Exchangers {
    /// One line for each host.
    pub(super) fn describe(&self, text: &mut String) {
        // Writing to a String cannot fail.
        for host in &self.hosts {
            let _ = writeln!(text, "     {host}");
        }
        if let Some(problem) = &self.problem {
            let _ = writeln!(text, "     {problem}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use relay::RelayConfig;

    use super::*;

    /// A name server that knows one host, and no policy.
    fn name_server() -> mx::NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let end = 12 + buffer[12..length].iter().position(|&octet| octet == 0).unwrap();
                let (name, kind) = (&buffer[12..end], buffer[end + 2]);
                let data: &[u8] = match (name, kind) {
                    (b"\x06remote\x07example", 15) => b"\x00\x0a\x02mx\xc0\x0c",
                    (b"\x02mx\x06remote\x07example", 1) => &[192, 0, 2, 1],
                    _ => &[],
                };
                let mut answer = buffer[..2].to_vec();
                answer.extend(if data.is_empty() { [0x81, 0x83] } else { [0x81, 0x80] });
                answer.extend([0, 1, 0, u8::from(!data.is_empty()), 0, 0, 0, 0]);
                answer.extend(&buffer[12..end + 5]);
                if !data.is_empty() {
                    answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
                    answer.push(u8::try_from(data.len()).unwrap());
                    answer.extend(data);
                }
                socket.send_to(&answer, from).unwrap();
            }
        });
        mx::NameServer(at)
    }

    #[test]
    fn hosts_are_shown_and_why_there_are_none() {
        let mut config = RelayConfig::default();
        config.mx.servers = vec![name_server()];
        config.mx.policy_cache = Some("/nonexistent/mta-sts".into());
        let settings = config.resolve("mail.example.org").unwrap();
        let [remote, gone] =
            ["remote.example", "gone.example"].map(|text| Domain::parse(text).unwrap());
        let found = find(vec![remote.clone(), gone.clone()], &settings).unwrap();
        let mut text = String::new();
        found[&remote].describe(&mut text);
        found[&gone].describe(&mut text);
        assert_eq!(
            text,
            "     10 mx.remote.example [192.0.2.1]: TLS where it is offered\n     \
             the domain gone.example does not exist\n"
        );
        assert!(!std::path::Path::new("/nonexistent").exists());
        assert!(find(Vec::new(), &settings).unwrap().is_empty());
    }
}
