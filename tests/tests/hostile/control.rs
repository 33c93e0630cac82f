//! The control side: who has no token learns and does nothing, whatever is sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::crowd::Daemon;
use crate::kit::noise;

/// Sends noise and leaves. The daemon may have closed before.
fn disturb(daemon: &Daemon, octets: &[u8]) {
    let mut socket = TcpStream::connect(daemon.at("control")).unwrap();
    let _ = socket.write_all(octets);
    let _ = socket.shutdown(Shutdown::Both);
}

/// Sends `request` as it is; all that is answered.
fn ask(daemon: &Daemon, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(daemon.at("control")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.write_all(request).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer, and the end");
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(daemon: &Daemon, method: &str, path: &str, token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let authorization = authorization.unwrap_or_default();
    let text = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n{authorization}\r\n");
    ask(daemon, text.as_bytes())
}

#[test]
fn nothing_is_told_or_done_without_the_token() {
    let daemon = Daemon::start();
    let file = daemon.site.installation().directory().join("state/control.token");
    let token = std::fs::read_to_string(file).unwrap();
    let token = token.trim();
    let almost = format!("{token}x");
    let wrong = [None, Some(""), Some("x"), Some(&token[1..]), Some(&*almost)];
    for (method, path) in [
        ("GET", "/status"),
        ("POST", "/reload"),
        ("GET", "/queue"),
        ("POST", "/queue/flush"),
        ("POST", "/queue/1ngbah4000000/delete"),
        ("GET", "/queue/../status"),
        ("GET", "/queue/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "//status"),
        ("GET", "/health/../status"),
        ("GET", "/etc/passwd"),
    ] {
        for token in wrong {
            let answer = request(&daemon, method, path, token);
            let refused =
                answer.starts_with("HTTP/1.0 401 ") || answer.starts_with("HTTP/1.0 404 ");
            assert!(refused, "{method} {path} {token:?}: {answer}");
            assert!(!answer.contains("version") && !answer.contains("root:"), "{answer}");
        }
    }
    assert!(request(&daemon, "GET", "/status", Some(token)).starts_with("HTTP/1.0 200 "));
    // The method counts, and an ID that is none is refused in words.
    assert!(request(&daemon, "GET", "/reload", Some(token)).starts_with("HTTP/1.0 405 "));
    let answer = request(&daemon, "GET", "/queue/..%2fx", Some(token));
    assert!(answer.starts_with("HTTP/1.0 400 "), "{answer}");
}

#[test]
fn noise_and_half_requests_keep_nobody_from_the_control_side() {
    let daemon = Daemon::start();
    let mut held: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut socket = TcpStream::connect(daemon.at("control")).unwrap();
            socket.write_all(b"POST /reload HTTP/1.1\r\nHost: x\r\nContent-Le").unwrap();
            socket
        })
        .collect();
    for seed in 0..20 {
        disturb(&daemon, &noise(seed, 20_000));
    }
    disturb(&daemon, &[b"GET /".as_slice(), &vec![b'x'; 1 << 20], b" HTTP/1.0\r\n\r\n"].concat());
    ask(
        &daemon,
        &[b"GET / HTTP/1.0\r\nX: ".as_slice(), &vec![b'x'; 1 << 20], b"\r\n\r\n"].concat(),
    );
    let endless = b"POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    disturb(&daemon, &[endless.as_slice(), &vec![b'x'; 1 << 20]].concat());
    assert!(request(&daemon, "GET", "/health/live", None).starts_with("HTTP/1.0 200 "));
    assert!(request(&daemon, "GET", "/health/ready", None).starts_with("HTTP/1.0 200 "));
    daemon.logged_in().expect("QUIT", "+OK");
    held.clear();
}
