//! What is read from a file that anybody may have written.

use proptest::prelude::*;

use super::file::{Content, line};
use super::*;

fn sum(text: &str) -> Option<(u64, u64, usize)> {
    Content::parse(text.as_bytes()).sum().map(|sum| (sum.used.octets, sum.used.messages, sum.lines))
}

fn limits(text: &str) -> Option<String> {
    Content::parse(text.as_bytes()).quota().map(|quota| quota.to_string())
}

#[test]
fn a_file_as_others_write_it() {
    let text = "1000000S,100C\n      5000 10\n         700 1\n        -700 -1\n";
    assert_eq!(sum(text), Some((5000, 10, 3)));
    assert_eq!(limits(text).as_deref(), Some("1000000S,100C"));
    for (first, shown) in [
        ("10S", "10S"),
        ("10C", "10C"),
        ("100C,10S", "10S,100C"),
        ("0S,0C", "0S"),
        (" 10S , 5C ", "10S,5C"),
        ("10S,7X", "10S"),
    ] {
        assert_eq!(limits(&format!("{first}\n0 0\n")).as_deref(), Some(shown), "{first}");
    }
    let kept = Content::parse(b"10S,7X  \n0 0\n");
    assert_eq!(kept.first_line(), Some(b"10S,7X".as_slice()), "what we do not know stays");
}

#[test]
fn a_file_that_makes_no_sense() {
    for lines in [
        "",
        "5",
        "5 1",
        "5 1\n6",
        "a b\n",
        "5 1 1\n",
        "\n",
        "5\n",
        "-5 1\n",
        "5 -1\n",
        "+5 1\n",
        "5 1\n\0\0\0\n",
        "9223372036854775807 1\n1 1\n",
        "99999999999999999999 1\n",
        "--5 1\n",
        "5,1\n",
    ] {
        assert_eq!(sum(&format!("10S\n{lines}")), None, "{lines:?}");
    }
    for first in ["", "S", "10", "-10S", "10S,", ",10S", "1.5S", "10s5", "10\0", "10 000S"] {
        assert_eq!(limits(&format!("{first}\n0 0\n")), None, "{first:?}");
    }
    assert_eq!(limits(&format!("{}\n0 0\n", "1C,".repeat(2000))), None);
    let long = format!("10S\n{}", "1 1\n".repeat(FILE_MAX / 4));
    assert_eq!(sum(&long[..FILE_MAX]), None, "it may go on");
    assert_eq!(sum(&long[..FILE_MAX - 4]), Some((1278, 1278, 1278)));
}

#[test]
fn a_line_is_one_small_write_that_reads_back() {
    assert_eq!(line(false, 5, 1), "5 1          \n");
    assert_eq!(line(true, 700, 1), "-700 -1      \n");
    let longest = line(true, u64::MAX, u64::MAX);
    assert!(longest.len() < 64 && longest.ends_with('\n'));
    let text = format!("0S\n{}{}", line(false, 700, 9), line(true, 700, 8));
    assert_eq!(sum(&text), Some((0, 1, 2)));
}

#[test]
fn room_is_up_to_the_limit() {
    let quota = Quota { octets: Some(100), messages: Some(3) };
    let room = |octets, messages, more| quota.has_room(Usage { octets, messages }, more);
    assert!(room(60, 2, 40));
    assert!(!room(60, 2, 41) && !room(60, 3, 1) && !room(u64::MAX, 0, u64::MAX));
    assert!(Quota::default().has_room(Usage { octets: u64::MAX, messages: u64::MAX }, u64::MAX));
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
        let content = Content::parse(&bytes);
        prop_assert!(content.quota().is_some() == content.first_line().is_some());
    }

    #[test]
    fn what_was_added_and_taken_is_what_is_left(
        changes in prop::collection::vec((0_u64..1_000_000, 1_u64..5), 1..40),
    ) {
        let mut text = "1S\n".to_owned();
        let (mut octets, mut messages) = (0, 0);
        for (number, (size, count)) in changes.iter().enumerate() {
            text += &line(false, *size, *count);
            if number % 2 == 0 {
                text += &line(true, *size, *count);
            } else {
                (octets, messages) = (octets + size, messages + count);
            }
        }
        let found = sum(&text).map(|(octets, messages, _)| (octets, messages));
        prop_assert_eq!(found, Some((octets, messages)));
    }
}
