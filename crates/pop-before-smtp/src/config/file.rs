//! The file as it is written, and how it becomes the configuration that is obeyed.

use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use ipnet::IpNet;
use jiff::SignedDuration;
use phaseout::{LedgerConfig, Mistake, Mistakes, Schedule, ScheduleConfig, Source};
use serde::Deserialize;
use toml::Spanned;

use super::{BridgeConfig, BrownoutReply, Policy, Quota, SocketConfig};
use crate::network::Networks;

/// Longest window: a day. Some of the old systems had 60 hours; none needed them.
const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const URL_MAX: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    enabled: bool,
    window: Option<Spanned<String>>,
    ipv6_prefix: Option<Spanned<u64>>,
    entries_max: Option<Spanned<u64>>,
    addresses_per_account: Option<Spanned<u64>>,
    excluded: Option<Vec<Spanned<String>>>,
    reply: ReplyFile,
    sharing: SharingFile,
    quota: QuotaFile,
    ledger: LedgerFile,
    socket: SocketFile,
    schedule: ScheduleConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReplyFile {
    help_url: Option<Spanned<String>>,
    brownout: BrownoutReply,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SharingFile {
    accounts_per_address: Option<Spanned<u64>>,
    helo_pin: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct QuotaFile {
    messages: Option<Spanned<u64>>,
    recipients: Option<Spanned<u64>>,
    recipients_per_message: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LedgerFile {
    path: Option<PathBuf>,
    retention_days: Option<Spanned<u64>>,
    rows_max: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SocketFile {
    path: Option<PathBuf>,
    users: Vec<u32>,
}

/// See [`BridgeConfig::from_source`].
pub(super) fn resolve(
    source: &Source,
    default_domain: Option<&Domain>,
) -> Result<BridgeConfig, Mistakes> {
    let file: File = source.parse()?;
    let mut resolver = Resolver { source, mistakes: Vec::new() };
    let policy = resolver.policy(&file);
    let ledger = resolver.ledger(&file.ledger);
    let path = |written: Option<&PathBuf>, default: &str| {
        written.map_or_else(|| PathBuf::from(default), |path| source.relative(path))
    };
    let socket = SocketConfig {
        path: path(file.socket.path.as_ref(), "/run/lastpost/grants.sock"),
        users: file.socket.users.clone(),
    };
    let mut mistakes = resolver.mistakes;
    let schedule = match Schedule::resolve(&file.schedule, source, default_domain) {
        Ok(schedule) => Some(schedule),
        Err(more) => {
            mistakes.extend(more.list().iter().cloned());
            None
        }
    };
    mistakes.sort_by_key(|mistake| mistake.place.as_ref().map(|place| (place.line, place.column)));
    Mistakes::check(mistakes)?;
    Ok(BridgeConfig {
        enabled: file.enabled,
        policy,
        ledger,
        socket,
        // Without mistakes there is a schedule.
        schedule: Arc::new(schedule.unwrap_or_else(|| Schedule::open_for_ever(source))),
        path: source.path().to_owned(),
        default_domain: default_domain.cloned(),
    })
}

struct Resolver<'a> {
    source: &'a Source,
    mistakes: Vec<Mistake>,
}

impl Resolver<'_> {
    fn fault(&mut self, span: Range<usize>, message: String, help: &str) {
        self.mistakes.push(self.source.mistake(Some(span), message, Some(help.to_owned())));
    }

    fn policy(&mut self, file: &File) -> Policy {
        let quota = &file.quota;
        Policy {
            window: self.window(file.window.as_ref()),
            ipv6_prefix: self.number("ipv6_prefix", file.ipv6_prefix.as_ref(), (48, 128), 128),
            entries_max: self.number(
                "entries_max",
                file.entries_max.as_ref(),
                (1, 16_777_216),
                262_144,
            ),
            addresses_per_account: self.number(
                "addresses_per_account",
                file.addresses_per_account.as_ref(),
                (1, 1_000),
                16,
            ),
            accounts_per_address: self.number(
                "sharing.accounts_per_address",
                file.sharing.accounts_per_address.as_ref(),
                (1, 1_000),
                8,
            ),
            helo_pin: file.sharing.helo_pin,
            quota: Quota {
                messages: self.count("quota.messages", quota.messages.as_ref(), 100),
                recipients: self.count("quota.recipients", quota.recipients.as_ref(), 500),
                recipients_per_message: self.count(
                    "quota.recipients_per_message",
                    quota.recipients_per_message.as_ref(),
                    100,
                ),
            },
            excluded: self.excluded(file.excluded.as_deref()),
            never: Networks::new(Networks::NEVER.iter().filter_map(|n| n.parse().ok())),
            help_url: self.help_url(file.reply.help_url.as_ref()),
            brownout_reply: file.reply.brownout,
        }
    }

    fn ledger(&mut self, file: &LedgerFile) -> LedgerConfig {
        let default = LedgerConfig::default();
        let days = file.retention_days.as_ref();
        let path = file.path.as_ref().map(|path| self.source.relative(path));
        LedgerConfig {
            path: path.unwrap_or(default.path),
            retention_days: self.number("ledger.retention_days", days, (1, 3_650), 400),
            rows_max: self.number(
                "ledger.rows_max",
                file.rows_max.as_ref(),
                (1_000, 1_000_000_000),
                5_000_000,
            ),
            queue: default.queue,
        }
    }

    fn window(&mut self, written: Option<&Spanned<String>>) -> Duration {
        let default = Duration::from_secs(20 * 60);
        let Some(written) = written else { return default };
        let parsed: Option<SignedDuration> = written.get_ref().parse().ok();
        let window = parsed.and_then(|window| Duration::try_from(window).ok());
        let fits = |window: &Duration| (Duration::from_secs(1)..=WINDOW_MAX).contains(window);
        window.filter(fits).unwrap_or_else(|| {
            self.fault(
                written.span(),
                format!("`window` is {:?}", written.get_ref()),
                "write a duration such as \"20m\", from \"1s\" to \"24h\"",
            );
            default
        })
    }

    fn count(&mut self, key: &str, written: Option<&Spanned<u64>>, default: u16) -> u16 {
        self.number(key, written, (1, u64::from(u16::MAX)), default)
    }

    fn number<T: TryFrom<u64>>(
        &mut self,
        key: &str,
        written: Option<&Spanned<u64>>,
        (min, max): (u64, u64),
        default: T,
    ) -> T {
        let Some(written) = written else { return default };
        let number = *written.get_ref();
        match T::try_from(number) {
            Ok(fits) if (min..=max).contains(&number) => fits,
            _ => {
                let help = format!("write a whole number from {min} to {max}");
                self.fault(written.span(), format!("`{key}` is {number}"), &help);
                default
            }
        }
    }

    fn excluded(&mut self, written: Option<&[Spanned<String>]>) -> Networks {
        let Some(written) = written else {
            return Networks::new(Networks::DEFAULT.iter().filter_map(|n| n.parse().ok()));
        };
        Networks::new(
            written.iter().filter_map(|network| self.network(network)).collect::<Vec<_>>(),
        )
    }

    fn network(&mut self, written: &Spanned<String>) -> Option<IpNet> {
        let text = written.get_ref();
        let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network: Option<IpNet> = text.parse().ok().or_else(single);
        match network {
            None => {
                self.fault(
                    written.span(),
                    format!("{text:?} is no network"),
                    "write an address such as \"192.0.2.7\" or a network such as \"192.0.2.0/24\"",
                );
                None
            }
            Some(network) if network.addr() != network.network() => {
                let help = format!("write \"{}\", or the one address alone", network.trunc());
                let message = format!("{text:?} is an address within a network, not a network");
                self.fault(written.span(), message, &help);
                None
            }
            Some(network) => Some(network),
        }
    }

    /// It is shown in SMTP replies, so it must be printable ASCII.
    fn help_url(&mut self, written: Option<&Spanned<String>>) -> Option<String> {
        let written = written.filter(|url| !url.get_ref().is_empty())?;
        let url = written.get_ref();
        let web = url.starts_with("https://") || url.starts_with("http://");
        if web && url.len() <= URL_MAX && url.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Some(url.clone());
        }
        self.fault(
            written.span(),
            format!("`reply.help_url` is {url:?}"),
            "write an address such as \"https://www.isp.example/mail\", at most 200 octets of ASCII",
        );
        None
    }
}
