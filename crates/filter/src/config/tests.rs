//! What may stand in the sections of the filters.

use super::*;

fn parse(text: &str) -> FilterConfig {
    toml::from_str(text).unwrap()
}

fn complaint(text: &str) -> String {
    parse(text).check().unwrap_err().to_string()
}

#[test]
fn the_least_that_must_be_said() {
    let config = parse(
        "[[milter]]\nname = \"rspamd\"\naddress = \"127.0.0.1:11332\"\n\
         [[policy]]\nname = \"postfwd\"\naddress = \"unix:/run/postfwd.sock\"\n",
    );
    config.check().unwrap();
    assert_eq!(config.names().collect::<Vec<_>>(), ["rspamd", "postfwd"]);
    assert_eq!(config.milter[0].on_failure, OnFailure::Defer);
    assert_eq!(config.policy[0].at, [PolicyStage::Rcpt]);
}

#[test]
fn mistakes_name_the_key() {
    let milter = |more: &str| format!("[[milter]]\nname = \"a\"\naddress = \"h:1\"\n{more}");
    assert!(complaint("[[milter]]\nname = \"A b\"\naddress = \"h:1\"").contains("milter[0].name"));
    assert!(complaint("[[milter]]\nname = \"a\"\naddress = \"h\"").contains("milter[0].address"));
    assert!(complaint(&milter("command_timeout = \"0s\"")).contains("milter[0].command_timeout"));
    assert!(complaint(&milter("connections_max = 0")).contains("1 to 10000"));
    let twice = milter("") + "[[policy]]\nname = \"a\"\naddress = \"h:1\"";
    assert!(complaint(&twice).contains("policy[0].name: there is another filter"));
    let never = "[[policy]]\nname = \"a\"\naddress = \"h:1\"\nat = []";
    assert!(complaint(never).contains("never be asked"));
}

#[test]
fn unknown_keys_are_mistakes() {
    let unknown = "[[milter]]\nname = \"a\"\naddress = \"h:1\"\nadress = 1";
    assert!(toml::from_str::<FilterConfig>(unknown).is_err());
}
