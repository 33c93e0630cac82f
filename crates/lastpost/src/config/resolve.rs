//! From what the file says to what the rooms obey: paths made absolute, values checked.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError, Raw};

impl Raw {
    /// Checks every section by its own room's rules.
    pub(super) fn resolve(self, file: &Path, source: String) -> Result<Config, ConfigError> {
        let base = file.parent().unwrap_or(Path::new(""));
        let mut config = Config {
            file: file.to_owned(),
            source,
            hostname: self.hostname,
            data_directory: base.join(self.data_directory),
            core_dumps: self.core_dumps,
            tls: self.tls.map(|tls| tls_relative_to(tls, base)),
            accounts: self.accounts.relative_to(base),
            auth: self.auth,
            oauth: self.oauth.map(|oauth| oauth.relative_to(base)),
            pop3: self.pop3,
            submission: self.submission,
            dkim: self.dkim.relative_to(base),
            spool: self.spool,
            relay: self.relay.relative_to(base),
            limits: self.limits,
            filter: self.filter,
            control: self.control,
            log: self.log,
        };
        config.submission.header = config.submission.header.relative_to(base);
        config.spool.directory = base.join(&config.spool.directory);
        config.auth.master = config.auth.master.relative_to(base);
        config.auth.share = config.auth.share.relative_to(base);
        config.accounts.weak_schemes = config.auth.weak_schemes;
        make_relative(&mut config.control.token_file, base);
        let policies = config.data_directory.join("mta-sts");
        config.relay.mx.policy_cache.get_or_insert(policies);
        if let Some(limits) = &mut config.limits {
            make_relative(&mut limits.shared_password_file, base);
        }
        config.check()?;
        Ok(config)
    }
}

fn make_relative(path: &mut Option<PathBuf>, base: &Path) {
    if let Some(path) = path {
        *path = base.join(&*path);
    }
}

fn tls_relative_to(mut tls: netio::TlsConfig, base: &Path) -> netio::TlsConfig {
    tls.certificate = base.join(&tls.certificate);
    tls.key = base.join(&tls.key);
    make_relative(&mut tls.client_ca, base);
    for named in &mut tls.named {
        named.certificate = base.join(&named.certificate);
        named.key = base.join(&named.key);
    }
    tls
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        address::Domain::parse(&self.hostname).map_err(|error| {
            self.mistake(
                "hostname",
                format!(
                    "{:?}: {error}; expected this host's full name such as \"mail.example.net\"",
                    self.hostname
                ),
            )
        })?;
        let wrong = |key: &str, problem: &str, expected: &str| {
            self.mistake(key, format!("{problem}; expected {expected}"))
        };
        self.accounts.check().map_err(|e| wrong(&e.key, &e.problem, &e.expected))?;
        self.auth.check().map_err(|e| wrong(e.key, &e.problem, e.expected))?;
        if let Some(url) = &self.auth.share.url {
            auth_share::check_url(url).map_err(|e| wrong(e.key, &e.problem, e.expected))?;
        }
        if let Some(oauth) = &self.oauth {
            oauth.check().map_err(|e| wrong(e.key, &e.problem, e.expected))?;
        }
        self.pop3.check().map_err(|e| wrong(&e.key, &e.problem, e.expected))?;
        self.submission.check().map_err(|e| wrong(&e.key, &e.problem, &e.expected))?;
        self.dkim.check().map_err(|error| self.dkim_mistake(&error))?;
        self.spool
            .validate()
            .map_err(|e| wrong(&format!("spool.{}", e.key), &e.found, &e.expected))?;
        if let Some(limits) = &self.limits {
            limits.check().map_err(|e| wrong(&e.key, &e.problem, &e.expected))?;
        }
        self.filter.check().map_err(|e| wrong(&e.key, &e.problem, &e.expected))?;
        self.check_filters()?;
        self.relay_settings()?;
        self.check_control()?;
        self.check_tls()
    }

    /// What is written into headers. Reads the key of the clients' tokens, if there is one.
    ///
    /// # Errors
    /// If the key cannot be used.
    pub fn header_options(&self) -> Result<submissiond::HeaderOptions, ConfigError> {
        submissiond::HeaderOptions::load(&self.submission.header)
            .map_err(|error| self.mistake("submission.header.client_key_file", error.to_string()))
    }

    /// The keys that sign. Reads their files.
    ///
    /// # Errors
    /// If one cannot be used.
    pub fn signer(&self) -> Result<dkim::Signer, ConfigError> {
        dkim::Signer::load(&self.dkim).map_err(|error| self.dkim_mistake(&error))
    }

    fn dkim_mistake(&self, error: &dkim::DkimError) -> ConfigError {
        match error {
            dkim::DkimError::Config { key, problem, expected } => {
                self.mistake(key, format!("{problem}; expected {expected}"))
            }
            dkim::DkimError::File { file, .. } | dkim::DkimError::Key { file, .. } => {
                let index = self.dkim.key.iter().position(|key| key.file == *file);
                let key = format!("dkim.key[{}].file", index.unwrap_or_default());
                self.mistake(&key, error.to_string())
            }
            _ => self.mistake("dkim", error.to_string()),
        }
    }

    /// The relay's section resolved. Reads the next hop's password, if there is one.
    ///
    /// # Errors
    /// If a value cannot be used.
    pub fn relay_settings(&self) -> Result<relay::Settings, ConfigError> {
        self.relay.resolve(&self.hostname).map_err(|error| self.relay_mistake(&error))
    }

    /// A mistake in the relay's section, at its place.
    pub(crate) fn relay_mistake(&self, error: &relay::ConfigError) -> ConfigError {
        let message = format!("{}; expected {}", error.found, error.expected);
        self.mistake(&format!("relay.{}", error.key), message)
    }

    /// The control side has no TLS and no accounts of its own: it stays on this host.
    fn check_control(&self) -> Result<(), ConfigError> {
        let addresses = [
            ("control.listen", self.control.listen),
            ("control.listen_pop3d", self.control.listen_pop3d),
        ];
        for (key, address) in addresses {
            if let Some(address) = address
                && !address.ip().is_loopback()
            {
                return Err(self.mistake(
                    key,
                    format!("{address}; expected a loopback address such as \"127.0.0.1:8110\""),
                ));
            }
        }
        Ok(())
    }

    /// A filter that a listener requires is there.
    fn check_filters(&self) -> Result<(), ConfigError> {
        let known: Vec<_> = self.filter.names().collect();
        for (index, listen) in self.submission.listen.iter().enumerate() {
            let missing = listen.filters.iter().find(|name| !known.contains(&name.as_str()));
            if let Some(name) = missing {
                let key = format!("submission.listen[{index}].filters");
                let there = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
                let message = format!(
                    "no filter is called {name:?}; expected names of [[filter.milter]] and \
                     [[filter.policy]] tables: {there}"
                );
                return Err(self.mistake(&key, message));
            }
        }
        Ok(())
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        if self.tls.is_some() {
            return Ok(());
        }
        let wants = |mode| mode != netio::TlsMode::None;
        let pop3 = self.pop3.listen.iter().any(|listen| wants(listen.tls));
        let submission = self.submission.listen.iter().any(|listen| wants(listen.tls));
        if !pop3 && !submission {
            return Ok(());
        }
        let section = if pop3 { "pop3.listen" } else { "submission.listen" };
        Err(self.mistake(
            section,
            "a listener offers TLS, but there is no [tls] section: name certificate and key there, \
             or set tls = \"none\" on the listener",
        ))
    }
}
