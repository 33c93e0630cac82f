//! `XCLIENT`: a proxy of ours names the client that it stands for.

use std::net::SocketAddr;

use netio::Buffer;
use pop3_proto::{PendingXclient, XclientFacts};

use super::ending::Ending;
use super::terms::ClientSide;
use super::{Next, Visit};
use crate::serve::BUSY_LINE;

impl Visit {
    /// Believes a proxy of a trusted network, and decides anew what goes by the address: whether
    /// a password may come in clear, and how many sessions there are from there.
    pub(super) async fn believe(
        &mut self,
        said: &XclientFacts,
        pending: PendingXclient,
        mut out: Buffer,
    ) -> Result<Next, Ending> {
        let proxy = self.connection.peer();
        let client = said.address.map(|ip| SocketAddr::new(ip, said.port.unwrap_or(0)));
        if self.connection.name_client(client).is_err() {
            out.extend_from_slice(BUSY_LINE);
            self.write(&out).await?;
            return Err(Ending::Closed);
        }
        self.client_side = match said.secured {
            None => ClientSide::Untold,
            Some(true) => ClientSide::Secured,
            Some(false) => ClientSide::Clear,
        };
        let rip = self.connection.peer();
        self.tally.rename(rip);
        tracing::debug!(
            target: "lastpost::pop3",
            %proxy,
            %rip,
            genuine = self.connection.genuine_address(),
            tls = self.is_secured(),
            session = said.session.as_deref(),
            "a proxy named its client"
        );
        Ok((pending.accept(self.terms_of_client(), &mut out), out))
    }
}
