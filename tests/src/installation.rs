//! What a house needs on disk: configuration, accounts, Maildirs and a certificate.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Plan;

/// The Maildir of an account.
pub(crate) fn maildir(directory: &Path, login: &str) -> PathBuf {
    directory.join("mail").join(login).join("Maildir")
}

/// Cheap hashes: the tests are not about their cost.
fn hash(password: &str) -> String {
    let cost = auth::Argon2Params::new(64, 1, 1).expect("a cost");
    let hash = auth::hash_new(password.as_bytes(), &cost).expect("a hash");
    hash.to_field().to_string()
}

/// Writes everything that the daemons need into `directory`.
pub(crate) fn write_installation(directory: &Path, plan: &Plan, next_hop: SocketAddr) {
    let mut users = String::new();
    for customer in &plan.customers {
        let maildir = maildir(directory, customer.login);
        maildrop::create(&maildir).expect("a Maildir");
        let mut addresses = vec![customer.login];
        addresses.extend_from_slice(customer.aliases);
        let _ = writeln!(
            users,
            "{}:{}::::{}::addresses={}",
            customer.login,
            hash(customer.password),
            maildir.parent().expect("a home").display(),
            addresses.join(",")
        );
    }
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let write =
        |name: &str, text: &str| std::fs::write(directory.join(name), text).expect("written");
    write("users", &users);
    write("certificate.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    write("lastpost.toml", &config(plan, next_hop));
    for (name, text) in &plan.files {
        write(name, text);
    }
}

/// The configuration: every listener on a port of the system's choice.
fn config(plan: &Plan, next_hop: SocketAddr) -> String {
    let proxied = plan.proxied;
    let proxies = if proxied { "trusted_proxies = [\"127.0.0.1/32\"]\n" } else { "" };
    format!(
        r#"hostname = "mail.lastpost.example"
data_directory = "state"

[tls]
certificate = "certificate.pem"
key = "key.pem"

[accounts]
passwd_file = "users"

[auth]
argon2_memory_kib = 64
argon2_passes = 1
failure_delay = "0s"
failure_delay_max = "0s"

[pop3]
{proxies}{pop3}
[[pop3.listen]]

address = "127.0.0.1:0"
proxy_protocol = {proxied}
[[pop3.listen]]

address = "127.0.0.1:0"
tls = "implicit"

[submission]
{proxies}{submission}
[[submission.listen]]
name = "legacy"
address = "127.0.0.1:0"
proxy_protocol = {proxied}
authorities = {legacy:?}
[[submission.listen]]
name = "submission"
address = "127.0.0.1:0"
authorities = ["smtp-auth"]
[[submission.listen]]
name = "submissions"
address = "127.0.0.1:0"
tls = "implicit"
authorities = ["smtp-auth"]

[control]
listen = "127.0.0.1:0"

[spool]
directory = "spool"
segment_size = "4MiB"
free_space_min = 0

[relay]
local_domains = {local:?}
[relay.next_hop]
address = "{next_hop}"
"#,
        legacy = plan.legacy_authorities,
        local = plan.local_domains,
        pop3 = plan.pop3,
        submission = plan.submission,
    )
}
