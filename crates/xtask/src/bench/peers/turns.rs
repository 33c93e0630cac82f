//! Two sides that run in turns, and what comes of it.

use std::fmt;

use serde::Serialize;

use crate::bench::BenchError;
use crate::bench::load::Report;

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// Ours, then theirs.
pub(super) type Pair = [Report; 2];

/// Runs pairs, of which each begins with the side that the last one ended with: what a side
/// leaves to the disk, or to a core's clock, falls on both equally. One pair more than asked for
/// is run: the first one warms caches and is left out.
pub(super) async fn in_turns(
    pairs: usize,
    mut run: impl AsyncFnMut(Side) -> Result<Report, BenchError>,
) -> Result<Vec<Pair>, BenchError> {
    let mut done = Vec::new();
    for number in 0..=pairs.max(1) {
        let ours_first = number % 2 == 0;
        let [first, second] =
            if ours_first { [Side::Ours, Side::Theirs] } else { [Side::Theirs, Side::Ours] };
        let first = shown(run(first).await?);
        let second = shown(run(second).await?);
        let pair = if ours_first { [first, second] } else { [second, first] };
        if number > 0 {
            done.push(pair);
        }
    }
    Ok(done)
}

fn shown(report: Report) -> Report {
    eprintln!("{report}");
    report
}

/// Medians of the pairs.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Operations: sessions or messages.
    pub(super) per_second: f64,
    /// Messages at the next hop, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivered_per_second: Option<f64>,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// CPU of all processes of the side, for one operation.
    pub(super) server_cpu_ms: f64,
}

impl Figures {
    fn of(median: impl Fn(&dyn Fn(&Report) -> Option<f64>) -> Option<f64>) -> Self {
        let always = |value: fn(&Report) -> f64| median(&|r| Some(value(r))).unwrap_or(0.0);
        Self {
            per_second: always(|r| r.per_second),
            delivered_per_second: median(&|r| r.delivered_per_second),
            p50_ms: always(|r| r.p50_ms),
            p99_ms: always(|r| r.p99_ms),
            server_cpu_ms: always(|r| r.server_cpu_ms_per_operation),
        }
    }
}

/// What was compared, and with whom.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Subject {
    pub(super) what: &'static str,
    pub(super) peer: &'static str,
    pub(super) tls: bool,
    pub(super) connections: u64,
}

/// The result for one subject.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    #[serde(flatten)]
    pub(super) subject: Subject,
    pub(super) ours: Figures,
    pub(super) theirs: Figures,
    /// Ours divided by theirs in each pair, and the median of that.
    pub(super) ratio: Figures,
    pub(super) pairs: usize,
    pub(super) errors: u64,
}

