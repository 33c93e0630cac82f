//! What a policy service says: the actions of Postfix' access(5).

use crate::refusal::Refusal;

/// What a policy service says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing against it: `DUNNO`, `OK`, `PERMIT` and the like.
    Pass,
    Refuse(Refusal),
    Discard,
    /// Keep the message for review.
    Hold(String),
    /// Put this field on top of the message.
    Prepend {
        name: String,
        value: String,
    },
    /// Nothing against it, and this belongs into the log.
    Note(String),
    /// An action that this server does not have; it counts as nothing said.
    Unknown(String),
}

impl Action {
    /// Reads what stands behind `action=`.
    pub(crate) fn parse(service: &str, text: &str) -> Self {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let refusing = |code: u16, enhanced: &str, default: &str| {
            let words = if rest.is_empty() { default } else { rest };
            let whole = format!("{code} {words}");
            let refusal = Refusal::parse(service, &whole);
            Self::Refuse(refusal.unwrap_or_else(|| Refusal::new(service, code, enhanced, default)))
        };
        match word.to_ascii_uppercase().as_str() {
            "DUNNO" | "OK" | "PERMIT" | "PERMIT_AUTH_DESTINATION" | "PERMIT_SASL_AUTHENTICATED" => {
                Self::Pass
            }
            "REJECT" => refusing(554, "5.7.1", "Access denied"),
            "DEFER" | "DEFER_IF_PERMIT" | "DEFER_IF_REJECT" => {
                refusing(450, "4.7.1", "Try again later")
            }
            "DISCARD" => Self::Discard,
            "HOLD" => {
                Self::Hold(if rest.is_empty() { "held by a policy".into() } else { rest.into() })
            }
            "PREPEND" => match rest.split_once(':') {
                Some((name, value)) => {
                    Self::Prepend { name: name.trim_end().into(), value: value.trim().into() }
                }
                None => Self::Unknown(text.into()),
            },
            "WARN" | "INFO" => Self::Note(rest.into()),
            code if is_code(code) => Refusal::parse(service, text)
                .map_or_else(|| Self::Unknown(text.into()), Self::Refuse),
            // A number that accepts: Postfix takes any for `OK`.
            number if !number.is_empty() && number.bytes().all(|o| o.is_ascii_digit()) => {
                Self::Pass
            }
            _ => Self::Unknown(text.into()),
        }
    }
}

fn is_code(word: &str) -> bool {
    word.len() == 3 && matches!(word.as_bytes(), [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (u16, String, String) {
        match Action::parse("p", text) {
            Action::Refuse(refusal) => (refusal.code, refusal.enhanced, refusal.text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn actions_are_read() {
        for pass in ["DUNNO", "ok", " PERMIT ", "1"] {
            assert_eq!(Action::parse("p", pass), Action::Pass, "{pass}");
        }
        assert_eq!(refused("REJECT"), (554, "5.7.1".into(), "Access denied".into()));
        assert_eq!(refused("REJECT 5.7.9 no"), (554, "5.7.9".into(), "no".into()));
        assert_eq!(
            refused("DEFER_IF_PERMIT greylisted"),
            (450, "4.7.1".into(), "greylisted".into())
        );
        assert_eq!(refused("451 4.3.5 later"), (451, "4.3.5".into(), "later".into()));
        assert_eq!(Action::parse("p", "HOLD too many"), Action::Hold("too many".into()));
        let prepend = Action::Prepend { name: "X-Score".into(), value: "5: high".into() };
        assert_eq!(Action::parse("p", "PREPEND X-Score: 5: high"), prepend);
        for unknown in ["", "FILTER smtp:[::1]:25", "PREPEND nothing", "550x", "é"] {
            assert_eq!(Action::parse("p", unknown), Action::Unknown(unknown.into()), "{unknown}");
        }
    }
}
