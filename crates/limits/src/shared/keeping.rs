//! Work in the background: the key of the recipients, corrections, and suspensions, about which
//! all hosts agree.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use address::AccountKey;
use jiff::Timestamp;
use redis::aio::ConnectionManager;
use redis::{AsyncTypedCommands, RedisResult};

use super::{CONNECT_TIMEOUT, Core, PREFIX, Shared, account_key, within};
use crate::suspension::Suspension;

/// How often hosts look for suspensions by others.
const AGREE_EVERY: Duration = Duration::from_secs(5);
/// How long the end of a suspension is remembered, in milliseconds: 60 days.
const RESUMED_KEPT: i64 = 60 * 24 * 60 * 60 * 1000;
/// Octets of the key.
const KEY_OCTETS: usize = 32;

impl Shared {
    /// Goes on for ever.
    pub(crate) async fn run(&self, core: &Core) {
        let mut waiting = self.waiting.lock().await;
        let mut next = tokio::time::Instant::now();
        loop {
            tokio::select! {
                later = waiting.recv() => {
                    if let Some(later) = later {
                        let told = async {
                            let mut link = self.link().await?;
                            self.scripts.tell(&mut link, &later).await
                        };
                        // A correction that the server does not take is given up.
                        if let Err(trouble) = within(CONNECT_TIMEOUT, told).await {
                            self.failed(&trouble, core.clock.now());
                        }
                    }
                }
                () = self.woken.notified() => next = tokio::time::Instant::now(),
                () = tokio::time::sleep_until(next) => {
                    next = tokio::time::Instant::now() + AGREE_EVERY;
                    self.agree(core).await;
                }
            }
        }
    }

    async fn agree(&self, core: &Core) {
        let _turn = self.agreeing.lock().await;
        let agreed = async {
            let mut link = self.link().await?;
            self.learn_key(&mut link, &core.key).await?;
            self.learn_suspensions(&mut link).await
        };
        match within(CONNECT_TIMEOUT, agreed).await {
            Ok((suspended, resumed)) => self.apply(core, suspended, resumed).await,
            Err(trouble) => self.failed(&trouble, core.clock.now()),
        }
    }

    /// The first host gives its own key, all others take it.
    async fn learn_key(&self, link: &mut ConnectionManager, own: &[u8; 32]) -> RedisResult<()> {
        let name = format!("{PREFIX}key");
        let _: bool = link.set_nx(&name, own.as_slice()).await?;
        let key: Vec<u8> = redis::cmd("GET").arg(&name).query_async(link).await?;
        if let Ok(key) = <[u8; KEY_OCTETS]>::try_from(key.as_slice()) {
            self.key.store(Some(std::sync::Arc::new(key)));
        }
        Ok(())
    }