impl Comparison {
    pub(super) fn new(subject: Subject, pairs: &[Pair]) -> Self {
        let side = |at: usize| {
            Figures::of(|value| median(pairs.iter().map(|pair| value(&pair[at.min(1)]))))
        };
        Self {
            subject,
            ours: side(0),
            theirs: side(1),
            ratio: Figures::of(|value| {
                median(pairs.iter().map(|[ours, theirs]| Some(value(ours)? / value(theirs)?)))
            }),
            pairs: pairs.len(),
            errors: pairs.iter().flatten().map(|report| report.errors).sum(),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { what, peer, tls, connections } = self.subject;
        let clear = if tls { "TLS" } else { "in clear" };
        write!(f, "== {what} {clear}, {connections} at a time, medians of {} pairs", self.pairs)?;
        for (name, figures) in [("ours", &self.ours), (peer, &self.theirs)] {
            write!(f, "\n   {name:<8}{:>9.1}/s", figures.per_second)?;
            if let Some(delivered) = figures.delivered_per_second {
                write!(f, "  delivered{delivered:>9.1}/s")?;
            }
            let Figures { p50_ms, p99_ms, server_cpu_ms, .. } = figures;
            write!(f, "  p50{p50_ms:>9.2} ms  p99{p99_ms:>9.2} ms  CPU{server_cpu_ms:>8.3} ms")?;
        }
        write!(f, "\n   {:<8}{:>9.2}  ", "ratio", self.ratio.per_second)?;
        if let Some(delivered) = self.ratio.delivered_per_second {
            write!(f, "  delivered{delivered:>9.2}  ")?;
        }
        let Figures { p50_ms, p99_ms, server_cpu_ms, .. } = &self.ratio;
        write!(f, "  p50{p50_ms:>9.2}     p99{p99_ms:>9.2}     CPU{server_cpu_ms:>8.3}")?;
        if self.errors > 0 {
            write!(f, "\n   {} errors: this is no result", self.errors)?;
        }
        Ok(())
    }
}

/// `None` without any finite value.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.flatten().filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(per_second: f64, cpu: f64, errors: u64) -> Report {
        Report {
            what: String::new(),
            connections: 1,
            seconds: 1.0,
            operations: 1,
            per_second,
            delivered_per_second: None,
            megabytes_per_second: 0.0,
            p50_ms: 1.0,
            p99_ms: 2.0,
            max_ms: 3.0,
            errors,
            error_kinds: Default::default(),
            server_cpu_seconds: cpu,
            server_cpu_ms_per_operation: cpu,
            client_cpu_seconds: 0.0,
        }
    }

    const SUBJECT: Subject = Subject { what: "x", peer: "peer", tls: false, connections: 1 };

    #[test]
    fn a_ratio_is_the_median_of_the_pairs() {
        let pair = |ours, theirs| [report(ours, 1.0, 0), report(theirs, 4.0, 1)];
        let pairs = [pair(100.0, 50.0), pair(900.0, 1.0), pair(10.0, 10.0)];
        let result = Comparison::new(SUBJECT, &pairs);
        assert_eq!((result.ratio.per_second, result.ratio.server_cpu_ms), (2.0, 0.25));
        assert_eq!((result.ratio.p99_ms, result.errors, result.pairs), (1.0, 3, 3));
        assert_eq!((result.ours.per_second, result.theirs.per_second), (100.0, 10.0));
        assert!(result.ratio.delivered_per_second.is_none());
        assert!(result.to_string().ends_with("3 errors: this is no result"), "{result}");
        assert_eq!(Comparison::new(SUBJECT, &[]).ratio.per_second, 0.0);
    }

    #[test]
    fn a_ratio_to_nothing_is_left_out() {
        let mut pairs = [
            [report(4.0, 1.0, 0), report(0.0, 0.0, 0)],
            [report(4.0, 1.0, 0), report(2.0, 0.0, 0)],
        ];
        for report in pairs.iter_mut().flatten() {
            report.delivered_per_second = Some(report.per_second);
        }
        let result = Comparison::new(SUBJECT, &pairs);
        assert_eq!((result.ratio.per_second, result.ratio.server_cpu_ms), (2.0, 0.0));
        assert_eq!(result.theirs.per_second, 1.0);
        assert_eq!(result.ratio.delivered_per_second, Some(2.0));
        assert!(!result.to_string().contains("errors"), "{result}");
    }

    #[tokio::test]
    async fn sides_take_turns_and_the_first_pair_is_left_out() {
        let mut order = Vec::new();
        let pairs = in_turns(2, async |side| {
            order.push(side);
            let ours = side == Side::Ours;
            Ok(report(if ours { order.len() as f64 } else { 0.0 }, 1.0, 0))
        })
        .await
        .unwrap();
        use Side::{Ours, Theirs};
        assert_eq!(order, [Ours, Theirs, Theirs, Ours, Ours, Theirs]);
        let ours: Vec<f64> = pairs.iter().map(|[ours, _]| ours.per_second).collect();
        assert_eq!(ours, [4.0, 5.0]);
        assert!(in_turns(1, async |_| Err(BenchError::Closed)).await.is_err());
    }
}
