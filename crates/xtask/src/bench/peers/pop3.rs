//! POP3: ours and Dovecot's.

use super::PeersArgs;
use super::dovecot::Pop3;
use super::turns::{Comparison, Side, Subject, in_turns};
use crate::bench::load::LoadArgs;
use crate::bench::target::{Demo, POP3, Tls};
use crate::bench::{BenchError, pop3, print_json};

/// Logins, then fetching all mail, each in clear and under TLS.
pub(super) async fn compare(args: &PeersArgs, demo: &Demo) -> Result<bool, BenchError> {
    let dovecot = Pop3::start(&args.origin(), demo).await?;
    let mut good = true;
    for (what, fetch) in [("login", false), ("fetch", true)] {
        for (tls, addr) in [(Tls::None, dovecot.pop3), (Tls::Implicit, dovecot.pop3s)] {
            let ours = demo.target(&POP3, tls)?;
            let theirs = ours.at(addr);
            let pairs = in_turns(args.pairs, async |side| {
                let (target, pid, name) = match side {
                    Side::Ours => (ours.clone(), args.pid, "ours"),
                    Side::Theirs => (theirs.clone(), dovecot.daemon.pid(), "dovecot"),
                };
                let title = format!("{name} {what} {tls:?}");
                let load = load(args, pid);
                if fetch {
                    pop3::fetch_from(target, 1, &load, &title).await
                } else {
                    pop3::login_to(target, &load, &title).await
                }
            })
            .await?;
            let tls = tls != Tls::None;
            let connections = args.connections;
            let subject = Subject { what, peer: "dovecot", tls, connections };
            let result = Comparison::new(subject, &pairs);
            eprintln!("{result}");
            print_json(&result);
            good &= result.errors == 0;
        }
    }
    Ok(good)
}

fn load(args: &PeersArgs, pid: u32) -> LoadArgs {
    LoadArgs {
        connections: args.connections,
        duration: args.duration,
        sessions: None,
        pid: vec![pid],
        session_timeout: 60,
    }
}
