//! Command lines: good, bad and hostile.

use super::*;

fn error(line: &[u8]) -> Option<SyntaxError> {
    parse(line).err()
}

#[test]
fn keywords_are_case_insensitive() {
    assert!(matches!(parse(b"sTaT"), Ok(Command::Stat)));
    assert!(matches!(parse(b"top 3 10"), Ok(Command::Top(Ordinal(3), 10))));
}

#[test]
fn a_password_is_the_rest_of_the_line() {
    for password in [&b"a b"[..], b" leading", b"trailing ", b"", b"  "] {
        let line = [&b"PASS "[..], password].concat();
        assert!(matches!(parse(&line), Ok(Command::Pass(found)) if found == password));
    }
    assert_eq!(error(b"PASS"), Some(SyntaxError::ArgumentMissing));
}

#[test]
fn numbers_have_no_sign_and_never_wrap() {
    for bad in [&b"DELE -1"[..], b"DELE 1x", b"DELE +1", b"DELE 1 2", b"DELE 0x1", b"DELE 1\0"] {
        assert_eq!(error(bad), Some(SyntaxError::NotANumber));
    }
    assert_eq!(error(b"DELE"), Some(SyntaxError::ArgumentMissing));
    assert!(matches!(parse(b"DELE 4294967297"), Ok(Command::Dele(Ordinal(4_294_967_297)))));
    let far = b"RETR 99999999999999999999999999";
    assert!(matches!(parse(far), Ok(Command::Retr(number)) if number.index(5).is_none()));
    assert_eq!(Ordinal(0).index(5), None);
    assert_eq!(Ordinal(1).index(5), Some(0));
    assert_eq!(Ordinal(5).index(5), Some(4));
    assert_eq!(Ordinal(6).index(5), None);
}

#[test]
fn top_needs_two_numbers() {
    assert_eq!(error(b"TOP"), Some(SyntaxError::ArgumentMissing));
    assert_eq!(error(b"TOP 1"), Some(SyntaxError::ArgumentMissing));
    assert_eq!(error(b"TOP 1 x"), Some(SyntaxError::NotANumber));
    assert_eq!(error(b"TOP 1 -2"), Some(SyntaxError::NotANumber));
    assert!(matches!(parse(b"TOP 1 4294967294"), Ok(Command::Top(_, 4_294_967_294))));
}

#[test]
fn auth_with_and_without_arguments() {
    for probe in [&b"AUTH"[..], b"AUTH ", b"auth  "] {
        assert!(matches!(parse(probe), Ok(Command::AuthList)));
    }
    assert!(matches!(parse(b"AUTH PLAIN"), Ok(Command::Auth { initial: None, .. })));
    assert!(matches!(parse(b"AUTH PLAIN ="), Ok(Command::Auth { initial: Some(b"="), .. })));
    assert_eq!(error(b"AUTH PLAIN a b"), Some(SyntaxError::ArgumentUnwanted));
}

#[test]
fn only_auth_may_exceed_the_line_limit() {
    let fits = [&b"USER "[..], &[b'u'; LINE_MAX - 5]].concat();
    assert!(parse(&fits).is_ok());
    let long = [&fits[..], b"u"].concat();
    assert_eq!(error(&long), Some(SyntaxError::TooLong));
    assert_eq!(error(&[b'x'; 300]), Some(SyntaxError::TooLong));
    let auth = [&b"AUTH PLAIN "[..], &[b'A'; 12_288]].concat();
    assert!(parse(&auth).is_ok());
}

#[test]
fn everything_else_is_unknown() {
    for line in [&b""[..], b" ", b":", b"STATS", b"\0", b" STAT", b"STAT\t", b"\xff\xfe"] {
        assert_eq!(error(line), Some(SyntaxError::Unknown));
    }
}
