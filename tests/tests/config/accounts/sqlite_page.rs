//! The example of docs/accounts/sqlite.md works as it stands there; only the place of the file is
//! another.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use accounts::{AccountsSection, SourceConfig};
use auth::SystemClock;

use super::Place;

fn page(language: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/accounts/sqlite.md");
    let text = std::fs::read_to_string(page).unwrap();
    let opening = format!("\n```{language}\n");
    let blocks = text.split(&opening).skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_example_of_the_page_works() {
    let [configuration] = &page("toml")[..] else { panic!("one configuration") };
    assert!(configuration.contains("/var/lib/lastpost/accounts.db"));
    let here = configuration.replace("/var/lib/lastpost/", "");
    let place = Place::new(&here);
    let lines: Vec<String> =
        page("sh").iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
    let ours = |line: &&String| line.starts_with("lastpost ");
    let printed: Vec<String> =
        lines.iter().filter(ours).map(|line| place.prints(line, "correct horse\n")).collect();
    assert!(printed.len() >= 2 && printed[1].contains("ann@example.net"), "{printed:?}");

    let file = place.path("accounts.db");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let table: toml::Table = here.parse().unwrap();
    let section: AccountsSection = table["accounts"].clone().try_into().unwrap();
    let section = section.relative_to(file.parent().unwrap());
    let directory = section.open(Arc::new(SystemClock::new()), file.parent().unwrap()).unwrap();
    let ann = directory.blocking().find(&directory.key("ann").unwrap()).unwrap().unwrap();
    assert!(ann.hash().unwrap().verify(b"correct horse"));
    assert_eq!(ann.maildir(), std::path::Path::new("/srv/mail/ann/Maildir"));
    let owner = "A.Miller@example.net".parse().unwrap();
    let owner = directory.blocking().local_mailbox(&owner).unwrap().unwrap();
    assert_eq!(owner.key(), ann.key());

    // The tables are those that the page shows.
    let [tables] = &page("sql")[..] else { panic!("one schema") };
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/accounts/src/sqlite/schema/1.sql");
    assert_eq!(std::fs::read_to_string(schema).unwrap().trim_end(), tables.trim_end());
    let source: &SourceConfig = &section.source[0];
    assert_eq!(source.name, "customers");
}
