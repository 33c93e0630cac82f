//! Results for people and for programs.

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::CliError;

/// How errors begin.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Where and how a command shows its result.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON or text.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints `value` as JSON, or what `text` makes of it.
    ///
    /// # Errors
    /// If it cannot be represented.
    pub fn show<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        let shown = if self.json {
            serde_json::to_string_pretty(value).map_err(CliError::failed)?
        } else {
            text(value)
        };
        anstream::println!("{}", shown.trim_end());
        Ok(())
    }
}

/// A table with a header; rows may be empty.
#[must_use]
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}
