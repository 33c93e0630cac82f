//! Answers of the DNS that still hold.

use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{Answer, Kind};

/// Answers that are kept.
const ANSWERS_MAX: usize = 20_000;
/// No answer is believed for longer, whatever it says.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Nor one that says that there is nothing (RFC 2308 section 5).
const NOTHING_AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// A bounded cache. Failures are not kept: the relay has pauses of its own.
#[derive(Debug)]
pub(crate) struct AnswerCache(Cache<(String, Kind), (Instant, Answer)>);

impl AnswerCache {
    pub(crate) fn new() -> Self {
        Self(Cache::new(ANSWERS_MAX))
    }

    pub(crate) fn get(&self, name: &str, kind: Kind) -> Option<Answer> {
        let key = (name.to_owned(), kind);
        let (until, answer) = self.0.get(&key)?;
        if Instant::now() < until {
            return Some(answer);
        }
        self.0.remove(&key);
        None
    }

    pub(crate) fn put(&self, name: &str, kind: Kind, answer: &Answer) {
        let limit = if answer.records.is_empty() { NOTHING_AGE_MAX } else { AGE_MAX };
        let age = answer.ttl.min(limit);
        if !age.is_zero() {
            self.0.insert((name.to_owned(), kind), (Instant::now() + age, answer.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_have_their_time() {
        let cache = AnswerCache::new();
        let answer = |seconds| Answer {
            records: vec![crate::Record::Cname("x.example".to_owned())],
            exists: true,
            ttl: Duration::from_secs(seconds),
            ..Answer::default()
        };
        cache.put("a.example", Kind::Mx, &answer(60));
        cache.put("b.example", Kind::Mx, &answer(0));
        cache.put("c.example", Kind::Mx, &answer(u64::from(u32::MAX)));
        let nothing = Answer { records: Vec::new(), ..answer(u64::from(u32::MAX)) };
        cache.put("d.example", Kind::Mx, &nothing);
        let known = |names: &[&str]| -> Vec<bool> {
            names.iter().map(|name| cache.get(name, Kind::Mx).is_some()).collect()
        };
        let all = ["a.example", "b.example", "c.example", "d.example"];
        assert_eq!(known(&all), [true, false, true, true]);
        assert_eq!(cache.get("a.example", Kind::A), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(known(&all), [false, false, true, true]);
        tokio::time::advance(NOTHING_AGE_MAX).await;
        assert_eq!(known(&all), [false, false, true, false]);
        tokio::time::advance(AGE_MAX).await;
        assert_eq!(known(&all), [false; 4]);
    }
}
