//! The session without a socket, as its own crate plays it.

use super::transcripts;
use crate::transcript::{Transcript, What};
use crate::world::World;

fn play(transcript: &Transcript, piece: usize) {
    let mut world = World::new();
    for item in &transcript.items {
        let place = format!("{}:{} (pieces of {piece})", transcript.name, item.line);
        match &item.what {
            What::Given(given) => world.arrange(given),
            What::Client(octets) => octets.chunks(piece).for_each(|piece| world.send(piece)),
            What::Tls => world.shake_hands(),
            What::Drop => world.hang_up(),
            What::Server(expected) => {
                world.connect();
                let end = world.out.windows(2).position(|pair| pair == b"\r\n");
                let end = end.unwrap_or_else(|| panic!("{place}: silence"));
                let line: Vec<u8> = world.out.drain(..end + 2).take(end).collect();
                assert!(expected.matches(&line), "{place}: {}", line.escape_ascii());
            }
            What::Closed => assert!(world.is_closed() && world.out.is_empty(), "{place}"),
            What::Removed(indexes) => {
                assert_eq!(world.removed.as_deref().unwrap_or_default(), indexes, "{place}");
            }
            other => panic!("{place}: {other:?} is beyond these drivers"),
        }
    }
}

#[test]
fn the_session_says_what_is_written() {
    for transcript in transcripts() {
        play(&transcript, usize::MAX);
        if !transcript.unsplit_only {
            play(&transcript, 1);
            play(&transcript, 7);
        }
    }
}
