//! The file of the counters: what was written is read, and nothing else is believed.

use super::*;
use crate::window::Addition;

const NOW: u64 = 1_700_000_000;

fn account(number: u32) -> AccountKey {
    AccountKey::parse(&format!("user{number}@a.example"), None).unwrap()
}

fn filled() -> State {
    let mut state = State::begin(10_000).unwrap();
    state.now = NOW;
    for number in 0..300_u32 {
        state.accounts.with(&account(number), |tally| {
            tally.touch(NOW);
            tally.windows.add(&Addition { messages: number, recipients: 2, first_time: 1, kib: 9 });
            tally.known.remember(&[number, 7, u32::MAX], 5, 100);
            tally.networks.note(u64::from(number), NOW);
            tally.noticed = 3;
        });
        let address = AddressKey(u128::from(number) << 64);
        state.addresses.with(&address, |tally| tally.touch(NOW));
    }
    state
}

fn save_to(file: &Path, state: &State) {
    save(file, state.now, &state.key, &state.accounts, &state.addresses).unwrap();
}

fn dump(state: &State) -> Vec<(String, AccountTally)> {
    let mut all = Vec::new();
    let none = || Ok::<(), io::Error>(());
    state.accounts.visit(|key, tally| all.push((key.to_string(), tally.clone())), none).unwrap();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[test]
fn what_was_written_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("counters");
    assert!(load(&file, 10_000).unwrap().is_none());
    let state = filled();
    save_to(&file, &state);
    let again = load(&file, 10_000).unwrap().unwrap();
    assert_eq!((again.now, again.key), (state.now, state.key));
    assert_eq!(dump(&again), dump(&state));
    assert_eq!(again.addresses.len(), 300);
}

#[test]
fn a_file_that_was_changed_or_cut_anywhere_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("counters");
    save_to(&file, &filled());
    let whole = std::fs::read(&file).unwrap();
    let bad = directory.path().join("bad");
    let step = (whole.len() / 200).max(1);
    for at in (0..whole.len()).step_by(step).chain([8, 9, 13, whole.len() - 1]) {
        std::fs::write(&bad, &whole[..at]).unwrap();
        assert!(load(&bad, 10_000).is_err(), "cut at {at}");
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        std::fs::write(&bad, &flipped).unwrap();
        assert!(load(&bad, 10_000).is_err(), "changed at {at}");
    }
    std::fs::write(&bad, [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(load(&bad, 10_000).is_err(), "something behind it");
    let begun = load_or_begin(&bad, 10_000).unwrap();
    assert_eq!((begun.now, begun.accounts.len()), (0, 0), "and mail flows");
}

#[test]
fn a_length_that_lies_asks_for_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("counters");
    let mut lie = MAGIC.to_vec();
    lie.extend_from_slice(&[BEGIN, 0xff, 0xff, 0xff, 0x3f, 0, 0, 0, 0]);
    std::fs::write(&file, lie).unwrap();
    assert!(load(&file, 1000).is_err());
}
