//! The whole bridge against its rules written down once more, plainly.

#![allow(clippy::unwrap_used, reason = "a test")]

mod kit;

use std::collections::HashMap;

use auth::Clock;
use kit::Provider;
use pop_before_smtp::Revocation;
use proptest::prelude::*;

const CLIENTS: [&str; 4] = ["198.51.100.7", "203.0.113.9", "2001:db8::1", "192.0.2.1"];
const NAMES: [&str; 6] = [
    "alice@open.example",
    "bob@open.example",
    "carol@notice.example",
    "bob@brown.example",
    "dave@closed.example",
    "carol@open.example",
];
/// Beside the customers: a second address of alice's, a stranger, nobody.
const SENDERS: [&str; 3] = ["sales@open.example", "spam@elsewhere.example", ""];
const SHARING_MAX: usize = 2;
const MESSAGES_MAX: u32 = 3;

/// One grant.
#[derive(Clone, Copy)]
struct Grant {
    login: u64,
    quota_since: u64,
    messages: u32,
}

#[derive(Default)]
struct Model {
    grants: HashMap<(usize, usize), Grant>,
    /// Seconds since noon.
    now: u64,
}

impl Model {
    /// Closed accounts and the excluded client make no grant.
    fn fetch(&mut self, name: usize, client: usize) {
        if NAMES[name].ends_with("@closed.example") || client == 3 {
            return;
        }
        let now = self.now;
        let fresh = Grant { login: now, quota_since: now, messages: 0 };
        let live = self.live(client);
        if !live.contains(&name) && live.len() > SHARING_MAX {
            // One more than may share is remembered: the oldest goes.
            let oldest = live.iter().min_by_key(|n| self.grants[&(**n, client)].login).unwrap();
            self.grants.remove(&(*oldest, client));
        }
        let grant = self.grants.entry((name, client)).or_insert(fresh);
        if now >= grant.login + 1200 || now >= grant.quota_since + 1200 {
            *grant = fresh;
        }
        grant.login = now;
    }

    fn live(&self, client: usize) -> Vec<usize> {
        let live = |(key, grant): (&(usize, usize), &Grant)| {
            (key.1 == client && self.now < grant.login + 1200).then_some(key.0)
        };
        self.grants.iter().filter_map(live).collect()
    }

    fn browns_out(&self) -> bool {
        self.now < 2 * 3600
    }

    fn phase_word(&self, sender: &str) -> &'static str {
        match sender.split_once('@').map(|(_, domain)| domain) {
            Some("closed.example") => "closed",
            Some("brown.example") if self.browns_out() => "brownout",
            _ => "",
        }
    }

    /// What `MAIL FROM` says, and whose grant it is.
    fn mail(&self, sender: &str, client: usize) -> (&'static str, Option<(usize, usize)>) {
        if client == 3 {
            return ("excluded-network", None);
        }
        let live = self.live(client);
        if live.is_empty() {
            let word = self.phase_word(sender);
            return (if word.is_empty() { "no-grant" } else { word }, None);
        }
        if sender.is_empty() {
            return ("null-sender", None);
        }
        let owner = if sender == "sales@open.example" { "alice@open.example" } else { sender };
        let Some(name) = live.iter().copied().find(|name| NAMES[*name] == owner) else {
            // Whom his own phase refuses reads that: fetching would not help.
            let word = self.phase_word(owner);
            return (if word.is_empty() { "sender-not-owned" } else { word }, None);
        };
        let word = match self.phase_word(owner) {
            "" if live.len() > SHARING_MAX => "shared-address",
            "" if self.grants[&(name, client)].messages >= MESSAGES_MAX => "message-quota",
            "" => "allowed",
            word => word,
        };
        (word, Some((name, client)))
    }
}

#[derive(Clone, Debug)]
enum Step {
    Fetch(usize, usize),
    Mail(usize, usize, bool),
    Pass(u64),
    RevokeAccount(usize),
    RevokeClient(usize),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let (names, clients) = (NAMES.len(), CLIENTS.len());
    prop_oneof![
        5 => (0..names, 0..clients).prop_map(|(name, client)| Step::Fetch(name, client)),
        8 => (0..names + SENDERS.len(), 0..clients, any::<bool>())
            .prop_map(|(sender, client, accepted)| Step::Mail(sender, client, accepted)),
        4 => (1u64..900).prop_map(Step::Pass),
        1 => (0..names).prop_map(Step::RevokeAccount),
        1 => (0..clients).prop_map(Step::RevokeClient),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_bridge_obeys_its_rules(steps in proptest::collection::vec(step(), 1..120)) {
        let isp = Provider::with(
            "sharing.accounts_per_address = 2\nquota.messages = 3\nexcluded = [\"192.0.2.1\"]",
        );
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Fetch(name, client) => {
                    // Two logins at one instant would leave open which of them is the oldest.
                    isp.pass(1);
                    model.now += 1;
                    isp.fetch(NAMES[name], CLIENTS[client]);
                    model.fetch(name, client);
                }
                Step::Mail(sender, client, accepted) => {
                    let sender = *NAMES.iter().chain(&SENDERS).nth(sender).unwrap();
                    let (word, grant) = model.mail(sender, client);
                    match isp.mail(sender, CLIENTS[client]) {
                        Ok(permit) => {
                            prop_assert_eq!(word, "allowed", "{} from {}", sender, client);
                            let (name, _) = grant.unwrap();
                            prop_assert_eq!(permit.account().key().as_str(), NAMES[name]);
                            isp.settle(&permit, accepted, 1);
                            model.grants.get_mut(&grant.unwrap()).unwrap().messages +=
                                u32::from(accepted);
                        }
                        Err(refusal) => prop_assert_eq!(refusal.reason, word, "{}", sender),
                    }
                }
                Step::Pass(seconds) => {
                    isp.pass(seconds);
                    model.now += seconds;
                }
                Step::RevokeAccount(name) => {
                    let account = isp.login(NAMES[name], CLIENTS[0]).account;
                    isp.bridge.revoke(&Revocation::Account(account.key().clone()));
                    model.grants.retain(|(n, _), _| *n != name);
                }
                Step::RevokeClient(client) => {
                    isp.bridge.revoke(&Revocation::Address(CLIENTS[client].parse().unwrap()));
                    model.grants.retain(|(_, c), _| *c != client);
                }
                Step::Sweep => (0..256).for_each(|_| _ = isp.bridge.sweep(isp.clock.now())),
            }
        }
        let live: usize = (0..CLIENTS.len()).map(|client| model.live(client).len()).sum();
        prop_assert_eq!(isp.bridge.grants(isp.clock.now(), 1_000).grants.len(), live);
        prop_assert_eq!(isp.bridge.open_transactions(), 0);
    }
}
