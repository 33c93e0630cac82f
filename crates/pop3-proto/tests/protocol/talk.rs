//! The driver's end of a SASL exchange: PLAIN and LOGIN, and others by the script of a transcript.

use std::collections::VecDeque;

use sasl::Mechanism;

use crate::transcript::Follows;

/// An exchange under way.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    asked: bool,
    login: Option<String>,
}

/// What follows a message.
pub(crate) enum Turn {
    Challenge(Vec<u8>, Talk),
    /// Is this the password?
    Login(String, Vec<u8>),
    /// That is known.
    Settled(bool),
    Malformed,
}

impl Talk {
    pub(crate) fn turn(
        self,
        mechanism: Mechanism,
        message: Option<&[u8]>,
        script: &mut VecDeque<(Vec<u8>, Follows)>,
    ) -> Turn {
        match (mechanism, message) {
            (Mechanism::Plain, None) => Turn::Challenge(Vec::new(), self),
            (Mechanism::Plain, Some(message)) => plain(message),
            (Mechanism::Login, None) => Turn::Challenge(b"Username:".to_vec(), self),
            (Mechanism::Login, Some(message)) => self.login(message),
            (_, None) => Turn::Challenge(Vec::new(), self),
            (_, Some(message)) => match script.pop_front() {
                Some((expected, follows)) if expected == message => self.follow(follows),
                _ => Turn::Malformed,
            },
        }
    }

    fn follow(self, follows: Follows) -> Turn {
        match follows {
            Follows::Challenge(challenge) => Turn::Challenge(challenge, self),
            Follows::Accepted => Turn::Settled(true),
            Follows::Wrong => Turn::Settled(false),
            Follows::Malformed => Turn::Malformed,
        }
    }

    fn login(mut self, message: &[u8]) -> Turn {
        let Ok(text) = std::str::from_utf8(message) else { return Turn::Malformed };
        match self.login {
            None if !self.asked => {
                (self.asked, self.login) = (true, Some(text.to_owned()));
                Turn::Challenge(b"Password:".to_vec(), self)
            }
            None => Turn::Malformed,
            Some(login) => Turn::Login(login, message.to_vec()),
        }
    }
}

fn plain(message: &[u8]) -> Turn {
    let fields: Vec<&[u8]> = message.split(|&octet| octet == 0).collect();
    let [identity, login, password] = fields[..] else { return Turn::Malformed };
    let Ok(login) = String::from_utf8(login.to_vec()) else { return Turn::Malformed };
    if !identity.is_empty() && identity != login.as_bytes() {
        return Turn::Settled(false);
    }
    Turn::Login(login, password.to_vec())
}
