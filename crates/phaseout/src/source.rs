//! A configuration file as it was written, so that every mistake can be pointed at.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::suggest::nearest;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as it was named.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One mistake in a configuration file: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file.
    pub file: Arc<str>,
    /// The place, unless the mistake is the whole file.
    pub place: Option<Place>,
    /// The line as it was written.
    pub text: String,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do, if that does not follow from the message.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake that is a whole file.
    #[must_use]
    pub fn of_file(file: &Path, message: impl Into<String>, help: Option<&str>) -> Self {
        Self {
            file: file.display().to_string().into(),
            place: None,
            text: String::new(),
            message: message.into(),
            help: help.map(str::to_owned),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "{}: {}", self.file, self.message)?,
            Some(Place { file, line, column }) => {
                let gutter = line.to_string();
                writeln!(f, "{file}:{line}:{column}: {}", self.message)?;
                writeln!(f, "{gutter} | {}", self.text)?;
                let (blank, caret) = (gutter.len(), *column as usize);
                write!(f, "{:blank$} | {:>caret$}", "", "^")?;
            }
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// All mistakes found in a configuration file; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// `Ok` if there are none.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn check(mistakes: Vec<Mistake>) -> Result<(), Self> {
        if mistakes.is_empty() { Ok(()) } else { Err(Self(mistakes)) }
    }

    /// The mistakes in the order of the file.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.0
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

/// A configuration file and its text.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    name: Arc<str>,
    text: String,
}

impl Source {
    /// No configuration file is longer; a larger one is a wrong path.
    pub const OCTETS_MAX: u64 = 4 << 20;

    /// Reads a file of at most [`Self::OCTETS_MAX`]. Blocks.
    ///
    /// # Errors
    /// If it cannot be read, is too large, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        let fault = |message: String| Mistakes::from(Mistake::of_file(path, message, None));
        let mut octets = Vec::new();
        File::open(path)
            .and_then(|file| file.take(Self::OCTETS_MAX + 1).read_to_end(&mut octets))
            .map_err(|error| fault(format!("it cannot be read: {error}")))?;
        if octets.len() as u64 > Self::OCTETS_MAX {
            return Err(fault("it is larger than 4 MiB: is this the right file?".to_owned()));
        }
        let text = String::from_utf8(octets).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(valid).filter(|o| **o == b'\n').count() + 1;
            fault(format!("line {line} is not UTF-8"))
        })?;
        Ok(Self::from_text(path, text))
    }

    /// A file whose text is known already.
    #[must_use]
    pub fn from_text(path: &Path, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), name: path.display().to_string().into(), text: text.into() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `path` as the file means it: relative paths start where the file lies.
    #[must_use]
    pub fn relative(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Parses it.
    ///
    /// # Errors
    /// If it is not TOML, has an unknown key, or a value of the wrong type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistakes> {
        let document = toml::Deserializer::parse(&self.text)
            .map_err(|error| Mistakes::from(self.mistake(error.span(), error.message(), None)))?;
        serde_path_to_error::deserialize(document).map_err(|error| {
            let key = key_of(error.path());
            let inner = error.into_inner();
            let (message, help) = in_words(&key, inner.message());
            self.mistake(inner.span(), message, help).into()
        })
    }

    /// The place where `span` begins.
    #[must_use]
    pub fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|octet| *octet == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { file: Arc::clone(&self.name), line: small(line), column: small(column) }
    }

    /// A mistake at `span`.
    #[must_use]
    pub fn mistake(
        &self,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Mistake {
        let place = span.map(|span| self.place(&span));
        let text = place
            .as_ref()
            .and_then(|place| self.text.lines().nth(place.line as usize - 1))
            .unwrap_or_default()
            .to_owned();
        Mistake { file: Arc::clone(&self.name), place, text, message: message.into(), help }
    }
}

/// The dotted key that serde was at, without the inner names of `toml::Spanned`.
fn key_of(path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    let parts = path.split('.').filter(|part| !part.starts_with("$__") && *part != "?");
    parts.collect::<Vec<_>>().join(".")
}

/// The parser's message, with the key it is about and the likely remedy.
fn in_words(key: &str, message: &str) -> (String, Option<String>) {
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    if let (true, Some(written)) = (unknown, words.next()) {
        let known: Vec<_> = words.collect();
        let what = if message.starts_with("unknown field") { "key" } else { "value" };
        let listed = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let help = nearest(written, known).map(|name| format!("did you mean `{name}`?"));
        let owner = key.strip_suffix(written).unwrap_or(key).trim_end_matches('.');
        let within = if owner.is_empty() { String::new() } else { format!(" in `{owner}`") };
        return (format!("unknown {what} `{written}`{within}, expected one of {listed}"), help);
    }
    let message = in_terms_of_toml(message);
    let help = help_for(key, &message);
    let message = if key.is_empty() { message } else { format!("`{key}`: {message}") };
    (message, help)
}

/// Serde speaks of Rust's types; whoever writes the file knows TOML's.
fn in_terms_of_toml(message: &str) -> String {
    const TERMS: [(&str, &str); 8] = [
        ("expected a sequence", "expected a list"),
        ("expected f64", "expected a number"),
        ("expected u8", "expected a whole number"),
        ("expected u16", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected usize", "expected a whole number"),
        ("invalid type: map", "invalid type: table"),
    ];
    TERMS.iter().fold(message.to_owned(), |text, (rust, toml)| text.replace(rust, toml))
}

fn help_for(key: &str, message: &str) -> Option<String> {
    if message.contains("expected a TOML datetime") {
        return Some("write a date such as 2027-03-10, without quotes".to_owned());
    }
    if message.contains("invalid type: table, expected a list") {
        return Some(format!("write the header with two brackets: [[{key}]]"));
    }
    message.ends_with("expected a list").then(|| "write it in brackets: [ ]".to_owned())
}
