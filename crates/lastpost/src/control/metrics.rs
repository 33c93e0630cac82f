//! Figures as OpenMetrics text.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// What the text is, for the answer's header.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A figure of a room at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Room and figure, such as `pop3.logins`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What it counts, in a sentence without its stop.
    pub(crate) help: &'static str,
    /// What tells it from others of the same name: key and value.
    pub(crate) label: Option<(&'static str, String)>,
    pub(crate) value: u64,
}

/// What a figure can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only rises while the daemon runs.
    Counter,
    /// It rises and falls.
    Gauge,
}

impl Figure {
    pub(crate) fn counter(name: &str, help: &'static str, value: u64) -> Self {
        Self { name: name.to_owned(), kind: Kind::Counter, help, label: None, value }
    }

    pub(crate) fn gauge(name: &str, help: &'static str, value: u64) -> Self {
        Self { kind: Kind::Gauge, ..Self::counter(name, help, value) }
    }

    pub(crate) fn labelled(self, key: &'static str, value: impl Into<String>) -> Self {
        Self { label: Some((key, value.into())), ..self }
    }

    /// Name and label as the status page shows them.
    pub(crate) fn title(&self) -> String {
        match &self.label {
            Some((_, value)) => format!("{}[{value}]", self.name),
            None => self.name.clone(),
        }
    }
}

/// All figures at one moment.
#[derive(Debug)]
struct Figures(Vec<Figure>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        // Those of one name must stand together.
        for same in self.0.chunk_by(|a, b| a.name == b.name) {
            let Some(first) = same.first() else { continue };
            let kind = match first.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let name = first.name.replace(['.', '-'], "_");
            let mut family = encoder.encode_descriptor(&name, first.help, None, kind)?;
            for figure in same {
                let label = figure.label.as_ref().map(|(key, value)| [(*key, value.as_str())]);
                let labels: &[(&str, &str)] = label.as_ref().map_or(&[], |label| label);
                let one = family.encode_family(&labels)?;
                match figure.kind {
                    Kind::Counter => ConstCounter::new(figure.value).encode(one)?,
                    Kind::Gauge => {
                        let value = i64::try_from(figure.value).unwrap_or(i64::MAX);
                        ConstGauge::new(value).encode(one)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The text that a scrape gets.
pub(super) fn text_of(figures: Vec<Figure>) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("lastpost");
    registry.register_collector(Box::new(Figures(figures)));
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_open_metrics() {
        let figures = vec![
            Figure::counter("pop3.logins", "Logins that succeeded", 7),
            Figure::gauge("relay.queued", "Messages that wait", 2).labelled("hop", "a\"b"),
            Figure::gauge("relay.queued", "Messages that wait", 3).labelled("hop", "c"),
        ];
        let expected = "# HELP lastpost_pop3_logins Logins that succeeded\n\
                        # TYPE lastpost_pop3_logins counter\n\
                        lastpost_pop3_logins_total 7\n\
                        # HELP lastpost_relay_queued Messages that wait\n\
                        # TYPE lastpost_relay_queued gauge\n\
                        lastpost_relay_queued{hop=\"a\\\"b\"} 2\n\
                        lastpost_relay_queued{hop=\"c\"} 3\n\
                        # EOF\n";
        assert_eq!(text_of(figures).unwrap(), expected);
    }
}
