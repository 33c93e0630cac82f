//! Entries as octets.

use std::io;

use address::AccountKey;

use crate::known::Known;
use crate::networks::{NETWORKS_MAX, Networks};
use crate::tally::{AccountTally, AddressKey, AddressTally};
use crate::window::{Window, Windows};

/// The file is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is damaged")]
pub(super) struct Damaged;

impl From<Damaged> for io::Error {
    fn from(damaged: Damaged) -> Self {
        Self::new(io::ErrorKind::InvalidData, damaged)
    }
}

#[derive(Debug, Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    pub(super) fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.0.extend_from_slice(octets);
        self
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.octets(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.octets(&value.to_le_bytes())
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.octets(&value.to_le_bytes())
    }

    fn windows(&mut self, windows: &Windows) -> &mut Self {
        self.u32(windows.hour).u32(windows.day);
        for window in &windows.counts {
            self.u32(window.now).u32(window.before);
        }
        self
    }

    fn digests(&mut self, digests: &[u32]) -> &mut Self {
        self.u32(u32::try_from(digests.len()).unwrap_or(0));
        for digest in digests {
            self.u32(*digest);
        }
        self
    }

    pub(super) fn account(&mut self, account: &AccountKey, tally: &AccountTally) {
        let name = account.as_str().as_bytes();
        let AccountTally { windows, known, networks, seen, noticed_day, noticed } = tally;
        self.u16(u16::try_from(name.len()).unwrap_or(0)).octets(name);
        self.windows(windows).u32(*seen).u32(*noticed_day).u16(*noticed);
        self.u32(known.begun).digests(&known.young).digests(&known.old);
        self.u16(u16::try_from(networks.0.len()).unwrap_or(0));
        for (network, seen) in &networks.0 {
            self.u64(*network).u64(*seen);
        }
    }

    pub(super) fn address(&mut self, address: AddressKey, tally: &AddressTally) {
        self.octets(&address.0.to_le_bytes()).windows(&tally.windows).u32(tally.seen);
    }
}

/// What is left to read.
pub(super) struct Decoder<'a>(pub(super) &'a [u8]);

impl<'a> Decoder<'a> {
    fn octets(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (octets, rest) = self.0.split_at_checked(count).ok_or(Damaged)?;
        self.0 = rest;
        Ok(octets)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        self.octets(N)?.try_into().map_err(|_| Damaged)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Damaged> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, Damaged> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Damaged> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damaged> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn windows(&mut self) -> Result<Windows, Damaged> {
        let mut windows = Windows { hour: self.u32()?, day: self.u32()?, ..Windows::default() };
        for window in &mut windows.counts {
            *window = Window { now: self.u32()?, before: self.u32()? };
        }
        Ok(windows)
    }

    /// Sorted, as the search in them needs it.
    fn digests(&mut self) -> Result<Vec<u32>, Damaged> {
        let count = self.u32()? as usize;
        let octets = self.octets(count.checked_mul(4).ok_or(Damaged)?)?;
        let digests: Vec<u32> = octets
            .chunks_exact(4)
            .map(|four| four.try_into().map_or(0, u32::from_le_bytes))
            .collect();
        if digests.is_sorted() { Ok(digests) } else { Err(Damaged) }
    }

    pub(super) fn account(&mut self) -> Result<(AccountKey, AccountTally), Damaged> {
        let length = self.u16()?.into();
        let name = std::str::from_utf8(self.octets(length)?).map_err(|_| Damaged)?;
        let account = AccountKey::parse(name, None).map_err(|_| Damaged)?;
        let windows = self.windows()?;
        let (seen, noticed_day, noticed) = (self.u32()?, self.u32()?, self.u16()?);
        let known = Known { begun: self.u32()?, young: self.digests()?, old: self.digests()? };
        let mut networks = Networks::default();
        let count: usize = self.u16()?.into();
        if count > NETWORKS_MAX {
            return Err(Damaged);
        }
        for _ in 0..count {
            networks.0.push((self.u64()?, self.u64()?));
        }
        Ok((account, AccountTally { windows, known, networks, seen, noticed_day, noticed }))
    }

    pub(super) fn address(&mut self) -> Result<(AddressKey, AddressTally), Damaged> {
        let address = AddressKey(u128::from_le_bytes(self.array()?));
        Ok((address, AddressTally { windows: self.windows()?, seen: self.u32()? }))
    }
}
