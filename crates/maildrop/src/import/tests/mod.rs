//! Tests of the readers of other servers' records.

mod courier;
mod dovecot;
mod formats;
mod gathering;
mod hostile;
mod listings;

use super::Imported;

/// Name and id of each, in order.
fn pairs(imported: &Imported) -> Vec<(String, String)> {
    let pair =
        |id: &crate::AdoptedId| (String::from_utf8_lossy(&id.base).into_owned(), id.uidl.clone());
    imported.ids.iter().map(pair).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(base, id)| (base.to_owned(), id.to_owned())).collect()
}

fn problem_lines(imported: &Imported) -> Vec<u64> {
    imported.problems.iter().map(|problem| problem.line).collect()
}
