//! Tests of the section.

use super::*;

fn listen(name: &str, port: u16) -> SubmissionListen {
    SubmissionListen {
        name: name.to_owned(),
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        tls: TlsMode::Starttls,
        proxy_protocol: false,
        authorities: smtp_auth_alone(),
        receives_local_mail: false,
        lone_lf: LoneLfRule::Normalise,
    }
}

fn error_of(change: impl FnOnce(&mut SubmissionConfig)) -> String {
    let mut config =
        SubmissionConfig { listen: vec![listen("submission", 587)], ..Default::default() };
    config.check().unwrap();
    change(&mut config);
    config.check().unwrap_err().to_string()
}

#[test]
fn the_defaults_are_safe() {
    let config = SubmissionConfig::default();
    config.check().unwrap();
    assert!(config.listen.is_empty());
    assert!(config.cleartext_auth_networks.iter().all(|net| net.addr().is_loopback()));
    assert!(config.warnings().is_empty());
    assert_eq!(listen("a", 1).authorities, ["smtp-auth"]);
}

#[test]
fn an_error_names_key_value_and_what_was_expected() {
    assert_eq!(
        error_of(|c| c.recipients_max = 0),
        "submission.recipients_max: 0 is out of range; expected 1 to 10000"
    );
    assert_eq!(
        error_of(|c| c.message_size_max = Size(1)),
        "submission.message_size_max: 1 is out of range; expected \"64KiB\" to \"2GiB\""
    );
    assert!(error_of(|c| c.command_timeout = Duration::ZERO).contains("\"1s\" to \"1h\""));
    assert!(error_of(|c| c.data_timeout = Duration::from_secs(3601)).contains("data_timeout"));
    assert!(error_of(|c| c.postmaster = Some("root".into())).contains("submission.postmaster"));
    assert!(error_of(|c| c.listen[0].name = "Port 25".into()).contains("listen[0].name"));
    assert!(error_of(|c| c.listen[0].authorities.clear()).contains("nobody could send here"));
    assert!(error_of(|c| c.listen[0].proxy_protocol = true).contains("trusted_proxies"));
    assert!(error_of(|c| c.listen.push(listen("submission", 1))).contains("listen[1].name"));
    assert!(error_of(|c| c.listen.push(listen("other", 587))).contains("listen[1].address"));
    let twice = |c: &mut SubmissionConfig| c.listen[0].authorities.push("smtp-auth".into());
    assert!(error_of(twice).contains("stands twice"));
}

#[test]
fn smtp_auth_comes_before_every_other_authority() {
    let behind = |c: &mut SubmissionConfig| {
        c.listen[0].authorities = vec!["other".into(), "smtp-auth".into()];
    };
    assert!(error_of(behind).contains("\"smtp-auth\" first"));
    let mut config = SubmissionConfig { listen: vec![listen("a", 1)], ..Default::default() };
    config.listen[0].authorities = vec!["other".into()];
    config.check().unwrap();
    config.listen[0].authorities = vec!["smtp-auth".into(), "other".into()];
    config.check().unwrap();
}

#[test]
fn doubtful_values_are_pointed_out() {
    let mut config = SubmissionConfig { listen: vec![listen("a", 1)], ..Default::default() };
    config.cleartext_auth_networks.push("192.0.2.0/24".parse().unwrap());
    config.listen[0].tls = TlsMode::None;
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("192.0.2.0/24"));
    assert!(warnings[1].contains("listener a"));
}

#[test]
fn a_section_is_read_as_documented() {
    let text = r#"
        postmaster = "admin@example.net"
        message_size_max = "25MiB"
        command_timeout = "2m 30s"
        cleartext_auth_networks = ["10.0.0.0/8"]

        [[listen]]
        name = "legacy"
        address = "[::]:25"
        authorities = ["smtp-auth", "other"]
        receives_local_mail = true
        lone_lf = "reject"

        [[listen]]
        name = "submissions"
        address = "0.0.0.0:465"
        tls = "implicit"
    "#;
    let config: SubmissionConfig = toml::from_str(text).unwrap();
    config.check().unwrap();
    assert_eq!(config.message_size_max, Size::mib(25));
    assert_eq!(config.command_timeout, Duration::from_secs(150));
    assert_eq!(config.listen[0].tls, TlsMode::Starttls);
    assert_eq!(config.listen[0].lone_lf, LoneLfRule::Reject);
    assert_eq!(config.listen[1].authorities, ["smtp-auth"]);
    assert!(!config.listen[1].receives_local_mail);
    let unknown = text.replace("lone_lf", "bare_lf");
    let error = toml::from_str::<SubmissionConfig>(&unknown).unwrap_err().to_string();
    assert!(error.contains("bare_lf") && error.contains("lone_lf"), "{error}");
}
