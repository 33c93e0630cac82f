//! Chunks of text and of octets, cut anywhere.

use alloc::vec;

use super::*;

/// What comes of `input`, however it is cut in three.
fn read(reader: &ChunkReader, input: &[u8]) -> Result<Vec<u8>, DataFault> {
    let whole = read_pieces(reader.clone(), &[input]);
    for first in 0..=input.len() {
        for second in first..=input.len() {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(read_pieces(reader.clone(), &pieces), whole, "{pieces:?}");
        }
    }
    whole
}

fn read_pieces(mut reader: ChunkReader, pieces: &[&[u8]]) -> Result<Vec<u8>, DataFault> {
    let mut message = Vec::new();
    for piece in pieces {
        let before = message.len();
        reader.read(piece, &mut message);
        assert!(message.len() - before <= 2 * piece.len() + 1);
    }
    reader.finish(&mut message);
    match reader.fault() {
        Some(fault) => Err(fault),
        None => {
            assert_eq!(reader.octets(), message.len() as u64);
            Ok(message)
        }
    }
}

#[test]
fn text_is_lines_and_dots_are_data() {
    let reader = ChunkReader::text(LoneLf::Reject);
    for (input, output) in [
        (&b""[..], &b""[..]),
        (b"\r\n", b"\r\n"),
        (b"a", b"a\r\n"),
        (b".\r\n..\r\n\r\n.\r\n", b".\r\n..\r\n\r\n.\r\n"),
        (b"a\0b\r\nc", b"a\0b\r\nc\r\n"),
    ] {
        assert_eq!(read(&reader, input), Ok(output.to_vec()), "{input:?}");
    }
    for faulty in [&b"\r"[..], b"a\r", b"a\rb\r\n", b"\r\r\n", b"\r\n.\r\r\n"] {
        assert_eq!(read(&reader, faulty), Err(DataFault::LoneCr), "{faulty:?}");
    }
    for faulty in [&b"\n"[..], b"a\nb\r\n", b"\r\n\n", b"\n.\r\n", b"\r\n.\n"] {
        assert_eq!(read(&reader, faulty), Err(DataFault::LoneLf), "{faulty:?}");
    }
}

#[test]
fn a_lone_lf_may_be_mended_and_a_lone_cr_may_not() {
    let reader = ChunkReader::text(LoneLf::Normalise);
    for (input, output) in [
        (&b"\n"[..], &b"\r\n"[..]),
        (b"a\nb", b"a\r\nb\r\n"),
        (b"\r\n\n.\n", b"\r\n\r\n.\r\n"),
        (b"a\r\n\nb\n", b"a\r\n\r\nb\r\n"),
    ] {
        assert_eq!(read(&reader, input), Ok(output.to_vec()), "{input:?}");
    }
    assert_eq!(read(&reader, b"a\n\rb"), Err(DataFault::LoneCr));
}

#[test]
fn a_binary_body_is_not_touched_and_its_header_is_text() {
    let reader = ChunkReader::binary();
    for whole in [
        &b""[..],
        b"A: b\r\n\r\n\r\0\n\r\r\n.\r\n\n",
        b"\r\n\n\r",
        b"A: b\r\n",
        b"A: b",
        b"A: b\r\n\r\nno end of line",
    ] {
        assert_eq!(read(&reader, whole), Ok(whole.to_vec()), "{whole:?}");
    }
    for faulty in [&b"A: b\n\n\r"[..], b"A: b\r\n\nx", b"\nx"] {
        assert_eq!(read(&reader, faulty), Err(DataFault::LoneLf), "{faulty:?}");
    }
    assert_eq!(read(&reader, b"A: b\r\r\n\r\n"), Err(DataFault::LoneCr));
    assert_eq!(read(&reader, b"A: b\r"), Err(DataFault::LoneCr));
}

#[test]
fn nothing_is_written_behind_a_fault() {
    let mut reader = ChunkReader::text(LoneLf::Reject);
    let mut message = vec![];
    reader.read(b"a\nb\r\n", &mut message);
    let written = message.len();
    reader.read(b"c\r\nd", &mut message);
    reader.finish(&mut message);
    assert_eq!(message.len(), written);
}