    async fn learn_suspensions(
        &self,
        link: &mut ConnectionManager,
    ) -> RedisResult<(HashMap<String, String>, HashMap<String, i64>)> {
        let pending = self.pending();
        for (account, at) in &pending {
            self.tell_resumed(link, account, *at).await?;
        }
        if !pending.is_empty() {
            let mut waiting = self.resumed.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|account, at| pending.get(account) != Some(at));
        }
        redis::pipe()
            .hgetall(format!("{PREFIX}suspended"))
            .hgetall(format!("{PREFIX}resumed"))
            .query_async(link)
            .await
    }

    fn pending(&self) -> HashMap<AccountKey, i64> {
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of an account's suspension and its end, whichever is later counts, on every host.
    async fn apply(
        &self,
        core: &Core,
        suspended: HashMap<String, String>,
        resumed: HashMap<String, i64>,
    ) {
        for (name, json) in &suspended {
            let account = AccountKey::parse(name, None);
            let (Ok(account), Ok(suspension)) = (account, serde_json::from_str(json)) else {
                continue;
            };
            let suspension: Suspension = suspension;
            let over = resumed.get(name).is_some_and(|at| *at >= milliseconds(&suspension));
            if !over && core.suspensions.get(&account).is_none() && !self.is_pending(&account) {
                tracing::warn!(target: "lastpost::limits", %account, "account suspended by another host");
                log_unwritten(core.suspensions.add(&account, suspension).await.map(drop));
            }
        }
        let mut unknown_there = Vec::new();
        for (account, suspension) in core.suspensions.all().iter() {
            let over =
                resumed.get(account.as_str()).is_some_and(|at| *at >= milliseconds(suspension));
            if over {
                tracing::info!(target: "lastpost::limits", %account, "account resumed by another host");
                log_unwritten(core.suspensions.remove(account).await.map(drop));
                core.begin_anew(account);
            } else if !suspended.contains_key(account.as_str()) {
                unknown_there.push((account.clone(), suspension.clone()));
            }
        }
        let old = core.clock.now().wall.as_millisecond() - RESUMED_KEPT;
        let outdated: Vec<_> =
            resumed.into_iter().filter(|(_, at)| *at < old).map(|(name, _)| name).collect();
        let told = async {
            let mut link = self.link().await?;
            for (account, suspension) in &unknown_there {
                let json = serde_json::to_string(suspension).unwrap_or_default();
                let name = format!("{PREFIX}suspended");
                let _: usize = link.hset(name, account.as_str(), json).await?;
            }
            for name in &outdated {
                let _: usize = link.hdel(format!("{PREFIX}resumed"), name).await?;
            }
            Ok(())
        };
        if let Err(trouble) = within(CONNECT_TIMEOUT, told).await {
            self.failed(&trouble, core.clock.now());
        }
    }

    fn is_pending(&self, account: &AccountKey) -> bool {
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner).contains_key(account)
    }

    /// Tells the other hosts that a suspension is over; later, if the server does not answer.
    pub(crate) async fn resume(&self, account: &AccountKey, at: Timestamp) {
        let at = at.as_millisecond();
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), at);
        let told = async {
            let mut link = self.link().await?;
            self.tell_resumed(&mut link, account, at).await
        };
        match within(CONNECT_TIMEOUT, told).await {
            Ok(()) => {
                let mut waiting = self.resumed.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.remove(account);
            }
            Err(error) => tracing::warn!(
                target: "lastpost::limits",
                %account,
                %error,
                "the other hosts could not be told that the account is resumed; it is tried again"
            ),
        }
    }

    async fn tell_resumed(
        &self,
        link: &mut ConnectionManager,
        account: &AccountKey,
        at: i64,
    ) -> RedisResult<()> {
        redis::pipe()
            .atomic()
            .hdel(format!("{PREFIX}suspended"), account.as_str())
            .ignore()
            .hset(format!("{PREFIX}resumed"), account.as_str(), at)
            .ignore()
            .del(account_key("account", account))
            .ignore()
            .del(account_key("networks", account))
            .ignore()
            .query_async(link)
            .await
    }

    /// Forgets an account's counters and recipients on the server.
    pub(crate) async fn forget(&self, account: &AccountKey) {
        let forgot = async {
            let mut link = self.link().await?;
            let known = account_key("known", account);
            let time: (i64, i64) = redis::cmd("TIME").query_async(&mut link).await?;
            let generation = time.0 / (90 * 86_400);
            let names = [
                account_key("account", account),
                account_key("networks", account),
                format!("{known}:{generation}"),
                format!("{known}:{}", generation - 1),
            ];
            link.del(&names[..]).await.map(drop)
        };
        if let Err(error) = within(CONNECT_TIMEOUT, forgot).await {
            tracing::warn!(target: "lastpost::limits", %account, %error, "the shared counters remain");
        }
    }
}

fn milliseconds(suspension: &Suspension) -> i64 {
    suspension.since.as_millisecond()
}

fn log_unwritten(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(target: "lastpost::limits", %error, "a suspension could not be written down");
    }
}
