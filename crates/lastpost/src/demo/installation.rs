//! The demo's directory: a complete installation, made from nothing.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::walkthrough::Step;
use super::{letters, mail};
use crate::cli::CliError;

/// What is to be set up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where. Must be empty, or hold an earlier demo.
    pub directory: PathBuf,
    /// How many accounts, at least the three of the story.
    pub accounts: u32,
    /// `host:port` of the next hop.
    pub next_hop: String,
    /// How long a grant lives.
    pub window: Duration,
    /// The ports to listen on; without them, free ones are looked for.
    pub ports: Option<Ports>,
}

/// The ports that the daemons listen on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ports {
    /// POP3, with STLS.
    pub pop3: u16,
    /// POP3 under implicit TLS.
    pub pop3s: u16,
    /// Submission for programs without a password: where a grant counts.
    pub legacy: u16,
    /// Submission, with STARTTLS.
    pub submission: u16,
    /// Submission under implicit TLS.
    pub submissions: u16,
    /// The control side.
    pub control: u16,
}

/// One customer of the demo.
#[derive(Clone, Debug, Serialize)]
pub struct DemoAccount {
    /// Login name.
    pub login: String,
    /// Password.
    pub password: String,
    /// Addresses that the account may send as.
    pub addresses: Vec<String>,
    /// `open`, `notice` or `closed`.
    pub cohort: &'static str,
    /// Its Maildir.
    pub maildir: PathBuf,
}

/// An installation on disk.
#[derive(Debug)]
pub struct Installation {
    directory: PathBuf,
    ports: Ports,
    accounts: Vec<DemoAccount>,
}

/// The three of the story: name, domain and cohort.
const CUSTOMERS: [(&str, &str, &str); 3] = [
    ("olivia", "open.example", "open"),
    ("naoko", "notice.example", "notice"),
    ("clara", "closed.example", "closed"),
];

/// Threads that fill the maildrops of the extra accounts.
const SEEDERS: usize = 16;

/// What every extra account is called and where it lives.
const EXTRA_DOMAIN: &str = "open.example";

#[derive(Serialize)]
struct Manifest<'a> {
    ports: Ports,
    certificate: PathBuf,
    accounts: &'a [DemoAccount],
    spool: PathBuf,
    config: PathBuf,
    walkthrough: &'a [Step],
}

impl Installation {
    /// Makes certificate, accounts, Maildirs and configuration.
    ///
    /// # Errors
    /// If the directory holds something else, or cannot be written.
    pub fn create(plan: &Plan) -> Result<Self, CliError> {
        let directory = &plan.directory;
        clear(directory)?;
        let failed =
            |error: io::Error| CliError::Failed(format!("{}: {error}", directory.display()));
        let ports = match plan.ports {
            Some(ports) => ports,
            None => free_ports().map_err(failed)?,
        };
        let accounts = customers(plan);
        let made = Self { directory: directory.clone(), ports, accounts };
        made.write_certificate()?;
        made.write_accounts()?;
        made.write_maildirs()?;
        made.write_letters().map_err(failed)?;
        made.write_config(plan).map_err(failed)?;
        Ok(made)
    }

