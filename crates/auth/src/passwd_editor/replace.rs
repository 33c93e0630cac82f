//! Several hashes exchanged in one rewriting of the table, each only if it still is what its
//! owner thinks. Other lines are copied unread: a table of a hundred thousand accounts is
//! rewritten in a fraction of the time and memory that reading it would take.

use std::collections::HashMap;

use address::AccountKey;

use super::{EditError, PasswdEditor, lines};
use crate::passwd_file::{Fields, parse_password_field};
use crate::{AccountsConfig, StoredHash};

/// `new` for `old` at the account of `key`.
pub(crate) struct HashChange {
    pub(crate) key: AccountKey,
    pub(crate) old: StoredHash,
    pub(crate) new: StoredHash,
}

impl PasswdEditor {
    /// Makes those of `changes` whose account has the old hash, and says of each whether it
    /// did. A locked account keeps its lock. Blocks; waits up to 5 seconds for another writer.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::save`]; nothing is changed then.
    pub(crate) fn replace_hashes(
        config: &AccountsConfig,
        changes: &[HashChange],
    ) -> Result<Vec<bool>, EditError> {
        let mut editor = Self::locked(config)?;
        let made = editor.exchange(changes)?;
        if made.contains(&true) {
            editor.save()?;
        }
        Ok(made)
    }

    fn exchange(&mut self, changes: &[HashChange]) -> Result<Vec<bool>, EditError> {
        // The last of two changes to one account is the one that counts.
        let wanted: HashMap<&AccountKey, usize> =
            changes.iter().enumerate().map(|(at, change)| (&change.key, at)).collect();
        let mut made = vec![false; changes.len()];
        for at in 0..self.lines.len() {
            let Some((key, line, end)) = self.login_at(at) else { continue };
            let Some((change, made)) =
                wanted.get(&key).and_then(|index| changes.get(*index).zip(made.get_mut(*index)))
            else {
                continue;
            };
            let field = Fields::split(&line).get(Fields::HASH);
            let same = parse_password_field(field).is_ok_and(|(now, _)| now.is_same(&change.old));
            if same {
                lines::check_hash(&change.new)?;
                self.put(at, &lines::with_hash(&line, &change.new), end, &key)?;
                *made = true;
            }
        }
        Ok(made)
    }

    /// The account whose line this is.
    fn login_at(
        &self,
        at: usize,
    ) -> Option<(AccountKey, zeroize::Zeroizing<String>, &'static [u8])> {
        let (text, end) = lines::without_end(self.lines.get(at)?);
        let text = if at == 0 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        if text.starts_with(b"#") {
            return None;
        }
        let line = std::str::from_utf8(text).ok()?;
        let login = line.split_once(':')?.0;
        let key = AccountKey::parse(login, self.default_domain.as_ref()).ok()?;
        Some((key, zeroize::Zeroizing::new(line.to_owned()), end))
    }
}
