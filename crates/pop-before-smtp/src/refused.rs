//! Every reason to refuse, and what the customer reads.

use std::time::Duration;

use auth::Refusal;
use jiff::Timestamp;
use phaseout::Zone;

use crate::config::BrownoutReply;

/// Why a submission without authentication is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The client's address is that of an intermediary that did not say whom it carries.
    AddressUnknown,
    /// The address lies in an excluded network.
    ExcludedNetwork,
    /// Nobody fetched mail from the address within the window.
    NoGrant {
        /// When sending this way ends for the sender, if that is known.
        ends: Option<Timestamp>,
    },
    /// The sender is `<>`, which nobody owns.
    NullSender,
    /// The sender belongs to none of the accounts that fetched mail from the address.
    SenderNotOwned,
    /// The account's cohort is closed.
    Closed {
        /// Since when.
        since: Option<Timestamp>,
        /// Whether the account was closed before its cohort.
        early: bool,
    },
    /// A brownout.
    Brownout {
        /// When this one is over.
        until: Timestamp,
        /// When sending this way ends, if that is known.
        ends: Option<Timestamp>,
    },
    /// Too many accounts share the address.
    SharedAddress {
        /// How many may.
        limit: u16,
    },
    /// The grant was used with another HELO before.
    HeloChanged,
    /// The grant's messages are used up.
    MessageQuota {
        /// How many there were.
        limit: u16,
    },
    /// The grant's recipients are used up.
    RecipientQuota {
        /// How many there were.
        limit: u16,
    },
    /// Too many transactions are open.
    Busy,
}

/// What the texts need beside the reason.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    /// The zone in which dates are shown.
    pub zone: &'a Zone,
    /// The window.
    pub window: Duration,
    /// Where to read more.
    pub help_url: Option<&'a str>,
    /// How a brownout refuses.
    pub brownout: BrownoutReply,
}

impl Refused {
    /// The stable word for log, metrics and ledger.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AddressUnknown => "address-unknown",
            Self::ExcludedNetwork => "excluded-network",
            Self::NoGrant { .. } => "no-grant",
            Self::NullSender => "null-sender",
            Self::SenderNotOwned => "sender-not-owned",
            Self::Closed { .. } => "closed",
            Self::Brownout { .. } => "brownout",
            Self::SharedAddress { .. } => "shared-address",
            Self::HeloChanged => "helo-changed",
            Self::MessageQuota { .. } => "message-quota",
            Self::RecipientQuota { .. } => "recipient-quota",
            Self::Busy => "busy",
        }
    }

    /// All the words of [`Refused::reason`].
    pub const REASONS: [&'static str; 12] = [
        "address-unknown",
        "excluded-network",
        "no-grant",
        "null-sender",
        "sender-not-owned",
        "closed",
        "brownout",
        "shared-address",
        "helo-changed",
        "message-quota",
        "recipient-quota",
        "busy",
    ];

    /// Reply code and enhanced status code (RFC 3463, RFC 4954 section 6). 5xx wherever a
    /// retry by itself would not help, so that the customer sees the text.
    fn codes(&self, brownout: BrownoutReply) -> (u16, &'static str) {
        match self {
            Self::SenderNotOwned => (550, "5.7.1"),
            Self::Brownout { .. } if brownout == BrownoutReply::Temporary => (450, "4.7.0"),
            Self::MessageQuota { .. } | Self::RecipientQuota { .. } => (450, "4.7.1"),
            Self::Busy => (451, "4.3.2"),
            _ => (530, "5.7.0"),
        }
    }

    /// The reply.
    #[must_use]
    pub fn reply(&self, wording: &Wording<'_>) -> Refusal {
        let (code, enhanced) = self.codes(wording.brownout);
        let mut text = self.happened(wording);
        if *self != Self::Busy {
            text.push_str(REMEDY);
        }
        if let Some(url) = wording.help_url {
            text.push_str("\nHow to: ");
            text.push_str(url);
        }
        Refusal { code, enhanced, text, reason: self.reason() }
    }

    /// The first line: what happened, and since when.
    fn happened(&self, wording: &Wording<'_>) -> String {
        let day = |at: Timestamp| wording.zone.describe(at);
        let ends_on = |ends: Option<Timestamp>| {
            ends.map(|at| format!(" This way of sending ends on {}.", day(at))).unwrap_or_default()
        };
        match self {
            Self::AddressUnknown | Self::ExcludedNetwork => {
                "From this network only SMTP authentication is accepted.".to_owned()
            }
            Self::NoGrant { ends } => format!(
                "No authentication, and no mail was fetched from your address within {}: \
                 fetch your mail, then send again.{}",
                in_words(wording.window),
                ends_on(*ends)
            ),
            Self::NullSender => "Without authentication a sender address is needed.".to_owned(),
            Self::SenderNotOwned => format!(
                "No authentication, and nobody who may send as this sender fetched mail from your \
                 address within {}: if it is yours, fetch your mail, then send again.",
                in_words(wording.window)
            ),
            Self::Closed { since, early } => {
                let whom = if *early { " has been closed for this account" } else { " ended" };
                let when = match (since, early) {
                    (Some(since), true) => format!(" since {}", day(*since)),
                    (Some(since), false) => format!(" on {}", day(*since)),
                    (None, _) => String::new(),
                };
                format!("Sending without authentication{whom}{when}.")
            }
            Self::Brownout { until, ends } => format!(
                "Sending without authentication is suspended until {}.{}",
                day(*until),
                ends_on(*ends)
            ),
            Self::SharedAddress { limit } => format!(
                "More than {limit} customers share your address: without authentication they \
                 can't be told apart."
            ),
            Self::HeloChanged => "Another computer at your address has sent since you fetched \
                                  your mail: fetch it, then send again."
                .to_owned(),
            Self::MessageQuota { limit } => format!(
                "Without authentication {limit} messages may be sent within {}.",
                in_words(wording.window)
            ),
            Self::RecipientQuota { limit } => format!(
                "Without authentication mail may go to {limit} recipients within {}.",
                in_words(wording.window)
            ),
            Self::Busy => "Too many messages are being sent at once: try again.".to_owned(),
        }
    }
}

