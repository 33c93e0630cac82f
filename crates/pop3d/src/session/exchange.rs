//! `AUTH`: a SASL exchange, message by message, and the login at its end.

use auth::{TlsFacts, Turn};
use netio::Buffer;
use pop3_proto::{PendingSasl, SaslMessage};

use super::login::refusal;
use super::terms::ClientSide;
use super::{Next, Visit};

impl Visit {
    /// Takes the client's message, and answers it or admits the client.
    pub(super) async fn converse(
        &mut self,
        said: SaslMessage,
        pending: PendingSasl,
        mut out: Buffer,
    ) -> Next {
        let SaslMessage { mechanism, message, first } = said;
        let authenticator = &self.shared.authenticator;
        // It goes back only if the exchange goes on.
        let conversation = match self.conversation.take() {
            Some(conversation) if !first => Some(conversation),
            None if !first => None,
            _ => {
                let (origin, tls) = (self.origin(), self.tls_facts());
                Some(Box::new(authenticator.converse(mechanism, origin, tls)))
            }
        };
        // The session has seen no exchange begin: it does not come here.
        let Some(mut conversation) = conversation else {
            return (pending.malformed(&mut out), out);
        };
        let turn = conversation.take(message, self.shared.clock.now()).await;
        let session = match turn {
            Turn::Challenge(challenge) => {
                self.conversation = Some(conversation);
                pending.challenge(&challenge, &mut out)
            }
            Turn::Accepted(login) => {
                drop(conversation);
                match self.admit(*login).await {
                    Ok((held, facts)) => pending.accept(held, facts, &mut out),
                    Err(why) => pending.refuse(why, &mut out),
                }
            }
            Turn::Denied(why) => pending.refuse(refusal(why), &mut out),
            Turn::Malformed => pending.malformed(&mut out),
        };
        (session, out)
    }

    /// What TLS says of the client. Behind a proxy it would say it of the proxy.
    fn tls_facts(&self) -> TlsFacts {
        if self.client_side != ClientSide::This {
            return TlsFacts::default();
        }
        let bindings = self.connection.tls_bindings();
        TlsFacts {
            exporter: bindings.exporter,
            end_point: bindings.end_point,
            certificate: bindings.certificate,
        }
    }
}
