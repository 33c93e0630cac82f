//! The texts and files of the demo's installation.

use std::path::Path;

use super::installation::Ports;
use crate::cli::CliError;

/// A fresh argon2id hash, as the passwd-file holds it.
pub(super) fn hash(password: &str) -> Result<String, CliError> {
    let cost = auth::AuthConfig::default().argon2().map_err(CliError::failed)?;
    let hash = auth::hash_new(password.as_bytes(), &cost).map_err(CliError::failed)?;
    Ok(hash.to_field().to_string())
}

/// Makes a Maildir and delivers the seeds into it.
pub(super) fn seed(maildir: &Path, seeds: &[Vec<u8>]) -> Result<(), CliError> {
    maildrop::create(maildir).map_err(CliError::failed)?;
    let delivery = maildrop::Delivery::to(maildir).map_err(CliError::failed)?;
    for seed in seeds {
        delivery.deliver(seed).map_err(CliError::failed)?;
    }
    Ok(())
}

/// `lastpost.toml` of the demo.
pub(super) fn config(ports: Ports, next_hop: &str, authorities: &str) -> String {
    let Ports { pop3, pop3s, legacy, submission, submissions, control } = ports;
    format!(
        r#"# A complete installation: lastpost serve --config THIS_FILE
hostname = "mail.lastpost.example"
data_directory = "state"

[tls]
certificate = "certificate.pem"
key = "key.pem"

[accounts]
passwd_file = "users"

[pop3]
sessions_max = 20000
sessions_per_ip_max = 20000
[[pop3.listen]]
address = "127.0.0.1:{pop3}"
[[pop3.listen]]
address = "127.0.0.1:{pop3s}"
tls = "implicit"

[submission]
sessions_max = 20000
sessions_per_ip_max = 20000
# The port for programs that know no password: the only one where a POP3 login counts.
[[submission.listen]]
name = "legacy"
address = "127.0.0.1:{legacy}"
authorities = [{authorities}]
[[submission.listen]]
name = "submission"
address = "127.0.0.1:{submission}"
[[submission.listen]]
name = "submissions"
address = "127.0.0.1:{submissions}"
tls = "implicit"

[spool]
directory = "spool"
free_space_min = "16MiB"

[relay]
local_domains = ["open.example", "notice.example", "closed.example"]
[relay.next_hop]
address = "{next_hop}"

[control]
listen = "127.0.0.1:{control}"
"#
    )
}
