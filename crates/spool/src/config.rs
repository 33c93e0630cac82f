//! The `[spool]` section of the configuration, and what it resolves to.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

/// A number of octets: in configuration an integer, or text such as `"64MiB"`, `"512 KiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// `n` times 1024 octets.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Self(n * 1024)
    }

    /// `n` times 1024 × 1024 octets.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n * 1024 * 1024)
    }

    /// Parses `4096`, `64KiB`, `64 MiB`, `2GiB` (and the same with `K`, `M`, `G`, which are
    /// powers of 1024 too).
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a number of octets such as 4096, \"512KiB\", \"64MiB\" or \"2GiB\"";
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            _ => return Err(EXPECTED),
        };
        let number: u64 = number.parse().map_err(|_| EXPECTED)?;
        number.checked_mul(factor).map(Self).ok_or(EXPECTED)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let unit = UNITS.iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size));
        match unit {
            Some((size, name)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of octets such as 4096, \"512KiB\" or \"64MiB\"")
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Size, E> {
                u64::try_from(value).map(Size).map_err(|_| E::custom("a size is never negative"))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Size, E> {
                Ok(Size(value))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).map_err(|expected| {
                    E::invalid_value(serde::de::Unexpected::Str(text), &expected)
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The `[spool]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// Where queued mail lies. One daemon at a time; created with mode 0700 if missing.
    pub directory: PathBuf,
    /// Size of one file of the log, written full of zeros ahead of its use. 1MiB to 1GiB.
    pub segment_size: Size,
    /// Room for mail that is made ready while there is nothing else to do: a burst of this size
    /// is taken at the full speed of the disk. Up to 64GiB; 0: none.
    pub reserve: Size,
    /// A message larger than this gets a file of its own below `big/` while it is received.
    /// 4KiB to a quarter of `segment_size`.
    pub inline_max: Size,
    /// The largest message the spool takes at all, whatever a listener allows.
    pub message_max: Size,
    /// Memory for all messages that are being received, together; when it is used up,
    /// messages go to files early. At least 1MiB.
    pub memory_max: Size,
    /// Messages the queue may hold; beyond, clients are told to come back (452 4.3.1).
    pub messages_max: u64,
    /// Free space of the file system below which no mail is taken (452 4.3.1).
    pub free_space_min: Size,
    /// Free inodes of the file system below which no mail is taken (452 4.3.1).
    pub free_inodes_min: u64,
    /// A segment with less than this percentage of live octets is emptied into the current
    /// one and deleted. 1 to 75.
    pub compact_below: u8,
    /// Requests that may wait for the writer; more wait in their own sessions. 16 to 65536.
    pub waiting_max: usize,
    /// Threads that may read or write message files at the same time. 1 to 256.
    pub io_threads: usize,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/spool/lastpost"),
            segment_size: Size::mib(64),
            reserve: Size::mib(256),
            inline_max: Size::kib(256),
            message_max: Size::mib(128),
            memory_max: Size::mib(64),
            messages_max: 2_000_000,
            free_space_min: Size::mib(256),
            free_inodes_min: 10_000,
            compact_below: 25,
            waiting_max: 1024,
            io_threads: 16,
        }
    }
}

/// A value of `[spool]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spool.{key} = {found}: expected {expected}")]
pub struct ConfigError {
    /// The key within `[spool]`.
    pub key: &'static str,
    /// What the file says.
    pub found: String,
    /// What it may say.
    pub expected: String,
}

impl SpoolConfig {
    /// A spool in `directory`, everything else by default.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), ..Self::default() }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.directory.as_os_str().is_empty() {
            return Err(ConfigError {
                key: "directory",
                found: "\"\"".to_owned(),
                expected: "the path of a directory".to_owned(),
            });
        }
        let segment = self.segment_size;
        within("segment_size", segment, Size::mib(1), Size::mib(1024))?;
        within("reserve", self.reserve, Size(0), Size::mib(64 * 1024))?;
        within("inline_max", self.inline_max, Size::kib(4), Size(segment.0 / 4))?;
        within("message_max", self.message_max, Size::kib(64), Size::mib(16 * 1024))?;
        within("memory_max", self.memory_max, Size::mib(1), Size::mib(64 * 1024))?;
        within("messages_max", self.messages_max, 1, 1_000_000_000)?;
        within("compact_below", self.compact_below, 1, 75)?;
        within("waiting_max", self.waiting_max, 16, 65_536)?;
        within("io_threads", self.io_threads, 1, 256)
    }
}

fn within<T: PartialOrd + fmt::Display>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(ConfigError { key, found: value.to_string(), expected: format!("{least} to {most}") })
}
