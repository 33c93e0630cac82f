//! Tables that are taken, and tables that are refused with file, line and column.

use std::path::{Path, PathBuf};

use address::Mailbox;
use proptest::prelude::*;

use super::*;

fn read_with(text: &[u8], domain: Option<&str>) -> Result<Listing, AccountsError> {
    let domain = domain.map(|d| Domain::parse(d).unwrap());
    let maildir = MaildirTemplate::parse("%h/Maildir").unwrap();
    let weak_schemes = WeakSchemes::default();
    let rules = Rules { default_domain: domain.as_ref(), maildir: &maildir, weak_schemes };
    read(text, Path::new("passwd"), &rules)
}

fn one(line: &str) -> Account {
    let mut accounts = read_with(line.as_bytes(), Some("example.net")).unwrap().accounts;
    assert_eq!(accounts.len(), 1);
    accounts.remove(0)
}

/// `line:column problem` of a table that is refused.
fn refusal(text: &[u8]) -> (u32, u32, String) {
    match read_with(text, Some("example.net")) {
        Err(AccountsError::Line { file, line, column, problem }) => {
            assert_eq!(file, PathBuf::from("passwd"));
            (line, column, problem)
        }
        other => panic!("expected a wrong line, got {:?}", other.map(|l| l.accounts.len())),
    }
}

fn addresses(account: &Account) -> Vec<String> {
    account.addresses().iter().map(ToString::to_string).collect()
}

#[test]
fn a_full_line() {
    let account = one("Ann:{PLAIN}x:5000:5000:Ann of the mill:/home/ann:/bin/sh:\
         addresses=ann@example.net,Ann.Miller@example.org maildir=/mail/ann");
    assert_eq!(account.key().as_str(), "ann@example.net");
    assert_eq!(addresses(&account), ["ann@example.net", "Ann.Miller@example.org"]);
    assert_eq!(account.maildir(), Path::new("/mail/ann"));
    assert!(!account.is_disabled());
    assert!(account.hash().unwrap().verify(b"x"));
}

#[test]
fn defaults_follow_the_login_and_the_home() {
    let account = one("ann:{PLAIN}x:::gecos:/home/ann mill:");
    assert_eq!(addresses(&account), ["ann@example.net"]);
    assert_eq!(account.maildir(), Path::new("/home/ann mill/Maildir"));
    let account = one("bob@example.org:{PLAIN}x:::::: maildir=/m/bob ");
    assert_eq!(addresses(&account), ["bob@example.org"]);
    assert_eq!(account.maildir(), Path::new("/m/bob"));
}

#[test]
fn dovecots_own_words_are_obeyed_or_passed_over() {
    let account =
        one("ann:{PLAIN}x::::::userdb_home=/home/ann userdb_quota_rule=*:storage=1G nologin");
    assert_eq!(account.maildir(), Path::new("/home/ann/Maildir"));
    assert!(account.is_disabled());
    let account = one("ann:{PLAIN}x::::/home/x::userdb_mail=maildir:/m/ann:INDEX=/i");
    assert_eq!(account.maildir(), Path::new("/m/ann"));
    let text = b"ann:{PLAIN}x::::/h::userdb_quota=1\nbob:$6$$8y6PVYqQtpfG9xvTRhDP.6tpSIg3DtzuDw2JYBjJ46A1LHSd9Wm7027UoVGmvDUOetYPPD70QtxyqGSDZzZ6v1::::/h\n";
    let listing = read_with(text, None).unwrap();
    let warnings = listing.warnings.join("\n");
    assert_eq!(listing.warnings.len(), 3, "{warnings}");
    assert!(warnings.contains("passwd:1: {PLAIN}") && warnings.contains("(1 accounts)"));
    assert!(warnings.contains("passwd:1: no address") && warnings.contains("(2 accounts)"));
    assert!(warnings.contains("passwd:1: userdb_"));
}

#[test]
fn what_is_agreed_with_a_customer() {
    let account = one("ann:{PLAIN}x::::/h::quota=1G,9 sessions=2 expire_arrived=never quota=2G");
    let policy = account.policy();
    assert_eq!(policy.words(), ["sessions=2", "expire_arrived=never", "quota=2G"]);
    assert!(one("ann:{PLAIN}x::::/h::disabled=no").policy().is_default());
}

