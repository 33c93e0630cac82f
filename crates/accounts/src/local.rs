//! Whether what is said to a host stays on this machine.

use std::net::IpAddr;

/// Whether `host`, a name or an address, is this machine without asking anybody.
pub(crate) fn is_local(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_nothing_else() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["", "localhost.example", "192.0.2.1", "10.0.0.1", "[fe80::1]", "0.0.0.0"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
