//! Configuration files of rooms that this program no longer has.

use std::path::Path;

/// File name, and what to say when it is still there.
const RETIRED: &[(&str, &str)] = &[
    #[cfg(not(feature = "pop-before-smtp"))] // retire
    (
        "pop-before-smtp.toml",
        "this build has no POP-before-SMTP bridge (it was last part of version 0.1): every \
         customer sends with SMTP AUTH now. Delete this file, and remove \"pop-before-smtp\" \
         from the authorities of each [[submission.listen]]",
    ),
];

/// Looks beside `config_file` for files that nothing reads any more, and says so.
pub fn warn_of_retired_files(config_file: &Path) -> Vec<String> {
    let directory = config_file.parent().unwrap_or(Path::new(""));
    RETIRED
        .iter()
        .map(|(name, advice)| (directory.join(name), advice))
        .filter(|(path, _)| path.exists())
        .map(|(path, advice)| format!("{}: {advice}", path.display()))
        .collect()
}