#[test]
fn locked_and_disabled_accounts() {
    for (line, opens) in [
        ("a:!{PLAIN}x::::/h", true),
        ("a:!!$2b$04$abcdefghijklmnopqrstuuYbvff1dukxklBfylGW3IP72AwFs6JrW::::/h", false),
        ("a:*::::/h", false),
        ("a:!*::::/h", false),
        ("a:{PLAIN}x::::/h::disabled=yes", true),
        ("a:{PLAIN}x::::/h::disabled=true disabled=no", true),
    ] {
        let account = one(line);
        assert!(account.is_disabled(), "{line}");
        assert_eq!(account.hash().unwrap().verify(b"x"), opens, "{line}");
    }
    assert!(!one("a:{PLAIN}x::::/h::disabled=no").is_disabled());
}

#[test]
fn comments_blank_lines_line_ends_and_marks() {
    let text =
        b"\xef\xbb\xbf# accounts\r\n\r\n   \t\na:{PLAIN}x::::/h\r\n#b:broken\nb:{PLAIN}x::::/h";
    let listing = read_with(text, Some("example.net")).unwrap();
    assert_eq!(listing.lines, [4, 6]);
    assert_eq!(listing.accounts[0].maildir(), Path::new("/h/Maildir"), "no CR in it");
    assert!(read_with(b"", None).unwrap().accounts.is_empty());
}