    /// The main configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.directory.join("lastpost.toml")
    }

    /// The self-signed certificate.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.directory.join("certificate.pem")
    }

    /// The directory itself.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The accounts; the first three are those of the story.
    #[must_use]
    pub fn accounts(&self) -> &[DemoAccount] {
        &self.accounts
    }

    /// The account of the story in `cohort`.
    pub(crate) fn in_cohort(&self, cohort: &str) -> &DemoAccount {
        let at = CUSTOMERS.iter().position(|(_, _, name)| *name == cohort).unwrap_or(0);
        &self.accounts[at]
    }

    /// The letter from an account of the story, ready to be uploaded.
    pub(crate) fn letter_file(&self, account: &DemoAccount) -> PathBuf {
        self.directory.join("letters").join(format!("from-{}.eml", account.cohort))
    }

    /// Writes `demo.json`, which says that everything listens.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_manifest(&self, walkthrough: &[Step]) -> io::Result<()> {
        let manifest = Manifest {
            ports: self.ports,
            certificate: self.certificate_file(),
            accounts: &self.accounts,
            spool: self.directory.join("spool"),
            config: self.config_file(),
            walkthrough,
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?;
        // Whoever waits for the file must never read half of it.
        let half = self.directory.join("demo.json.new");
        fs::write(&half, text)?;
        fs::rename(half, self.directory.join("demo.json"))
    }

    fn write_certificate(&self) -> Result<(), CliError> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(CliError::failed)?;
        fs::write(self.certificate_file(), made.cert.pem()).map_err(CliError::failed)?;
        write_private(&self.directory.join("key.pem"), made.signing_key.serialize_pem().as_bytes())
            .map_err(CliError::failed)
    }

    fn write_accounts(&self) -> Result<(), CliError> {
        // One hash a password: the extra accounts share theirs.
        let mut hashes: Vec<(String, String)> = Vec::new();
        let mut text = String::from(
            "# Accounts of the demo: login:{SCHEME}hash:uid:gid:gecos:home:shell:extra\n",
        );
        for account in &self.accounts {
            let known = hashes.iter().find(|(password, _)| *password == account.password);
            let hash = match known {
                Some((_, hash)) => hash.clone(),
                None => {
                    let hash = letters::hash(&account.password)?;
                    hashes.push((account.password.clone(), hash.clone()));
                    hash
                }
            };
            let home = account.maildir.parent().unwrap_or(&account.maildir);
            text += &format!(
                "{}:{hash}::::{}::addresses={}\n",
                account.login,
                home.display(),
                account.addresses.join(","),
            );
        }
        write_private(&self.directory.join("users"), text.as_bytes()).map_err(CliError::failed)
    }

    fn write_maildirs(&self) -> Result<(), CliError> {
        let (story, extra) = self.accounts.split_at(CUSTOMERS.len());
        for account in story {
            letters::seed(&account.maildir, &mail::seeds(&account.addresses[0]))?;
        }
        // Each delivery is flushed; side by side the flushes share what they wait for.
        let share = extra.len().div_ceil(SEEDERS).max(1);
        std::thread::scope(|scope| {
            let seeders: Vec<_> = extra
                .chunks(share)
                .map(|accounts| {
                    scope.spawn(move || {
                        // Thousands of accounts need no large pictures.
                        accounts.iter().try_for_each(|account| {
                            letters::seed(
                                &account.maildir,
                                &mail::small_seeds(&account.addresses[0]),
                            )
                        })
                    })
                })
                .collect();
            seeders.into_iter().try_for_each(|seeder| {
                seeder.join().map_err(|_| CliError::Failed("a thread broke".to_owned()))?
            })
        })
    }

    fn write_letters(&self) -> io::Result<()> {
        fs::create_dir_all(self.directory.join("letters"))?;
        for account in &self.accounts[..CUSTOMERS.len()] {
            let letter = mail::letter(&account.addresses[0], "friend@elsewhere.example");
            fs::write(self.letter_file(account), letter)?;
        }
        Ok(())
    }

    fn write_config(&self, plan: &Plan) -> io::Result<()> {
        fs::create_dir_all(self.directory.join("state"))?;
        #[allow(unused_mut, reason = "the bridge adds itself")]
        let mut authorities = format!("\"{}\"", auth::SmtpAuth::NAME);
        #[cfg(feature = "pop-before-smtp")] // retire
        authorities.push_str(&crate::bridge::write_demo_config(&self.directory, plan.window)?); // retire
        let text = letters::config(self.ports, &plan.next_hop, &authorities);
        fs::write(self.config_file(), text)?;
        Ok(())
    }
}

/// Removes an earlier demo; refuses to touch anything else.
fn clear(directory: &Path) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::Failed(format!("{}: {error}", directory.display()));
    let empty = fs::read_dir(directory).map_err(failed)?.next().is_none();
    if empty {
        return Ok(());
    }
    if !directory.join("demo.json").exists() {
        return Err(CliError::Usage(format!(
            "{}: the directory is not empty and holds no earlier demo: name another one",
            directory.display()
        )));
    }
    fs::remove_file(directory.join("demo.json")).map_err(failed)?;
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_directory = fs::symlink_metadata(&path).map_err(failed)?.is_dir();
        if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
            .map_err(failed)?;
    }
    Ok(())
}

fn customers(plan: &Plan) -> Vec<DemoAccount> {
    let account = |name: &str, domain: &str, cohort: &'static str, password: String| {
        let login = format!("{name}@{domain}");
        DemoAccount {
            maildir: plan.directory.join("mail").join(domain).join(name).join("Maildir"),
            addresses: vec![login.clone()],
            login,
            password,
            cohort,
        }
    };
    let story = CUSTOMERS
        .iter()
        .map(|(name, domain, cohort)| account(name, domain, cohort, format!("{name}-demo")));
    let extra = (1..=plan.accounts.saturating_sub(CUSTOMERS.len() as u32)).map(|number| {
        account(&format!("user{number:05}"), EXTRA_DOMAIN, "open", "extra-demo".to_owned())
    });
    story.chain(extra).collect()
}

/// Six free ports: the memorable ones if nobody has them.
fn free_ports() -> io::Result<Ports> {
    // All are held until the last is found, so that no two are the same.
    let mut held = Vec::new();
    let mut next = |wished: u16| -> io::Result<u16> {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(local(wished)).or_else(|_| TcpListener::bind(local(0)))?;
        let port = listener.local_addr()?.port();
        held.push(listener);
        Ok(port)
    };
    Ok(Ports {
        pop3: next(1110)?,
        pop3s: next(1995)?,
        legacy: next(1025)?,
        submission: next(1587)?,
        submissions: next(1465)?,
        control: next(1080)?,
    })
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}
