//! Log lines: one per event, for a file, a journal, or somebody who watches the demo.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogConfig, LogFormat};

/// Starts logging to the standard error.
///
/// # Errors
/// If the filter is malformed.
pub(crate) fn start(config: &LogConfig) -> Result<(), String> {
    let filter = filter(config)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let _ = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    Ok(())
}

/// The filter of the configuration.
///
/// # Errors
/// If it is malformed.
pub(crate) fn filter(config: &LogConfig) -> Result<EnvFilter, String> {
    let words = config.filter.as_deref().unwrap_or("info");
    EnvFilter::try_new(words).map_err(|error| {
        format!("{words:?} is no filter ({error}); expected info, or warn,lastpost::auth=debug")
    })
}

/// Starts the demo's log on the standard output: one coloured line per event, or JSON.
pub(crate) fn start_demo(json: bool) {
    let filter = EnvFilter::new("info");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stdout);
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.event_format(Story).try_init()
    };
}

/// An event as a line of a story: time, room, what happened, the details.
struct Story;

impl<S, N> FormatEvent<S, N> for Story
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let colour = match *metadata.level() {
            Level::ERROR => AnsiColor::Red,
            Level::WARN => AnsiColor::Yellow,
            _ => AnsiColor::Green,
        };
        let colour: Style = colour.on_default();
        let faint = Style::new().dimmed();
        let room = metadata.target().rsplit("::").next().unwrap_or_default();
        let (colour, faint) =
            if use_colour() { (colour, faint) } else { (Style::new(), Style::new()) };
        writeln!(
            writer,
            "{faint}{}{faint:#} {colour}{room:>10}{colour:#}  {}{faint}{}{faint:#}",
            time_of_day(),
            line.message,
            line.fields
        )
    }
}

fn use_colour() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

#[allow(clippy::disallowed_methods, reason = "a log line shows when it was written")]
fn time_of_day() -> impl fmt::Display {
    jiff::Timestamp::now().strftime("%H:%M:%S").to_string()
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // What a client wrote must not break the line or paint the terminal.
        let value = value.escape_debug();
        let _ = if field.name() == "message" {
            write!(self.message, "{value}")
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}