#[test]
fn a_wrong_line_is_named_with_its_column_and_what_was_expected() {
    let cases: &[(&str, u32, &str)] = &[
        ("ann", 4, "expected a colon and {SCHEME}hash"),
        (":{PLAIN}x::::/h", 1, "expected a name"),
        ("../x:{PLAIN}x::::/h", 1, "expected a name"),
        ("a/b:{PLAIN}x::::/h", 1, "no account name may hold"),
        ("a\0:{PLAIN}x::::/h", 1, "no account name may hold"),
        ("ann::::::/h", 5, "no password scheme"),
        ("ann:{NTLM}x::::/h", 5, "unknown password scheme \"NTLM\""),
        ("日本:secret::::/h", 4, "no password scheme"),
        ("ann:{PLAIN}x", 13, "no home"),
        ("ann:{PLAIN}x::::home::", 17, "absolute path"),
        ("ann:{PLAIN}x::::/h/../etc::", 17, "absolute path"),
        ("ann:{PLAIN}x::::::maildir=m", 27, "absolute path"),
        ("ann:{PLAIN}x::::::maildir=/m/../../etc", 27, "without \"..\""),
        ("ann:{PLAIN}x::::::maildir=/m\0", 27, "absolute path"),
        ("ann:{PLAIN}x::::/h::addresses=a@x.example,b", 43, "address \"b\": it has no @domain"),
        ("ann:{PLAIN}x::::/h::addresses=", 31, "address \"\": it is empty"),
        ("ann:{PLAIN}x::::/h::send_as=a@x.example,@b", 41, "send_as \"@b\": "),
        ("ann:{PLAIN}x::::/h::send_as=ben", 29, "expected send_as=local@domain,@domain"),
        ("ann:{PLAIN}x::::/h::disabled=maybe", 21, "disabled=yes or disabled=no"),
        ("ann:{PLAIN}x::::/h::disabled", 21, "disabled=yes or disabled=no"),
        ("ann:{PLAIN}x::::/h::userdb_mail=mbox:/m", 21, "maildir:"),
        ("ann:{PLAIN}x::::/h::allow_nets=10.0.0.0/8", 21, "\"allow_nets\" is not obeyed here"),
        ("ann:{PLAIN}x::::/h::maildir=/m adresses=a@b.example", 32, "expected addresses="),
        ("ann:{PLAIN}x::::/h::quota=1X", 21, "quota: \"1X\"; expected octets such as \"1G\""),
        ("ann:{PLAIN}x::::/h::maildir=/m login_delay=fast", 32, "login_delay: \"fast\"; expected"),
        ("ann:{PLAIN}x::::/h::sessions=0", 21, "sessions: \"0\"; expected 1 to"),
        ("ann:{PLAIN}x::::/h::expire_retrieved=30", 21, "expire_retrieved: \"30\"; expected"),
        ("ann:{PLAIN}x::::/h::expire_arrived=0d", 21, "expire_arrived: \"0d\"; expected"),
        ("a..b:{PLAIN}x::::/h", 1, "the login is no mail address"),
    ];
    for (line, column, expected) in cases {
        let text = format!("# table\nok:{{PLAIN}}x::::/h\n{line}\n");
        let (at, found, problem) = refusal(text.as_bytes());
        assert_eq!((at, found), (3, *column), "{line}: {problem}");
        assert!(problem.contains(expected), "{line}: {problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}

#[test]
fn a_weak_hash_is_let_in_by_name_alone() {
    let line = b"\nann:{CRYPT}ab/z7EXUyF0fk::::/home/ann\n";
    let (number, column, problem) = refusal(line);
    assert_eq!((number, column), (2, 5));
    assert!(problem.contains("auth.weak_schemes has \"CRYPT\""), "{problem}");
    assert!(!problem.contains("EXUyF0fk"), "{problem}");
    assert_eq!(refusal(b"ann:!{CRYPT}ab/z7EXUyF0fk::::/home/ann\n").1, 5, "locked or not");
    let maildir = MaildirTemplate::parse("%h/Maildir").unwrap();
    let weak_schemes = vec!["CRYPT".to_owned()].try_into().unwrap();
    let rules = Rules { default_domain: None, maildir: &maildir, weak_schemes };
    let listing = read(&line[..], Path::new("passwd"), &rules).unwrap();
    assert!(listing.accounts[0].hash().unwrap().verify(b"bench-pass"));
}

#[test]
fn octets_outside_utf8_are_named() {
    let (line, column, problem) = refusal(b"a:{PLAIN}x::::/h\nb\xff:{PLAIN}x::::/h\n");
    assert_eq!((line, column), (2, 2));
    assert!(problem.contains("UTF-8"));
}

#[test]
fn a_login_that_stands_twice_is_refused_in_any_spelling() {
    let text = b"ann:{PLAIN}x::::/h\n\nANN@Example.NET:{PLAIN}y::::/h\n";
    let (line, column, problem) = refusal(text);
    assert_eq!((line, column), (3, 1));
    assert!(problem.contains("ann@example.net stands in line 1 already"), "{problem}");
}

#[test]
fn one_address_may_belong_to_several_and_twice_is_once() {
    let text = b"a:{PLAIN}x::::/h::addresses=team@example.net,Team@example.net,a@example.net\n\
                 b:{PLAIN}x::::/h::addresses=b@example.net,team@example.net\n";
    let listing = read_with(text, Some("example.net")).unwrap();
    assert_eq!(addresses(&listing.accounts[0]), ["team@example.net", "a@example.net"]);
    assert_eq!(addresses(&listing.accounts[1]), ["b@example.net", "team@example.net"]);
}

#[test]
fn others_let_it_send_as_them() {
    let account =
        one("a:{PLAIN}x::::/h::send_as=boss@example.net,@club.example.net addresses=a@x.example");
    assert_eq!(addresses(&account), ["a@x.example"]);
    let may = |address: &str| account.may_send_as(&Mailbox::parse(address).unwrap());
    assert!(may("a@x.example") && may("Boss@Example.NET") && may("anybody@club.example.net"));
    assert!(!may("other@example.net") && !may("a@sub.club.example.net"));
    assert!(!account.owns(&Mailbox::parse("boss@example.net").unwrap()), "no mail comes of it");
    assert!(one("a:{PLAIN}x::::/h").delegations().is_empty());
}

#[test]
fn an_endless_line_is_refused_without_being_kept() {
    let mut text = b"a:{PLAIN}x::::/h\nb:{PLAIN}x::::/h::".to_vec();
    text.resize(10 << 20, b'y');
    let (line, _, problem) = refusal(&text);
    assert_eq!(line, 2);
    assert!(problem.contains("longer than 65536"), "{problem}");
}

#[test]
fn the_error_reads_as_file_line_column() {
    let error = read_with(b"ann:x::::/h", None).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("passwd:1:5: no password scheme; expected"), "{error}");
}

proptest! {
    #[test]
    fn any_octets_are_a_table_or_an_error(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_with(&text, Some("example.net"));
    }

    #[test]
    fn any_fields_give_an_account_whose_maildir_is_straight(
        login in "[a-z.@/]{0,12}", home in "[/a-z.: ]{0,16}", extra in "[a-z=,@/. ]{0,40}",
    ) {
        let line = format!("{login}:{{PLAIN}}x::::{home}::{extra}");
        if let Ok(listing) = read_with(line.as_bytes(), None) {
            for account in listing.accounts {
                prop_assert!(crate::maildir_template::is_straight(account.maildir()));
            }
        }
    }
}
