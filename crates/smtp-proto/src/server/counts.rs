//! How often each command came, and how often it was granted: for the log's last line.

use core::fmt;

use super::command::Verb;

const NAMES: [(Verb, &str); 17] = [
    (Verb::Helo, "helo"),
    (Verb::Ehlo, "ehlo"),
    (Verb::StartTls, "starttls"),
    (Verb::Auth, "auth"),
    (Verb::Mail, "mail"),
    (Verb::Rcpt, "rcpt"),
    (Verb::Data, "data"),
    (Verb::Rset, "rset"),
    (Verb::Noop, "noop"),
    (Verb::Vrfy, "vrfy"),
    (Verb::Help, "help"),
    (Verb::Quit, "quit"),
    (Verb::Unoffered, "unoffered"),
    (Verb::Bdat, "bdat"),
    (Verb::Xclient, "xclient"),
    (Verb::Http, "http"),
    (Verb::Unknown, "unknown"),
];

/// Commands of a session by verb. Written as `ehlo=1 auth=0/2 commands=3`: granted of all, or
/// one number where all were granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    granted: [u32; NAMES.len()],
    all: [u32; NAMES.len()],
}

impl Counts {
    pub(crate) fn record(&mut self, verb: Verb, granted: bool) {
        // The order of the table is the order of the variants.
        let at = verb as usize;
        if let (Some(all), Some(good)) = (self.all.get_mut(at), self.granted.get_mut(at)) {
            *all = all.saturating_add(1);
            *good = good.saturating_add(u32::from(granted));
        }
    }

    /// How many commands with this verb got a final reply.
    #[must_use]
    pub fn all(&self, verb: Verb) -> u32 {
        self.all.get(verb as usize).copied().unwrap_or_default()
    }

    /// How many of them were granted.
    #[must_use]
    pub fn granted(&self, verb: Verb) -> u32 {
        self.granted.get(verb as usize).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut commands = 0_u32;
        let mut commands_granted = 0_u32;
        for (verb, name) in NAMES {
            let (granted, all) = (self.granted(verb), self.all(verb));
            commands = commands.saturating_add(all);
            commands_granted = commands_granted.saturating_add(granted);
            if all > 0 {
                write_count(f, name, granted, all)?;
                f.write_str(" ")?;
            }
        }
        write_count(f, "commands", commands_granted, commands)
    }
}

fn write_count(f: &mut fmt::Formatter<'_>, name: &str, granted: u32, all: u32) -> fmt::Result {
    if granted == all { write!(f, "{name}={all}") } else { write!(f, "{name}={granted}/{all}") }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants() {
        for (at, (verb, _)) in NAMES.into_iter().enumerate() {
            assert_eq!(verb as usize, at);
        }
    }

    #[test]
    fn one_number_where_all_were_granted() {
        let mut counts = Counts::default();
        assert_eq!(counts.to_string(), "commands=0");
        counts.record(Verb::Ehlo, true);
        counts.record(Verb::Auth, false);
        counts.record(Verb::Auth, true);
        assert_eq!(counts.to_string(), "ehlo=1 auth=1/2 commands=2/3");
    }
}