/// What to switch on.
const REMEDY: &str = "\nSwitch on SMTP authentication for the outgoing server: port 587 with \
                      STARTTLS or port 465 with SSL/TLS,\nwith the user name and password that \
                      fetch your mail.";

/// A window as people say it.
fn in_words(window: Duration) -> String {
    let seconds = window.as_secs();
    let (number, unit) = match seconds {
        s if s % 3600 == 0 => (s / 3600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Refused> {
        let at = |text: &str| text.parse().unwrap();
        let ends = Some(at("2027-03-09T15:00:00Z"));
        vec![
            Refused::AddressUnknown,
            Refused::ExcludedNetwork,
            Refused::NoGrant { ends },
            Refused::NullSender,
            Refused::SenderNotOwned,
            Refused::Closed { since: ends, early: false },
            Refused::Brownout { until: at("2027-02-11T03:00:00Z"), ends },
            Refused::SharedAddress { limit: 8 },
            Refused::HeloChanged,
            Refused::MessageQuota { limit: 100 },
            Refused::RecipientQuota { limit: 500 },
            Refused::Busy,
        ]
    }

    fn reply(refused: Refused, brownout: BrownoutReply) -> Refusal {
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let help_url = Some("https://www.isp.example/mail");
        let window = Duration::from_secs(1200);
        refused.reply(&Wording { zone: &zone, window, help_url, brownout })
    }

    #[test]
    fn every_reply_fits_the_wire_and_tells_the_remedy() {
        let reasons: Vec<_> = every().iter().map(Refused::reason).collect();
        assert_eq!(reasons, Refused::REASONS);
        for refused in every() {
            for brownout in [BrownoutReply::Permanent, BrownoutReply::Temporary] {
                let reply = reply(refused, brownout);
                let class = reply.code / 100;
                assert_eq!(reply.enhanced.split('.').next(), Some(&*class.to_string()));
                for line in reply.text.split('\n') {
                    // RFC 5321 section 4.5.3.1.5: 512 octets with both codes and CRLF.
                    assert!(line.len() <= 400, "{line}");
                    assert!(line.bytes().all(|o| o == b' ' || o.is_ascii_graphic()), "{line}");
                }
                if refused != Refused::Busy {
                    assert!(reply.text.contains("port 587 with STARTTLS or port 465"));
                }
                assert!(reply.text.ends_with("\nHow to: https://www.isp.example/mail"));
            }
        }
    }

    #[test]
    fn texts_name_the_date() {
        let text = |refused| reply(refused, BrownoutReply::Permanent).text;
        let since = Some("2027-03-09T15:00:00Z".parse().unwrap());
        assert_eq!(
            text(Refused::Closed { since, early: false }),
            "Sending without authentication ended on 2027-03-10 (Asia/Tokyo).\n\
             Switch on SMTP authentication for the outgoing server: port 587 with STARTTLS or \
             port 465 with SSL/TLS,\nwith the user name and password that fetch your mail.\n\
             How to: https://www.isp.example/mail"
        );
        assert!(text(Refused::Closed { since, early: true }).starts_with(
            "Sending without authentication has been closed for this account since 2027-03-10 (A"
        ));
        assert!(text(every()[6]).starts_with(
            "Sending without authentication is suspended until 2027-02-11 12:00 (Asia/Tokyo). \
             This way of sending ends on 2027-03-10 (Asia/Tokyo).\n"
        ));
        assert!(text(every()[2]).starts_with(
            "No authentication, and no mail was fetched from your address within 20 minutes: \
             fetch your mail, then send again. This way of sending ends on 2027-03-10"
        ));
    }

    #[test]
    fn codes() {
        let codes = |refused, brownout| {
            let reply = reply(refused, brownout);
            (reply.code, reply.enhanced)
        };
        let brownout = every()[6];
        assert_eq!(codes(brownout, BrownoutReply::Permanent), (530, "5.7.0"));
        assert_eq!(codes(brownout, BrownoutReply::Temporary), (450, "4.7.0"));
        let closed = Refused::Closed { since: None, early: false };
        assert_eq!(codes(closed, BrownoutReply::Temporary), (530, "5.7.0"));
        assert_eq!(codes(Refused::SenderNotOwned, BrownoutReply::Permanent), (550, "5.7.1"));
    }

    #[test]
    fn windows_in_words() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(words(1), "1 second");
        assert_eq!(words(90), "90 seconds");
        assert_eq!(words(60), "1 minute");
        assert_eq!(words(1200), "20 minutes");
        assert_eq!(words(7200), "2 hours");
    }
}
