//! The examples of a page of the admin's guide, as they stand there.

/// The text of the one block of this language on a page below `docs/accounts`.
pub(crate) fn fenced(page: &str, language: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/accounts/");
    let text = std::fs::read_to_string(format!("{root}{page}")).unwrap();
    let opening = format!("\n```{language}\n");
    let mut blocks = text.split(&opening).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("no {language} in {page}"));
    assert!(blocks.next().is_none(), "two blocks of {language} in {page}");
    block.split("\n```").next().unwrap().to_owned() + "\n"
}

/// The one source of an example's configuration, and its default domain.
pub(crate) fn source(configuration: &str) -> (accounts::SourceConfig, address::Domain) {
    let table: toml::Table = configuration.parse().unwrap();
    let accounts = table["accounts"].as_table().unwrap();
    let domain = accounts["default_domain"].as_str().unwrap();
    let mut sources = accounts["source"].as_array().unwrap().clone();
    assert_eq!((sources.len(), table.len(), accounts.len()), (1, 1, 2));
    (sources.remove(0).try_into().unwrap(), address::Domain::parse(domain).unwrap())
}
