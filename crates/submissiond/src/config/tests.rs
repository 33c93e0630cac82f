//! Tests of the section.

use std::net::SocketAddr;

use super::listen::smtp_auth_alone;
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
        filters: Vec::new(),
        message_size_max: None,
        recipients_max: None,
        xclient_login: false,
        masters_may_send: false,
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

#[test]
fn a_listeners_own_limits_are_within_those_of_all() {
    let own = |change: fn(&mut SubmissionListen)| {
        let mut config =
            SubmissionConfig { listen: vec![listen("legacy", 25)], ..Default::default() };
        change(&mut config.listen[0]);
        config.check().map_err(|error| error.to_string())
    };
    own(|l| (l.recipients_max, l.message_size_max) = (Some(1), Some(Size::kib(64)))).unwrap();
    own(|l| (l.recipients_max, l.message_size_max) = (Some(1000), Some(Size::mib(50)))).unwrap();
    for (change, words) in [
        ((|l| l.recipients_max = Some(0)) as fn(&mut SubmissionListen), "listen[0].recipients_max"),
        (|l| l.recipients_max = Some(1001), "1 to submission.recipients_max, which is 1000"),
        (|l| l.message_size_max = Some(Size(1)), "listen[0].message_size_max"),
        (|l| l.message_size_max = Some(Size::mib(51)), "which is \"50MiB\""),
        (|l| l.filters = vec!["a".into(), "a".into()], "listen[0].filters: a filter stands twice"),
        (|l| l.xclient_login = true, "submission.protocol.xclient_networks is empty"),
    ] {
        let error = own(change).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn what_is_spoken_can_be_obeyed() {
    let of = |change: fn(&mut ProtocolConfig)| {
        let mut config = SubmissionConfig::default();
        change(&mut config.protocol);
        config.check().map_err(|error| error.to_string())
    };
    assert_eq!(ProtocolConfig::default().future_release(), Some(7 * 24 * 60 * 60));
    of(|p| p.future_release_max = Duration::ZERO).unwrap();
    of(|p| p.refusal_note = "Help: https://help.example.net/?q=a b".into()).unwrap();
    for (change, words) in [
        (
            (|p| p.future_release_max = Duration::from_millis(1500)) as fn(&mut ProtocolConfig),
            "submission.protocol.future_release_max",
        ),
        (|p| p.future_release_max = Duration::from_secs(367 * 24 * 60 * 60), "\"0s\" to \"8784h\""),
        (|p| p.mails_per_session_max = 0, "submission.protocol.mails_per_session_max: 0"),
        (|p| p.refusal_note = "caf\u{e9}".into(), "printable ASCII"),
        (|p| p.refusal_note = "a\r\n250 ok".into(), "printable ASCII"),
        (|p| p.refusal_note = "x".repeat(201), "at most 200"),
        (|p| p.xclient_networks = vec!["0.0.0.0/0".parse().unwrap()], "is everybody"),
    ] {
        let error = of(change).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
}
