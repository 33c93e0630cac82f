//! `XCLIENT`: a proxy of ours names the client that it stands for.

use std::net::SocketAddr;

use auth::{Login, Origin};
use netio::Connection;
use smtp_proto::server::{Attribute, Reply, XclientFacts, XclientPending};

use crate::house::Listening;
use crate::log;
use crate::offer;
use crate::transaction::Submission;
use crate::visitor::Visitor;

const BUSY: Reply = Reply::fixed(421, "4.3.2", "Too many sessions, try again later");

/// The connection of a proxy that speaks XCLIENT, as long as it has not said for whom. Until then
/// its address must not become the key of anything.
pub(super) fn doubt(connection: &mut Connection) {
    // That cannot be refused: nobody is counted by it.
    let _ = connection.name_client(None);
}

/// Believes a proxy of a trusted network, and decides anew what goes by the address: whether a
/// password may come in clear, and how many sessions there are from there.
///
/// # Errors
/// Why the session must be closed; the client was told.
pub(super) async fn believe(
    listening: &Listening,
    connection: &mut Connection,
    visitor: &mut Visitor,
    facts: &XclientFacts,
    pending: XclientPending<'_, Submission>,
    output: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let proxy = connection.peer();
    let named = match facts.address {
        Attribute::Unsaid => Ok(()),
        Attribute::Unavailable | Attribute::Unknown => connection.name_client(None),
        Attribute::Known(address) => {
            let port = facts.port.known().copied().unwrap_or(0);
            connection.name_client(Some(SocketAddr::new(address, port)))
        }
    };
    if named.is_err() {
        pending.refuse(&BUSY, output);
        return Err("too-many-sessions");
    }
    let client = &mut visitor.client;
    client.address = connection.peer();
    client.port = connection.peer_addr().port();
    client.genuine_address = connection.genuine_address();
    match &facts.helo {
        Attribute::Unsaid => {}
        Attribute::Unavailable | Attribute::Unknown => visitor.helo = None,
        Attribute::Known(name) => visitor.helo = Some(name.clone()),
    }
    visitor.mechanism = None;
    tracing::debug!(
        target: "lastpost::submission",
        %proxy,
        rip = %client.address,
        genuine = client.genuine_address,
        name = facts.name.known().map(tracing::field::debug),
        helo = facts.helo.known().map(tracing::field::debug),
        login = facts.login.known().map(tracing::field::debug),
        listener = listening.name,
        "a proxy named its client"
    );
    let parameters = listening.parameters_for(true);
    let mechanisms = offer::mechanisms(listening, connection, visitor);
    match facts.login.known().filter(|_| listening.xclient_login) {
        None => pending.accept(parameters, mechanisms, output),
        Some(name) => match vouched(listening, visitor, name).await {
            Ok(login) => {
                log::authenticated(listening, visitor, &login);
                pending.accept_login(parameters, mechanisms, login, output);
            }
            Err(reply) => {
                pending.refuse(&reply, output);
                return Err("claimed-login");
            }
        },
    }
    Ok(())
}

/// The login that the proxy vouches for.
async fn vouched(listening: &Listening, visitor: &mut Visitor, name: &str) -> Result<Login, Reply> {
    let house = &listening.house;
    let directory = house.authenticator.directory();
    let account = match directory.key(name) {
        Ok(key) => directory.find(&key).await.map_err(|problem| {
            tracing::warn!(target: "lastpost::submission", %problem, "a proxy's login not decided");
            Reply::AUTH_UNAVAILABLE
        })?,
        Err(_) => None,
    };
    let Some(account) = account.filter(|account| !account.is_disabled()) else {
        return Err(Reply::BAD_CREDENTIALS);
    };
    let Origin { client, channel } = offer::origin(visitor);
    let login = Login { account, client, channel, at: house.clock.now(), acting: None };
    match listening.checks.login(listening, &login) {
        Ok(()) => Ok(login),
        Err(refused) => {
            log::login_refused(listening, visitor, &login, &refused);
            Err(refused.reply)
        }
    }
}
