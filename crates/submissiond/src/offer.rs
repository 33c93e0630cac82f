//! With which mechanisms of SASL a client may authenticate, by where it is and what protects it.

use auth::{Channel, Origin, Service, TlsFacts};
use netio::Connection;
use sasl::Mechanism;
use smtp_proto::server::Mechanisms;

use crate::house::Listening;
use crate::visitor::Visitor;

/// The mechanisms as things stand, and those under TLS. Where a password may come in clear, every
/// mechanism may that needs nothing of TLS.
pub(crate) fn mechanisms(
    listening: &Listening,
    connection: &Connection,
    visitor: &Visitor,
) -> Mechanisms {
    if !listening.offers_auth {
        return Mechanisms::NONE;
    }
    let client = &visitor.client;
    let in_clear = listening.house.allows_cleartext(client.address, client.genuine_address);
    let own = !visitor.proxied;
    let certified = own && connection.has_client_certificate();
    let authenticator = &listening.house.authenticator;
    let offer = |safe, certified| authenticator.offer(client.address, safe, certified);
    let now = offer(connection.is_tls() || in_clear, certified);
    let bound = own && connection.has_bindings();
    Mechanisms {
        now: if bound { now } else { now.without(Mechanism::ScramSha256Plus) },
        under_tls: offer(true, false),
    }
}

/// Where this client's attempts come from.
pub(crate) fn origin(visitor: &Visitor) -> Origin {
    let client = &visitor.client;
    let channel = Channel {
        service: Service::Submission,
        tls: client.tls.is_some(),
        genuine_address: client.genuine_address,
    };
    Origin { client: client.address, channel }
}

/// What TLS says of the client, for mechanisms that look at it: it has to be computed. Behind a
/// proxy it would be said of the proxy.
pub(crate) fn tls_facts(
    mechanism: Mechanism,
    connection: &Connection,
    visitor: &Visitor,
) -> TlsFacts {
    // SCRAM without PLUS too: it finds out whether somebody has taken PLUS out of the offer.
    let looks = matches!(
        mechanism,
        Mechanism::ScramSha1
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus
            | Mechanism::External
    );
    if !looks || visitor.proxied {
        return TlsFacts::default();
    }
    let bindings = connection.tls_bindings();
    TlsFacts {
        exporter: bindings.exporter,
        end_point: bindings.end_point,
        certificate: bindings.certificate,
    }
}
