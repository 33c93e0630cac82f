//! Reading a TOML file so that a mistake names file, line, column, key, and what to write.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// No configuration file is longer; a larger one is a wrong path.
const FILE_OCTETS_MAX: u64 = 4 << 20;

/// A mistake in a configuration file, ready to be shown.
#[derive(Debug)]
pub struct ConfigError {
    file: PathBuf,
    place: Option<Place>,
    message: String,
}

#[derive(Debug)]
struct Place {
    line: usize,
    column: usize,
    text: String,
}

impl ConfigError {
    /// A mistake in `file` that no single place shows.
    #[must_use]
    pub fn in_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, message: message.into() }
    }

    /// A mistake in the value of `key`, a dotted path such as `relay.next_hop`, or of its
    /// table if the key itself is not written down.
    #[must_use]
    pub fn at_key(file: &Path, source: &str, key: &str, message: impl Into<String>) -> Self {
        let place = locate(source, key).map(|offset| Place::of(source, offset));
        Self { file: file.to_owned(), place, message: format!("{key}: {}", message.into()) }
    }
}

impl Place {
    fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let text = source[start..].lines().next().unwrap_or_default().to_owned();
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            text,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let Some(place) = &self.place else {
            return write!(f, "{file}: {}", self.message);
        };
        let Place { line, column, text } = place;
        writeln!(f, "{file}:{line}:{column}: {}", self.message)?;
        let gutter = line.to_string();
        writeln!(f, "{gutter} | {text}")?;
        write!(f, "{:1$} | {2:>3$}", "", gutter.len(), "^", column)
    }
}

impl std::error::Error for ConfigError {}

/// Reads `file` and parses it; returns the text too, for mistakes found later.
///
/// # Errors
/// If it cannot be read, is not TOML, has an unknown key or a value of the wrong type.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<(T, String), ConfigError> {
    let source = read_text(file)?;
    let value = parse(file, &source)?;
    Ok((value, source))
}

fn read_text(file: &Path) -> Result<String, ConfigError> {
    let unreadable =
        |error: std::io::Error| ConfigError::in_file(file, format!("it cannot be read: {error}"));
    let mut bytes = Vec::new();
    let open = File::open(file).map_err(unreadable)?;
    open.take(FILE_OCTETS_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_OCTETS_MAX {
        return Err(ConfigError::in_file(file, "it is larger than 4 MiB: is this the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|&&octet| octet == b'\n')
            .count();
        ConfigError::in_file(file, format!("line {} is not UTF-8", line + 1))
    })
}

/// Parses TOML that has been read from `file`.
///
/// # Errors
/// As [`read`].
pub fn parse<T: DeserializeOwned>(file: &Path, source: &str) -> Result<T, ConfigError> {
    let at = |error: &toml::de::Error, message: String| ConfigError {
        file: file.to_owned(),
        place: error.span().map(|span| Place::of(source, span.start)),
        message,
    };
    let document = toml::Deserializer::parse(source)
        .map_err(|error| at(&error, error.message().to_owned()))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let message = with_suggestion(in_plain_words(inner.message()));
        at(&inner, if path == "." { message } else { format!("{path}: {message}") })
    })
}

/// What libraries say of a value in words of their own, as words that say what to write.
fn in_plain_words(message: &str) -> &str {
    match message {
        "invalid IP address syntax" => {
            "it is no IP address or network; expected \"192.0.2.1\" or \"2001:db8::1\" for an \
             address, \"192.0.2.0/24\" or \"2001:db8::/32\" for a network"
        }
        "invalid socket address syntax" => {
            "it is no address with a port; expected such as \"192.0.2.1:587\" or \
             \"[2001:db8::1]:587\""
        }
        _ if message.contains("\"friendly\"") => {
            "it is no period; expected such as \"30s\", \"10m\", \"4h\" or \"1h30m\": days are \
             written as hours here, \"48h\""
        }
        _ => message,
    }
}

