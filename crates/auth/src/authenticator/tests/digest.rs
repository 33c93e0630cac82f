//! `APOP`, and attempts that can never be right.

use md5::{Digest, Md5};

use super::*;

const STAMP: &str = "<1896.697170952@dbc.mtview.ca.us>";

fn digest(stamp: &str, secret: &str) -> [u8; 16] {
    Md5::new().chain_update(stamp).chain_update(secret).finalize().into()
}

/// `ann` (password `tanstaaf` as it is), `hashed` (the same, hashed), `off` (plain, disabled).
fn three() -> Authenticator {
    over(directory(vec![
        account("ann@example.net", plain("tanstaaf"), false),
        account("hashed@example.net", cheap("tanstaaf"), false),
        account("off@example.net", plain("tanstaaf"), true),
    ]))
}

async fn apop(
    auth: &Authenticator,
    login: &str,
    stamp: &str,
    digest: [u8; 16],
) -> Result<String, Denied> {
    let origin = origin("192.0.2.1");
    let login = auth.verify_digest(login, stamp, &digest, &origin, moment(0.0)).await?;
    Ok(login.account.key().to_string())
}

#[tokio::test]
async fn the_example_of_rfc_1939_logs_in() {
    let auth = three();
    let example = [
        0xc4, 0xc9, 0x33, 0x4b, 0xac, 0x56, 0x0e, 0xcc, 0x97, 0x9e, 0x58, 0x00, 0x1b, 0x3e, 0x22,
        0xfb,
    ];
    let login = apop(&auth, "Ann@Example.NET", STAMP, example).await;
    assert_eq!(login.as_deref(), Ok("ann@example.net"));
    let counted = auth.statistics();
    assert_eq!((counted.attempts, counted.succeeded, counted.hashes), (1, 1, 0));
}

#[tokio::test]
async fn everything_else_is_refused_alike() {
    let auth = three();
    let right = digest(STAMP, "tanstaaf");
    for (login, stamp, digest) in [
        ("ann@example.net", STAMP, digest(STAMP, "wrong")),
        ("ann@example.net", "<other@host>", right),
        ("ann@example.net", STAMP, digest("1896.697170952@dbc.mtview.ca.us", "tanstaaf")),
        ("hashed@example.net", STAMP, right),
        // What is digested in the place of a password is nobody's way in.
        ("hashed@example.net", STAMP, digest(STAMP, &"\0".repeat(12))),
        ("nobody@example.net", STAMP, digest(STAMP, &"\0".repeat(12))),
        ("off@example.net", STAMP, right),
        ("nobody@example.net", STAMP, right),
        ("", STAMP, right),
    ] {
        assert_eq!(apop(&auth, login, stamp, digest).await, Err(Denied::Invalid), "{login}");
    }
    let counted = auth.statistics();
    assert_eq!((counted.wrong, counted.disabled, counted.unknown), (5, 1, 3));
    assert_eq!((counted.hashes, counted.remembered), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn failures_of_all_three_kinds_share_delay_and_count() {
    let config = AuthConfig {
        failure_delay: Duration::from_secs(1),
        failure_delay_max: Duration::from_secs(8),
        ..config()
    };
    let directory = directory(vec![account("ann@example.net", plain("right"), false)]);
    let auth = Authenticator::new(&config, directory).unwrap();
    let from = origin("192.0.2.1");
    // Each attempt comes when the delay of the one before is over.
    let mut waited = Vec::new();
    for (number, at) in [0.0, 2.0, 5.0].into_iter().enumerate() {
        let begin = tokio::time::Instant::now();
        let denied = match number {
            0 => auth.reject(Some("ann@example.net"), &from, moment(at)).await,
            1 => {
                let digest = digest(STAMP, "wrong");
                let login = "ann@example.net";
                let tried = auth.verify_digest(login, STAMP, &digest, &from, moment(at)).await;
                tried.unwrap_err()
            }
            _ => tried(&auth, "ann@example.net", "wrong", moment(at)).await.unwrap_err(),
        };
        assert_eq!(denied, Denied::Invalid);
        waited.push(begin.elapsed().as_secs_f64().round());
    }
    assert_eq!(waited, [1.0, 2.0, 4.0], "each failure doubles the wait, whatever its kind");
}

#[tokio::test]
async fn a_void_attempt_is_counted_with_or_without_a_name() {
    let auth = three();
    let from = origin("192.0.2.1");
    for login in [None, Some("ann@example.net"), Some("../x"), Some("nobody@example.net")] {
        assert_eq!(auth.reject(login, &from, moment(0.0)).await, Denied::Invalid);
    }
    let counted = auth.statistics();
    assert_eq!((counted.attempts, counted.unknown, counted.succeeded), (4, 4, 0));
}
