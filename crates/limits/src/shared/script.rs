//! The script, and how it is called.

use redis::aio::ConnectionManager;
use redis::{RedisResult, Script};

use super::answer::Answer;
use super::{Later, Mode, PREFIX, Question, account_key, address_key};
use crate::rules::{Bound, Bounds};
use crate::window::Addition;

/// The script in its loaded form.
pub(super) struct Scripts {
    count: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { count: Script::new(include_str!("count.lua")) }
    }

    pub(super) async fn ask(
        &self,
        link: &mut ConnectionManager,
        question: &Question<'_>,
        digests: &[i32],
    ) -> RedisResult<Answer> {
        let mode = match question.mode {
            Mode::Peek => "peek",
            Mode::Count => "count",
        };
        let account = question.account;
        let mut call = self.count.key(account_key("account", account));
        call.key(address_key(question.address))
            .key(account_key("networks", account))
            .key(account_key("known", account))
            .key(format!("{PREFIX}suspended"))
            .arg(account.as_str())
            .arg(mode)
            .arg(question.network.map_or_else(String::new, |network| network.to_string()));
        let Addition { messages, recipients, kib, .. } = *question.addition;
        call.arg(messages).arg(recipients).arg(0).arg(kib);
        call.arg(question.known_max).arg(digests.len());
        for bounds in [&question.account_bounds, &question.address_bounds] {
            for bound in blocking(bounds) {
                call.arg(bound);
            }
        }
        for digest in digests {
            call.arg(*digest);
        }
        call.invoke_async(link).await
    }

    pub(super) async fn tell(
        &self,
        link: &mut ConnectionManager,
        later: &Later,
    ) -> RedisResult<()> {
        let nothing = Addition::default();
        let (account, address, mode, addition) = match later {
            Later::TakeBack { account, address, addition } => (account, address, "back", addition),
            Later::Failed { account, address } => (account, address, "fail", &nothing),
        };
        let mut call = self.count.key(account_key("account", account));
        call.key(address_key(*address)).key("").key("").key("").arg(account.as_str());
        call.arg(mode).arg("").arg(addition.messages).arg(addition.recipients);
        call.arg(addition.first_time).arg(addition.kib).arg(0).arg(0);
        for _ in 0..16 {
            call.arg(-1);
        }
        call.invoke_async::<i64>(link).await.map(drop)
    }
}

/// The figures at which a message is not taken.
fn blocking(bounds: &Bounds) -> [i64; 8] {
    bounds.0.map(|bound| match bound {
        Some(Bound { most, action }) if action >= crate::Action::Defer => {
            i64::try_from(most).unwrap_or(i64::MAX)
        }
        _ => -1,
    })
}
