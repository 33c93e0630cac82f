//! The counters on disk: one file, replaced whole each minute.
//!
//! `LPLIMIT1`, then chunks of kind, length, CRC-32C and payload; the last one says how many
//! entries there are, so that a file which was cut off is noticed. Numbers are little-endian.

mod codec;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use address::AccountKey;

use crate::open::{self, LimitsError};
use crate::table::Table;
use crate::tally::{AccountTally, AddressKey, AddressTally};
use codec::{Damaged, Decoder, Encoder};

const MAGIC: &[u8; 8] = b"LPLIMIT1";
/// No chunk is longer: a shard's entries.
const CHUNK_MAX: u32 = 1 << 30;

const BEGIN: u8 = 1;
const ACCOUNTS: u8 = 2;
const ADDRESSES: u8 = 3;
const END: u8 = 4;

/// What is counted.
#[derive(Debug)]
pub(crate) struct State {
    /// The second up to which it was counted.
    pub(crate) now: u64,
    /// Under which recipients are remembered.
    pub(crate) key: [u8; 32],
    pub(crate) accounts: Table<AccountKey, AccountTally>,
    pub(crate) addresses: Table<AddressKey, AddressTally>,
}

impl State {
    fn begin(most: usize) -> Result<Self, LimitsError> {
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(|_| LimitsError::NoRandomness)?;
        Ok(Self { now: 0, key, accounts: Table::new(most), addresses: Table::new(most) })
    }
}

/// The state in `file`; a new one if there is none, or it cannot be read.
pub(crate) fn load_or_begin(file: &Path, most: usize) -> Result<State, LimitsError> {
    match load(file, most) {
        Ok(Some(state)) => return Ok(state),
        Ok(None) => {}
        Err(error) => tracing::warn!(
            target: "lastpost::limits",
            file = %file.display(),
            %error,
            "the counters cannot be read; they begin anew"
        ),
    }
    State::begin(most)
}

fn load(file: &Path, most: usize) -> io::Result<Option<State>> {
    let open = match File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut input = BufReader::with_capacity(1 << 16, open);
    let mut magic = [0_u8; 8];
    input.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(Damaged.into());
    }
    let (kind, first) = chunk(&mut input)?;
    let mut from = Decoder(&first);
    let (now, key) = match kind {
        BEGIN => (from.u64()?, from.array()?),
        _ => return Err(Damaged.into()),
    };
    let state = State { now, key, accounts: Table::new(most), addresses: Table::new(most) };
    let mut entries = 0_u64;
    loop {
        let (kind, payload) = chunk(&mut input)?;
        let mut from = Decoder(&payload);
        match kind {
            ACCOUNTS => {
                while !from.0.is_empty() {
                    let (account, tally) = from.account()?;
                    state.accounts.with(&account, |here| *here = tally);
                    entries += 1;
                }
            }
            ADDRESSES => {
                while !from.0.is_empty() {
                    let (address, tally) = from.address()?;
                    state.addresses.with(&address, |here| *here = tally);
                    entries += 1;
                }
            }
            END if from.u64()? == entries && input.read(&mut [0])? == 0 => return Ok(Some(state)),
            _ => return Err(Damaged.into()),
        }
    }
}

fn chunk(input: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0_u8; 9];
    input.read_exact(&mut head)?;
    let mut from = Decoder(&head);
    let (kind, length, crc) = (from.u8()?, from.u32()?, from.u32()?);
    if length > CHUNK_MAX {
        return Err(Damaged.into());
    }
    let mut payload = Vec::new();
    input.take(length.into()).read_to_end(&mut payload)?;
    let whole = payload.len() == length as usize && crc32c::crc32c(&payload) == crc;
    if whole { Ok((kind, payload)) } else { Err(Damaged.into()) }
}

fn put(output: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    output.write_all(&[kind])?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(&crc32c::crc32c(payload).to_le_bytes())?;
    output.write_all(payload)
}

/// Writes what is counted, shard by shard: no lock is held while the disk works.
pub(crate) fn save(
    file: &Path,
    now: u64,
    key: &[u8; 32],
    accounts: &Table<AccountKey, AccountTally>,
    addresses: &Table<AddressKey, AddressTally>,
) -> io::Result<()> {
    open::replace(file, |output| {
        output.write_all(MAGIC)?;
        let mut begin = Encoder::default();
        begin.u64(now).octets(key);
        put(output, BEGIN, &begin.take())?;
        let (pending, mut entries) = (std::cell::RefCell::new(Encoder::default()), 0_u64);
        accounts.visit(
            |account, tally| {
                pending.borrow_mut().account(account, tally);
                entries += 1;
            },
            || flush(&mut *output, ACCOUNTS, &pending),
        )?;
        addresses.visit(
            |address, tally| {
                pending.borrow_mut().address(*address, tally);
                entries += 1;
            },
            || flush(&mut *output, ADDRESSES, &pending),
        )?;
        put(output, END, &entries.to_le_bytes())
    })
}

fn flush(
    output: &mut impl Write,
    kind: u8,
    pending: &std::cell::RefCell<Encoder>,
) -> io::Result<()> {
    let payload = pending.borrow_mut().take();
    if payload.is_empty() { Ok(()) } else { put(output, kind, &payload) }
}
