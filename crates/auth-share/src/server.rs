//! Hosts that share through a Valkey or Redis server: one stream of failures, and one of what
//! holds longer.

use std::time::Duration;

use auth::Authenticator;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncConnectionConfig, AsyncTypedCommands, RedisError, RedisResult, Value};
use tokio::sync::mpsc;

use crate::ShareError;
use crate::courier::{Shared, Told};
use crate::frame::FRAME;
use crate::url;

/// What happened a moment ago: failures and successes.
const FAILURES: &str = "lastpost:auth:failures";
/// What holds longer: blocks, attacked accounts, and what admins forgave.
const BLOCKS: &str = "lastpost:auth:blocks";
/// Entries of each stream that the server keeps, about.
const KEPT: [(&str, usize); 2] = [(FAILURES, 50_000), (BLOCKS, 10_000)];
/// The one field of an entry.
const FIELD: &str = "e";
/// How far a host looks back when it begins.
const LOOK_BACK: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(24 * 60 * 60)];
/// Entries that are taken in at one time.
const BATCH: usize = 500;
/// How long a question for news waits at the server.
const BLOCK: Duration = Duration::from_secs(1);
/// How long connecting may take, and each answer beyond what the question waits for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How old news may be that the server did not take at once.
const TOLD_UNTIL: Duration = Duration::from_secs(60);
/// The pause after a failure; each further one doubles it.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A server.
pub(crate) struct Server {
    client: redis::Client,
}

/// Why the server was of no use.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer in time")]
    Late,
}

/// Up to where the streams are read.
struct Place {
    ids: [String; 2],
}

impl Server {
    /// Connects to nothing yet.
    pub(crate) fn new(address: &str, password: Option<&str>) -> Result<Self, ShareError> {
        Ok(Self { client: url::client(address, password)? })
    }

    /// Tells and hears for ever, through two connections: one waits at the server for news.
    pub(crate) async fn run(
        &self,
        shared: &Shared,
        mut waiting: mpsc::Receiver<Told>,
        authenticator: &Authenticator,
    ) {
        let telling = async {
            let (mut pause, mut batch) = (PAUSE, Vec::new());
            loop {
                let told = self.tell(shared, &mut waiting, &mut batch, &mut pause).await;
                if let Err(trouble) = told {
                    tracing::debug!(target: "lastpost::auth", error = %trouble, "not told to hosts");
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        };
        let hearing = async {
            let (mut pause, mut place) = (PAUSE, None);
            loop {
                let heard = self.hear(shared, authenticator, &mut place, &mut pause).await;
                if let Err(trouble) = heard {
                    shared.lost_server(&trouble.to_string());
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        };
        tokio::join!(telling, hearing);
    }

    async fn connect(&self, patience: Duration) -> Result<MultiplexedConnection, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(patience));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        within(PATIENCE * 2, connecting).await
    }

    /// Tells until the server fails. What it failed to take stays in `batch` and is told when it
    /// is back, if that is soon.
    async fn tell(
        &self,
        shared: &Shared,
        waiting: &mut mpsc::Receiver<Told>,
        batch: &mut Vec<Told>,
        pause: &mut Duration,
    ) -> Result<(), Trouble> {
        let mut link = self.connect(PATIENCE).await?;
        loop {
            let kept = batch.len();
            batch.retain(|told| shared.age(told) < TOLD_UNTIL);
            shared.counts.lost.add(kept - batch.len());
            if batch.is_empty() && waiting.recv_many(batch, BATCH).await == 0 {
                return std::future::pending().await;
            }
            let mut pipe = redis::pipe();
            for told in &*batch {
                let (stream, kept) = KEPT[usize::from(told.lasts())];
                pipe.cmd("XADD").arg(stream).arg("MAXLEN").arg("~").arg(kept).arg("*");
                pipe.arg(FIELD).arg(&shared.frame(told)[..]).ignore();
            }
            within(PATIENCE, pipe.query_async::<()>(&mut link)).await?;
            shared.counts.told_hosts.add(batch.len());
            batch.clear();
            *pause = PAUSE;
        }
    }

    /// Hears until the server fails.
    async fn hear(
        &self,
        shared: &Shared,
        authenticator: &Authenticator,
        place: &mut Option<Place>,
        pause: &mut Duration,
    ) -> Result<(), Trouble> {
        let mut link = self.connect(BLOCK + PATIENCE).await?;
        let now = time_of(&mut link).await?;
        let place = match place {
            // A server that was set up anew, or set back, may count from earlier.
            Some(known) if known.ids.iter().all(|id| milliseconds(id) <= now) => known,
            _ => place.insert(Place::before(now)),
        };
        let block = usize::try_from(BLOCK.as_millis()).unwrap_or(usize::MAX);
        let options = StreamReadOptions::default().count(BATCH).block(block);
        loop {
            let ids = [place.ids[0].as_str(), place.ids[1].as_str()];
            let asked = link.xread_options(&[FAILURES, BLOCKS], &ids, &options);
            let news: Option<StreamReadReply> = within(BLOCK + PATIENCE, asked).await?;
            shared.found_server();
            *pause = PAUSE;
            let Some(news) = news else { continue };
            let now = time_of(&mut link).await?;
            for stream in news.keys {
                let Some(id) = [FAILURES, BLOCKS].iter().position(|name| *name == stream.key)
                else {
                    continue;
                };
                for entry in stream.ids {
                    let age = now.saturating_sub(milliseconds(&entry.id));
                    let age = Duration::from_millis(age);
                    match entry.map.get(FIELD) {
                        Some(Value::BulkString(octets)) if octets.len() == FRAME => {
                            shared.take_in(octets, age, authenticator);
                        }
                        _ => shared.counts.malformed.add(1),
                    }
                    place.ids[id] = entry.id;
                }
                // Whoever else has something to do here comes first.
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Place {
    /// The last minutes before the server's `now`.
    fn before(now: u64) -> Self {
        let ids = LOOK_BACK.map(|back| {
            let back = u64::try_from(back.as_millis()).unwrap_or(u64::MAX);
            format!("{}-0", now.saturating_sub(back))
        });
        Self { ids }
    }
}

/// The server's clock, in milliseconds; entries are numbered by it.
async fn time_of(link: &mut MultiplexedConnection) -> Result<u64, Trouble> {
    let (seconds, microseconds): (u64, u64) =
        within(PATIENCE, redis::cmd("TIME").query_async(link)).await?;
    Ok(seconds.saturating_mul(1000).saturating_add(microseconds / 1000))
}

/// The time in the number of an entry.
fn milliseconds(id: &str) -> u64 {
    id.split('-').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = RedisResult<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Trouble::from),
        Err(_) => Err(Trouble::Late),
    }
}
