//! What a policy service is asked.

use std::fmt::Write as _;

use crate::config::PolicyStage;
use crate::facts::Client;

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) stage: PolicyStage,
    /// Without brackets; empty for the null path.
    pub(crate) sender: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) recipients: u32,
    pub(crate) size: u64,
    pub(crate) token: &'a str,
}

/// A question, ready to be sent.
pub(crate) struct Question(String);

impl Question {
    /// `instance` is the same for all questions about one transaction, and another for each.
    pub(crate) fn new(
        client: &Client,
        subject: &Subject<'_>,
        instance: &str,
        context: &str,
    ) -> Self {
        let (state, counted) = match subject.stage {
            PolicyStage::Mail => ("MAIL", 0),
            // Postfix counts recipients where all are known.
            PolicyStage::Rcpt => ("RCPT", 0),
            PolicyStage::EndOfMessage => ("END-OF-MESSAGE", subject.recipients),
        };
        let mut text = Self(String::with_capacity(768));
        let (version, cipher) = match &client.tls {
            Some((version, cipher)) => (version.as_str(), cipher.as_str()),
            None => ("", ""),
        };
        text.attribute("request", "smtpd_access_policy");
        text.attribute("protocol_state", state);
        text.attribute("protocol_name", if client.extended { "ESMTP" } else { "SMTP" });
        text.attribute("client_address", &client.address.to_string());
        text.attribute("client_name", "unknown");
        text.attribute("client_port", &client.port.to_string());
        text.attribute("reverse_client_name", "unknown");
        text.attribute("helo_name", &client.hello);
        text.attribute("sender", subject.sender);
        text.attribute("recipient", subject.recipient);
        text.attribute("recipient_count", &counted.to_string());
        text.attribute("queue_id", subject.token);
        text.attribute("instance", instance);
        text.attribute("size", &subject.size.to_string());
        text.attribute("etrn_domain", "");
        text.attribute("stress", "");
        text.attribute("sasl_method", client.mechanism.as_deref().unwrap_or_default());
        text.attribute("sasl_username", client.login.as_deref().unwrap_or_default());
        text.attribute("sasl_sender", "");
        text.attribute("ccert_subject", "");
        text.attribute("ccert_issuer", "");
        text.attribute("ccert_fingerprint", "");
        text.attribute("encryption_protocol", version);
        text.attribute("encryption_cipher", cipher);
        text.attribute("encryption_keysize", "");
        text.attribute("policy_context", context);
        text.0.push('\n');
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// No value makes a line of its own.
    fn attribute(&mut self, name: &str, value: &str) {
        let safe = value.chars().map(|c| if c.is_control() { '?' } else { c });
        let _ = write!(self.0, "{name}=");
        self.0.extend(safe);
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_on_their_lines() {
        let client = Client {
            address: "192.0.2.1".parse().unwrap(),
            port: 7,
            hello: "x\nsasl_username=boss".to_owned(),
            extended: true,
            listener: "submission".to_owned(),
            host: "mail.example.net".to_owned(),
            login: Some("anna@example.net".to_owned()),
            mechanism: Some("PLAIN".to_owned()),
            tls: None,
        };
        let subject = Subject {
            stage: PolicyStage::EndOfMessage,
            sender: "anna@example.net",
            recipient: "",
            recipients: 3,
            size: 1000,
            token: "abc",
        };
        let question = Question::new(&client, &subject, "1f.ff", "ctx");
        let text = std::str::from_utf8(question.as_bytes()).unwrap();
        assert!(text.starts_with("request=smtpd_access_policy\nprotocol_state=END-OF-MESSAGE\n"));
        assert!(text.contains("\nhelo_name=x?sasl_username=boss\n"));
        assert!(text.contains("\nsasl_username=anna@example.net\nsasl_sender=\n"));
        assert!(text.contains("\nrecipient_count=3\n") && text.contains("\ninstance=1f.ff\n"));
        assert!(text.ends_with("policy_context=ctx\n\n"));
        assert_eq!(text.matches("sasl_username=boss\n").count(), 1);
    }
}
