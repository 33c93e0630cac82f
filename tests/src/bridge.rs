//! retire: whole file
//! The bridge of a house: its file, its grants and its ledger.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{House, Plan};

/// The bridge's own file, beside `lastpost.toml`.
const FILE: &str = "pop-before-smtp.toml";

impl Plan {
    /// The same with a bridge by `file`, which counts on the legacy port.
    #[must_use]
    pub fn with_bridge(mut self, file: &str) -> Self {
        self.legacy_authorities.push("pop-before-smtp");
        self.files.push((FILE, file.to_owned()));
        self
    }
}

impl House {
    /// Replaces the bridge's file and reloads, as `lastpost reload` does.
    ///
    /// # Errors
    /// What the admin reads.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn reload_bridge(&self, text: &str) -> Result<(), String> {
        std::fs::write(self.path(FILE), text).expect("written");
        self.service().controls().reload().map(|_| ())
    }

    /// The live grants, as address and account, in order: `lastpost grants list`.
    ///
    /// # Panics
    /// If the service does not answer.
    #[must_use]
    pub fn grants(&self) -> Vec<(IpAddr, String)> {
        let known = self.grant_reports();
        let text = |grant: &Value, key: &str| grant[key].as_str().expect("text").to_owned();
        let address = |grant: &Value| text(grant, "address").parse().expect("an address");
        known.iter().map(|grant| (address(grant), text(grant, "account"))).collect()
    }

    /// The live grants with all that is told of them.
    ///
    /// # Panics
    /// If the service does not answer.
    #[must_use]
    pub fn grant_reports(&self) -> Vec<Value> {
        let answer = self.control().get("/grants").expect("an answer");
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        match answer["grants"].take() {
            Value::Array(grants) => grants,
            other => panic!("no list of grants: {other}"),
        }
    }

    /// Ends the grants of an address, as `lastpost grants revoke ADDRESS` does; how many.
    ///
    /// # Panics
    /// If the service does not answer.
    pub fn revoke_address(&self, address: IpAddr) -> u64 {
        self.revoke(&json!({ "address": address, "all": false }))
    }

    /// Ends the grants of an account, as `lastpost grants revoke LOGIN` does; how many.
    ///
    /// # Panics
    /// If the service does not answer.
    pub fn revoke_account(&self, login: &str) -> u64 {
        self.revoke(&json!({ "account": login, "all": false }))
    }

    fn revoke(&self, wish: &Value) -> u64 {
        let answer = self.control().post("/grants/revoke", &wish.to_string()).expect("an answer");
        answer.trim().parse().expect("a number")
    }

    /// Waits until everything that happened is in the ledger's file.
    ///
    /// # Panics
    /// If the service does not answer.
    pub fn flush_ledger(&self) {
        self.control().post("/ledger/flush", "").expect("the ledger is written");
    }
}
