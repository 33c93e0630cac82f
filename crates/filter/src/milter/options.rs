//! What mail server and milter agree on at the start (`SMFIC_OPTNEG`).

use crate::error::FilterError;

/// The protocol's version that we speak.
const VERSION: u32 = 6;
const VERSION_LEAST: u32 = 2;

/// All changes that a milter may make, but for parameters of added recipients and the choice of
/// macros.
const ACTIONS: u32 = 0x7f;

/// Commands that a milter may do without.
pub(crate) const NO_CONNECT: u32 = 0x1;
pub(crate) const NO_HELO: u32 = 0x2;
pub(crate) const NO_MAIL: u32 = 0x4;
pub(crate) const NO_RCPT: u32 = 0x8;
pub(crate) const NO_BODY: u32 = 0x10;
pub(crate) const NO_HEADERS: u32 = 0x20;
pub(crate) const NO_END_OF_HEADERS: u32 = 0x40;
pub(crate) const NO_DATA: u32 = 0x200;
/// It may say that it has seen enough of the body.
pub(crate) const SKIP: u32 = 0x400;
/// Commands that it may leave unanswered.
pub(crate) const MUTE_HEADER: u32 = 0x80;
pub(crate) const MUTE_CONNECT: u32 = 0x1000;
pub(crate) const MUTE_HELO: u32 = 0x2000;
pub(crate) const MUTE_MAIL: u32 = 0x4000;
pub(crate) const MUTE_RCPT: u32 = 0x8000;
pub(crate) const MUTE_DATA: u32 = 0x1_0000;
pub(crate) const MUTE_END_OF_HEADERS: u32 = 0x4_0000;
pub(crate) const MUTE_BODY: u32 = 0x8_0000;
/// Values of fields keep the blank behind the colon.
pub(crate) const LEADING_SPACE: u32 = 0x10_0000;

const NO_UNKNOWN: u32 = 0x100;
const MUTE_UNKNOWN: u32 = 0x2_0000;

const PROTOCOL: u32 = NO_CONNECT
    | NO_HELO
    | NO_MAIL
    | NO_RCPT
    | NO_BODY
    | NO_HEADERS
    | NO_END_OF_HEADERS
    | NO_DATA
    | NO_UNKNOWN
    | SKIP
    | MUTE_HEADER
    | MUTE_CONNECT
    | MUTE_HELO
    | MUTE_MAIL
    | MUTE_RCPT
    | MUTE_DATA
    | MUTE_UNKNOWN
    | MUTE_END_OF_HEADERS
    | MUTE_BODY
    | LEADING_SPACE;

/// What a milter wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    protocol: u32,
}

impl Options {
    /// The data of our `SMFIC_OPTNEG`.
    pub(crate) fn offer() -> [u8; 12] {
        let mut data = [0; 12];
        for (place, number) in data.chunks_exact_mut(4).zip([VERSION, ACTIONS, PROTOCOL]) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        data
    }

    /// From the data of the milter's.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, FilterError> {
        let number = |at: usize| {
            let octets = data.get(at..at + 4)?;
            octets.try_into().ok().map(u32::from_be_bytes)
        };
        let (Some(version), Some(actions), Some(protocol)) = (number(0), number(4), number(8))
        else {
            return Err(FilterError::Nonsense("its options are too short"));
        };
        if !(VERSION_LEAST..=VERSION).contains(&version) {
            return Err(FilterError::Nonsense("it speaks no version from 2 to 6"));
        }
        if actions & !ACTIONS != 0 {
            return Err(FilterError::Nonsense("it wants to change what nobody may"));
        }
        if protocol & !PROTOCOL != 0 {
            return Err(FilterError::Nonsense("it wants what was not offered"));
        }
        Ok(Self { protocol })
    }

    /// Whether the milter asked for this.
    pub(crate) fn has(self, flag: u32) -> bool {
        self.protocol & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(version: u32, actions: u32, protocol: u32) -> Vec<u8> {
        [version, actions, protocol].iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    #[test]
    fn a_milter_gets_no_more_than_it_was_offered() {
        let options = Options::parse(&data(6, 0x11, NO_HELO | MUTE_HEADER)).unwrap();
        assert!(options.has(NO_HELO) && options.has(MUTE_HEADER) && !options.has(NO_BODY));
        assert!(Options::parse(&data(2, 0, 0)).is_ok());
        for bad in [data(1, 0, 0), data(7, 0, 0), data(6, 0x100, 0), data(6, 0, 0x1000_0000)] {
            assert!(Options::parse(&bad).is_err());
        }
        assert!(Options::parse(&[0; 11]).is_err());
        assert!(Options::parse(&Options::offer()).is_ok());
    }
}
