//! The section `[limits]` resolved: which figures hold for whom.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use address::AccountKey;
use ipnet::IpNet;

use crate::config::{Action, AddressConfig, Ceiling, ConfigError, LimitsConfig, ProfileConfig};
use crate::kind::Limit;

/// A limit's figure and what happens beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// In the unit of its counter.
    pub(crate) most: u64,
    pub(crate) action: Action,
}

/// The bounds of an account or an address, by [`Limit::index`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds(pub(crate) [Option<Bound>; 8]);

impl Bounds {
    pub(crate) fn get(&self, limit: Limit) -> Option<Bound> {
        self.0.get(limit.index()).copied().flatten()
    }
}

/// The networks of an hour that are told apart at all.
const NETWORKS_MOST: u64 = 200;

/// What holds where `[limits.account]` says nothing: far above what people send, far below what
/// makes a stolen password worth something.
const ACCOUNT: [(Limit, u64, Action); 8] = [
    (Limit::MessagesPerHour, 200, Action::Defer),
    (Limit::RecipientsPerHour, 500, Action::Defer),
    (Limit::FailedPerHour, 50, Action::Hold),
    (Limit::MessagesPerDay, 1000, Action::Defer),
    (Limit::RecipientsPerDay, 2000, Action::Defer),
    (Limit::FirstTimePerDay, 300, Action::Hold),
    (Limit::OctetsPerDay, 2 << 30, Action::Defer),
    (Limit::NetworksPerHour, 10, Action::Hold),
];

/// What holds where `[limits.address]` says nothing: an office behind one address fits in.
const ADDRESS: [(Limit, u64, Action); 8] = [
    (Limit::MessagesPerHour, 2000, Action::Defer),
    (Limit::RecipientsPerHour, 5000, Action::Defer),
    (Limit::FailedPerHour, 500, Action::Defer),
    (Limit::MessagesPerDay, 0, Action::Defer),
    (Limit::RecipientsPerDay, 0, Action::Defer),
    (Limit::FirstTimePerDay, 0, Action::Defer),
    (Limit::OctetsPerDay, 0, Action::Defer),
    (Limit::NetworksPerHour, 0, Action::Defer),
];

/// All of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Rules {
    account: Bounds,
    pub(crate) address: Bounds,
    profiles: HashMap<String, Bounds>,
    listeners: HashMap<String, Bounds>,
    exempt_accounts: HashSet<AccountKey>,
    exempt_networks: Vec<IpNet>,
}

impl Rules {
    /// Resolves the section.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub(crate) fn resolve(config: &LimitsConfig) -> Result<Self, ConfigError> {
        let account = overlay(figures(&ACCOUNT), &config.account.table());
        let address = overlay(figures(&ADDRESS), &config.address.table());
        check("limits.account", &account)?;
        check("limits.address", &address)?;
        suspends_nobody(&address)?;
        let mut profiles = HashMap::new();
        for (name, profile) in &config.profile {
            check_name(name)?;
            let figures = overlay(account, &profile.table());
            check(&format!("limits.profile.{name}"), &figures)?;
            profiles.insert(name.clone(), bounds(&figures));
        }
        let mut listeners = HashMap::new();
        for (listener, profile) in &config.listeners {
            let Some(bounds) = profiles.get(profile) else {
                return Err(ConfigError::new(
                    format!("limits.listeners.{listener}"),
                    format!("there is no profile {profile:?}"),
                    format!("the name of a profile; [limits.profile.{profile}] would make it"),
                ));
            };
            listeners.insert(listener.clone(), *bounds);
        }
        let mut exempt_accounts = HashSet::new();
        for text in &config.exempt_accounts {
            let key = AccountKey::parse(text, None).map_err(|error| {
                let problem = format!("{text:?}: {error}");
                ConfigError::new("limits.exempt_accounts", problem, "login names of accounts")
            })?;
            exempt_accounts.insert(key);
        }
        let exempt_networks = config.exempt_networks.clone();
        let (account, address) = (bounds(&account), bounds(&address));
        Ok(Self { account, address, profiles, listeners, exempt_accounts, exempt_networks })
    }

    /// The bounds of an account: of its own profile, else the listener's, else everybody's.
    pub(crate) fn of(&self, profile: Option<&str>, listener: &str) -> &Bounds {
        profile
            .and_then(|name| self.profiles.get(name))
            .or_else(|| self.listeners.get(listener))
            .unwrap_or(&self.account)
    }

    pub(crate) fn has_profile(&self, name: &str) -> bool {
        self.profiles.contains_key(name)
    }

    pub(crate) fn exempts(&self, account: &AccountKey) -> bool {
        !self.exempt_accounts.is_empty() && self.exempt_accounts.contains(account)
    }

    /// Whether an address has no limits and shows no network.
    pub(crate) fn exempts_network(&self, client: IpAddr) -> bool {
        self.exempt_networks.iter().any(|network| network.contains(&client))
    }
}

