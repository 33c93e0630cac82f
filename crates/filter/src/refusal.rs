//! What filters decide.

use crate::Changes;

/// What a filter says about a sender or a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing against it.
    Pass,
    /// The client is told this.
    Refuse(Refusal),
}

/// What filters say about a whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Take it, so changed.
    Accept(Changes),
    /// Take it, so changed, but keep it until an admin has looked at it.
    Hold {
        /// Why, in the filter's words: printable.
        reason: String,
        /// What was changed all the same.
        changes: Changes,
    },
    /// Tell the client that it was taken, and drop it.
    Discard {
        /// The filter that said so.
        filter: String,
    },
    /// Tell the client this.
    Refuse(Refusal),
}

/// A refusal for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 4yz or 5yz.
    pub code: u16,
    /// Its enhanced status code (RFC 3463), of the same class.
    pub enhanced: String,
    /// Printable; lines are separated by `\n`.
    pub text: String,
    /// The filter that said so.
    pub filter: String,
    /// Whether the filter itself failed, instead of judging.
    pub is_failure: bool,
}

/// Characters of a filter's text that a client may see.
const TEXT_MAX: usize = 400;

impl Refusal {
    /// A refusal without words of its own.
    pub(crate) fn permanent(filter: &str) -> Self {
        Self::new(filter, 550, "5.7.1", "The message was refused by a filter")
    }

    /// The same for the time being.
    pub(crate) fn passing(filter: &str) -> Self {
        Self::new(filter, 451, "4.7.1", "The message cannot be taken now, try again later")
    }

    /// The filter could not be asked.
    pub(crate) fn unavailable(filter: &str) -> Self {
        let text = "The message cannot be checked now, try again later";
        Self { is_failure: true, ..Self::new(filter, 451, "4.7.1", text) }
    }

    pub(crate) fn new(filter: &str, code: u16, enhanced: &str, text: &str) -> Self {
        let text: String = text
            .chars()
            .take(TEXT_MAX)
            .map(|c| if c == '\n' || c.is_ascii_graphic() || c == ' ' { c } else { '?' })
            .collect();
        Self {
            code,
            enhanced: enhanced.to_owned(),
            text,
            filter: filter.to_owned(),
            is_failure: false,
        }
    }

    /// From what a filter wants the client to be told: `550 5.7.1 words`, or `550 words`, with
    /// further lines as `550-…`. `None` if it is no refusal.
    pub(crate) fn parse(filter: &str, reply: &str) -> Option<Self> {
        let mut lines = reply.split('\n').map(|line| line.trim_end_matches('\r'));
        let first = lines.next()?;
        let code: u16 = first.get(..3)?.parse().ok()?;
        let default = match code {
            400..=499 => "4.7.1",
            500..=599 => "5.7.1",
            _ => return None,
        };
        let (enhanced, words) = enhanced_and_words(first.get(3..)?, code);
        let mut text = words.to_owned();
        for line in lines.filter_map(|line| line.get(3..)).take(20) {
            text.push('\n');
            text.push_str(enhanced_and_words(line, code).1);
        }
        if text.trim().is_empty() {
            text = "Refused by a filter".to_owned();
        }
        Some(Self::new(filter, code, enhanced.unwrap_or(default), &text))
    }
}

/// Takes an enhanced status code of the class of `code` off the head of a line's rest.
fn enhanced_and_words(rest: &str, code: u16) -> (Option<&str>, &str) {
    let rest = rest.trim_start_matches(['-', ' ']);
    let (word, words) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut parts = word.split('.');
    let class = parts.next().is_some_and(|class| class == if code < 500 { "4" } else { "5" });
    let number =
        |part: Option<&str>| part.is_some_and(|p| p.len() <= 3 && p.parse::<u16>().is_ok());
    let is_code = class && number(parts.next()) && number(parts.next()) && parts.next().is_none();
    if is_code { (Some(word), words.trim_start()) } else { (None, rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(reply: &str) -> Option<(u16, String, String)> {
        Refusal::parse("f", reply).map(|refusal| (refusal.code, refusal.enhanced, refusal.text))
    }

    #[test]
    fn replies_of_filters_become_refusals() {
        let whole = |code, enhanced: &str, text: &str| Some((code, enhanced.into(), text.into()));
        assert_eq!(parse("550 5.7.0 Spam"), whole(550, "5.7.0", "Spam"));
        assert_eq!(parse("451 later"), whole(451, "4.7.1", "later"));
        assert_eq!(parse("550-5.7.1 a\r\n550 5.7.1 b"), whole(550, "5.7.1", "a\nb"));
        assert_eq!(parse("550 4.7.1 odd"), whole(550, "5.7.1", "4.7.1 odd"));
        assert_eq!(parse("554"), whole(554, "5.7.1", "Refused by a filter"));
        assert_eq!(parse("550 \x1b[31mé"), whole(550, "5.7.1", "?[31m?"));
    }

    #[test]
    fn consent_is_no_refusal() {
        for other in ["250 ok", "", "55", "354 go", "abc", "é50 x", "99999"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
