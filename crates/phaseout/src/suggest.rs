//! The likely intent behind a misspelled word.

/// Nothing longer is a misspelling of anything; it bounds the work on hostile input.
const WORD_MAX: usize = 64;

/// The candidate that lies so near to `written` that it was probably meant.
#[must_use]
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if written.len() > WORD_MAX {
        return None;
    }
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= WORD_MAX)
        .map(|candidate| (distance(&written, &candidate.to_lowercase()), candidate))
        .min_by_key(|(far, _)| *far)
        .filter(|(far, _)| *far <= 1 + written.len() / 4)
        .map(|(_, candidate)| candidate)
}

/// Edit distance in octets, a swap of neighbours counting as one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let width = b.len() + 1;
    let mut table = vec![0usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = table[(i - 1) * width + j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let shortest = table[(i - 1) * width + j].min(table[i * width + j - 1]) + 1;
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { table[(i - 2) * width + j - 2] + 1 } else { usize::MAX };
                replaced.min(shortest).min(swap)
            };
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let keys = ["window", "enabled", "cohort", "closed"];
        assert_eq!(nearest("wndow", keys), Some("window"));
        assert_eq!(nearest("windwo", keys), Some("window"));
        assert_eq!(nearest("Enabled", keys), Some("enabled"));
        assert_eq!(nearest("cohorts", keys), Some("cohort"));
        assert_eq!(nearest("database", keys), None);
        assert_eq!(nearest(&"w".repeat(10_000), keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
