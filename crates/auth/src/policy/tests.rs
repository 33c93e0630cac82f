//! What can be said of an account, and what cannot.

use super::*;

fn taken(word: &str) -> Result<AccountPolicy, String> {
    let mut policy = AccountPolicy::default();
    let (key, value) = word.split_once('=').unwrap();
    assert!(policy.take(key, value)?, "{word}");
    Ok(policy)
}

#[test]
fn each_word_is_read_and_written_back() {
    for (word, written) in [
        ("login_delay=60s", "login_delay=60s"),
        ("login_delay=10m", "login_delay=600s"),
        ("login_delay=1h30m", "login_delay=5400s"),
        ("login_delay=0s", "login_delay=0s"),
        ("login_delay=24h", "login_delay=86400s"),
        ("sessions=1", "sessions=1"),
        ("sessions=100000", "sessions=100000"),
        ("expire_retrieved=30d", "expire_retrieved=30d"),
        ("expire_retrieved=never", "expire_retrieved=never"),
        ("expire_arrived=36500d", "expire_arrived=36500d"),
        ("quota=1G", "quota=1G"),
        ("quota=1GiB", "quota=1G"),
        ("quota=1536M", "quota=1536M"),
        ("quota=1000", "quota=1000"),
        ("quota=2048", "quota=2K"),
        ("quota=0,100", "quota=0,100"),
        ("quota=1T,10000", "quota=1T,10000"),
        ("limits=Business_2", "limits=Business_2"),
    ] {
        let policy = taken(word).unwrap();
        assert_eq!(policy.words(), [written], "{word}");
        assert_eq!(taken(written).unwrap(), policy, "{word}");
        assert!(!policy.is_default());
    }
}

#[test]
fn a_wrong_value_is_named_with_its_key_and_what_was_expected() {
    for (word, expected) in [
        ("login_delay=", "whole seconds"),
        ("login_delay=60", "whole seconds"),
        ("login_delay=-60s", "whole seconds"),
        ("login_delay=500ms", "whole seconds"),
        ("login_delay=25h", "up to a day"),
        ("login_delay=1 s", ""),
        ("sessions=0", "disabled=yes"),
        ("sessions=-1", "1 to 100000"),
        ("sessions=+4", "1 to 100000"),
        ("sessions=99999999999999999999999", "1 to 100000"),
        ("expire_retrieved=0d", "1d to 36500d"),
        ("expire_retrieved=30", "\"30d\""),
        ("expire_retrieved=d", "\"30d\""),
        ("expire_retrieved=Never", "\"never\""),
        ("expire_arrived=36501d", "1d to 36500d"),
        ("expire_arrived=4294967297d", "1d to 36500d"),
        ("limits=", "name of a profile"),
        ("limits=a b", "1 to 32 letters"),
        ("limits=a]b", "1 to 32 letters"),
        ("limits=abcdefghijklmnopqrstuvwxyz0123456", "1 to 32 letters"),
        ("quota=", "\"1G\""),
        ("quota=0", "\"1G\""),
        ("quota=0,0", "\"1G\""),
        ("quota=1X", "\"1G\""),
        ("quota=iB", "\"1G\""),
        ("quota=1iB", "\"1G\""),
        ("quota=G", "\"1G\""),
        ("quota=1G,", "\"1G,10000\""),
        ("quota=1G,10,10", "\"1G,10000\""),
        ("quota=9223372036854775808", "\"1G\""),
        ("quota=99999999T", "\"1G\""),
        ("quota=1.5G", "\"1G\""),
    ] {
        match taken(word) {
            Err(problem) => {
                let key = word.split_once('=').unwrap().0;
                assert!(problem.starts_with(&format!("{key}: ")), "{word}: {problem}");
                assert!(problem.contains(expected), "{word}: {problem}");
            }
            Ok(_) => panic!("{word} was taken"),
        }
    }
    assert_eq!(AccountPolicy::default().take("quotas", "1G"), Ok(false));
    let long = "9".repeat(10_000);
    let problem = AccountPolicy::default().take("quota", &long).unwrap_err();
    assert!(problem.len() < 200, "an endless value is not repeated");
}

#[test]
fn a_spread_is_least_and_most_of_those_that_say_something() {
    let mut spread = PolicySpread::default();
    spread.add(&AccountPolicy::default());
    assert_eq!(spread, PolicySpread::default());
    for word in ["expire_retrieved=never", "expire_retrieved=7d", "login_delay=60s"] {
        spread.add(&taken(word).unwrap());
    }
    assert_eq!(spread.expire_after_retrieval, Some(Spread { least: 7, most: u32::MAX }));
    let minute = Duration::from_secs(60);
    assert_eq!(spread.login_delay, Some(Spread { least: minute, most: minute }));
    assert_eq!((spread.sessions_max, spread.expire_after_arrival), (None, None));
}
