//! Address patterns: `*` for any run of characters, `?` for one.

/// A pattern over whole, lower-case account names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Box<[char]>);

impl Pattern {
    /// No account name is longer, so no pattern need be.
    pub(crate) const LENGTH_MAX: usize = 320;

    /// A pattern, lower-cased as account names are. `None` if it is empty, too long, or holds
    /// a character that no account name holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::LENGTH_MAX;
        let clean = text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '/');
        (fits && clean).then(|| Self(text.to_lowercase().chars().collect()))
    }

    /// Whether the whole of `name` fits. Takes at most pattern length × name length steps.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut rest = name.chars();
        let mut at = 0;
        // Where to resume when a run that `*` stands for must be longer by one.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            match (self.0.get(at), rest.next()) {
                (Some('*'), _) => {
                    at += 1;
                    rest = before.clone();
                    retry = Some((at, before));
                    continue;
                }
                (Some('?'), Some(_)) => at += 1,
                (Some(wanted), Some(found)) if *wanted == found => at += 1,
                (None, None) => return true,
                _ => {
                    let Some((resume, mut longer)) = retry.take() else { return false };
                    if longer.next().is_none() {
                        return false;
                    }
                    at = resume;
                    rest = longer.clone();
                    retry = Some((resume, longer));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn stars_and_question_marks() {
        assert!(fits("*@north.example", "alice@north.example"));
        assert!(!fits("*@north.example", "alice@north.example.org"));
        assert!(fits("a?ice@*", "alice@north.example"));
        assert!(!fits("a?ice@*", "aice@north.example"));
        assert!(fits("*", "x"));
        assert!(fits("*a*b*c", "xxaybzbc"));
        assert!(!fits("*a*b*c", "xxaybzb"));
        assert!(fits("ALICE@*", "alice@x.example"));
        assert!(fits("a*", "a"));
        assert!(fits("日*@x.example", "日本@x.example"));
    }

    #[test]
    fn refuses_what_no_name_can_be() {
        assert_eq!(Pattern::parse(""), None);
        assert_eq!(Pattern::parse("a b"), None);
        assert_eq!(Pattern::parse("a/b"), None);
        assert_eq!(Pattern::parse(&"*".repeat(321)), None);
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = Pattern::parse(&"*a".repeat(160)).unwrap();
        assert!(!pattern.matches(&"a".repeat(159)));
        assert!(pattern.matches(&"a".repeat(160)));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(319))));
    }
}
