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