/// Figures by limit, 0 being none, in configuration's units.
type FigureTable = [(u64, Action); 8];

/// A table of the file: its action, and its figures.
struct Table {
    action: Option<Action>,
    figures: [Option<Ceiling>; 8],
}

impl ProfileConfig {
    fn table(&self) -> Table {
        Table {
            action: self.action,
            figures: [
                self.messages_per_hour,
                self.recipients_per_hour,
                self.failed_recipients_per_hour,
                self.messages_per_day,
                self.recipients_per_day,
                self.first_time_recipients_per_day,
                self.octets_per_day.map(|octets| octets.0),
                self.networks_per_hour,
            ],
        }
    }
}

impl AddressConfig {
    fn table(&self) -> Table {
        Table {
            action: self.action,
            figures: [
                self.messages_per_hour,
                self.recipients_per_hour,
                self.failed_recipients_per_hour,
                self.messages_per_day,
                self.recipients_per_day,
                None,
                self.octets_per_day.map(|octets| octets.0),
                None,
            ],
        }
    }
}

fn figures(table: &[(Limit, u64, Action); 8]) -> FigureTable {
    table.map(|(_, most, action)| (most, action))
}

/// What the table says over what held before.
fn overlay(mut figures: FigureTable, table: &Table) -> FigureTable {
    for (figure, said) in figures.iter_mut().zip(&table.figures) {
        if let Some(action) = table.action {
            figure.1 = action;
        }
        if let Some(ceiling) = said {
            figure.0 = ceiling.most;
            figure.1 = ceiling.action.unwrap_or(figure.1);
        }
    }
    figures
}

fn bounds(figures: &FigureTable) -> Bounds {
    let mut bounds = Bounds::default();
    for (limit, (bound, (most, action))) in
        Limit::ALL.into_iter().zip(bounds.0.iter_mut().zip(figures))
    {
        let most = if limit == Limit::OctetsPerDay { most.div_ceil(1024) } else { *most };
        *bound = (most > 0).then_some(Bound { most, action: *action });
    }
    bounds
}

fn check(section: &str, figures: &FigureTable) -> Result<(), ConfigError> {
    let (networks, _) = figures[Limit::NetworksPerHour.index()];
    if networks > NETWORKS_MOST {
        return Err(ConfigError::new(
            format!("{section}.networks_per_hour"),
            format!("{networks} is out of range"),
            format!("0 to {NETWORKS_MOST}"),
        ));
    }
    Ok(())
}

fn suspends_nobody(figures: &FigureTable) -> Result<(), ConfigError> {
    let wrong = Limit::ALL
        .into_iter()
        .zip(figures)
        .find(|(_, (most, action))| *action == Action::Suspend && *most > 0);
    let Some((limit, _)) = wrong else { return Ok(()) };
    Err(ConfigError::new(
        format!("limits.address.{}", limit.key()),
        "\"suspend\" would hit whoever comes last from an address that many may share",
        "\"log\", \"defer\" or \"hold\"",
    ))
}

/// A name that can stand in an account's line.
fn check_name(name: &str) -> Result<(), ConfigError> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= 32 && name.chars().all(named) {
        return Ok(());
    }
    let problem = format!("{name:?} is no name");
    let expected = "1 to 32 letters, digits, hyphens and underscores";
    Err(ConfigError::new("limits.profile", problem, expected))
}
