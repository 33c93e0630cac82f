//! An installation with a submission daemon, and what its process holds.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use lastpost::demo::installation::DemoAccount;
use lastpost_tests::{Process, Site};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");

/// A submission daemon and its files.
pub(crate) struct Shop {
    site: Site,
    daemon: Process,
}

impl Shop {
    /// Running; mail for others goes to `next_hop`.
    pub(crate) fn open(next_hop: SocketAddr) -> Self {
        Self::open_with(next_hop, &str::to_owned)
    }

    /// The same with its configuration file as `change` makes it.
    pub(crate) fn open_with(next_hop: SocketAddr, change: &dyn Fn(&str) -> String) -> Self {
        let site = Site::new(next_hop, 3);
        let file = site.installation().config_file();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, change(&text)).unwrap();
        let program = site.installation().directory().join("wrapper");
        let script =
            format!("#!/bin/sh\nulimit -n 65536 2>/dev/null || true\nexec '{PROGRAM}' \"$@\"\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let ports = site.installation().ports();
        let listening = [ports.submission, ports.submissions];
        let daemon = site.start(&program, "lastpost-submissiond", &listening);
        Self { site, daemon }
    }

    pub(crate) fn account(&self) -> &DemoAccount {
        &self.site.installation().accounts()[0]
    }

    pub(crate) fn address(&self, tls: bool) -> SocketAddr {
        let ports = self.site.installation().ports();
        self.site.at(if tls { ports.submissions } else { ports.submission })
    }

    /// Octets in memory, pages shared with other processes divided among them.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.daemon.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Most descriptors that the daemon may open.
    pub(crate) fn descriptors_max(&self) -> usize {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.daemon.id())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
    }

    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }
}