/// Adds the likely intent to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let (true, Some(written)) = (unknown, names.next()) else {
        return message.to_owned();
    };
    let nearest = names.map(|name| (distance(written, name), name)).min();
    match nearest {
        Some((far, name)) if far <= 1 + written.len() / 3 => {
            format!("{message}; did you mean `{name}`?")
        }
        _ => message.to_owned(),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Offset of a dotted key in the text: the key itself, or the nearest table around it.
fn locate(source: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(source).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for part in key.split('.') {
        // `listen[2]` is the third of the tables `[[listen]]`.
        let (part, index) = match part.split_once('[') {
            Some((part, index)) => (part, index.trim_end_matches(']').parse().unwrap_or(0)),
            None => (part, 0),
        };
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else {
            return found;
        };
        let element = match value.get_ref() {
            toml::de::DeValue::Array(elements) => elements.get(index).unwrap_or(value),
            _ => value,
        };
        match element.get_ref() {
            toml::de::DeValue::Table(inner) => {
                let place = if std::ptr::eq(element, value) { name.span() } else { element.span() };
                found = Some(place.start);
                table = inner;
            }
            _ => return Some(value.span().start),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code)]
        relay: Inner,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code)]
        next_hop: String,
        #[allow(dead_code)]
        #[serde(default)]
        timeout: u32,
    }

    fn message(source: &str) -> String {
        parse::<Sample>(Path::new("x.toml"), source).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_the_likely_one() {
        let shown = message("[relay]\nnext_hop = \"a\"\ntimeuot = 3\n");
        assert!(shown.starts_with("x.toml:3:1: relay"), "{shown}");
        assert!(shown.contains("did you mean `timeout`?"), "{shown}");
        assert!(shown.contains("3 | timeuot = 3\n  | ^"), "{shown}");
    }

    #[test]
    fn a_wrong_type_names_line_column_and_key() {
        let shown = message("[relay]\nnext_hop = 25\n");
        assert!(shown.starts_with("x.toml:2:12: relay.next_hop: invalid type"), "{shown}");
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Plain {
        address: Option<std::net::IpAddr>,
        socket: Option<std::net::SocketAddr>,
        network: Option<ipnet::IpNet>,
        #[serde(
            default,
            with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
        )]
        period: Option<std::time::Duration>,
    }

    #[test]
    fn a_value_of_the_wrong_form_is_told_what_to_write() {
        for (source, expected) in [
            ("address = \"1.2.3\"", "expected \"192.0.2.1\""),
            ("network = \"10.0.0.0/33\"", "\"192.0.2.0/24\""),
            ("network = \"10.0.0.1\"", "\"192.0.2.0/24\""),
            ("socket = \"1.2.3.4\"", "\"192.0.2.1:587\""),
            ("period = \"7d\"", "\"48h\""),
            ("period = \"soon\"", "\"30s\""),
            ("period = \"\"", "\"30s\""),
        ] {
            let shown = parse::<Plain>(Path::new("x.toml"), source).unwrap_err().to_string();
            assert!(shown.starts_with("x.toml:1:") && shown.contains(expected), "{shown}");
            assert!(!shown.contains("jiff") && !shown.contains("syntax"), "{shown}");
        }
    }

    #[test]
    fn broken_syntax_names_the_place() {
        let shown = message("[relay\n");
        assert!(shown.starts_with("x.toml:1:"), "{shown}");
    }

    #[test]
    fn a_later_mistake_finds_its_key_or_its_table() {
        let source = "[relay]\nnext_hop = \"nonsense\"\n";
        let file = Path::new("x.toml");
        let shown = ConfigError::at_key(file, source, "relay.next_hop", "no port").to_string();
        assert!(shown.starts_with("x.toml:2:12: relay.next_hop: no port"), "{shown}");
        let shown = ConfigError::at_key(file, source, "relay.missing", "needed").to_string();
        assert!(shown.starts_with("x.toml:1:2: relay.missing: needed"), "{shown}");
    }
}
