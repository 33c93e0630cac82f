//! The answer to `AUTH`.

use auth::{Channel, Denied, Origin, Service};
use sasl::Credentials;
use smtp_proto::server::{Reply, VerifyPending};

use crate::house::Listening;
use crate::log;
use crate::transaction::Submission;
use crate::visitor::Visitor;

/// `AUTH`.
pub(crate) async fn verify(
    listening: &Listening,
    visitor: &mut Visitor,
    credentials: Credentials,
    pending: VerifyPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let house = &listening.house;
    let client = visitor.client;
    let channel = Channel {
        service: Service::Submission,
        tls: client.tls.is_some(),
        genuine_address: client.genuine_address,
    };
    let origin = Origin { client: client.address, channel };
    let at = house.clock.now();
    let Credentials { mechanism, login, password, .. } = &credentials;
    let denied = match house.authenticator.verify(login, password, &origin, at).await {
        Ok(login) => match listening.checks.login(listening, &login) {
            Ok(()) => {
                house.counters.logins.add(1);
                visitor.mechanism = mechanism.map(sasl::Mechanism::name);
                log::authenticated(listening, visitor, &login);
                return pending.accept(login, output);
            }
            // Only whoever knows the password learns of it.
            Err(refused) => {
                log::login_refused(listening, visitor, &login, &refused);
                house.worded(refused.reply)
            }
        },
        Err(Denied::Invalid) => Reply::BAD_CREDENTIALS,
        Err(Denied::Busy | Denied::Unavailable) => Reply::AUTH_UNAVAILABLE,
        Err(Denied::MustChange { .. }) => Reply::BAD_CREDENTIALS,
    };
    house.counters.logins_denied.add(1);
    pending.refuse(&denied, output);
}
