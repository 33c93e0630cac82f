//! Messages that are returned whole.

use super::*;

#[test]
fn a_whole_message_comes_back_as_it_was() {
    let ascii = b"Subject: hi\r\n\r\nbody\r\n--x\r\n".to_vec();
    let report = Case { start: ascii, whole: true, ..Case::default() }.compose();
    assert!(!report.eight_bit);
    let text = String::from_utf8(report.body.to_vec()).unwrap();
    let (_, found) = parts(&text);
    assert_eq!(found[2].0, "Content-Type: message/rfc822");
    assert_eq!(found[2].1, "Subject: hi\r\n\r\nbody\r\n--x\r\n");
    assert!(found[0].1.contains("Your message is attached"));

    let eight_bit = b"Subject: hi\r\n\r\nna\xefve\r\n".to_vec();
    let report = Case { start: eight_bit.clone(), whole: true, ..Case::default() }.compose();
    assert!(report.eight_bit && !report.smtputf8);
    let parsed = MessageParser::new().parse(&report.body).unwrap();
    let inner = parsed.parts.last().unwrap();
    assert!(inner.is_content_type("message", "rfc822"));
    assert!(report.body.windows(eight_bit.len()).any(|window| window == eight_bit));

    // A header in UTF-8 needs no SMTPUTF8 on the way back: the part is encoded.
    let utf8 = "Subject: naïve\r\n\r\nhi\r\n".as_bytes().to_vec();
    let report = Case { start: utf8, whole: true, ..Case::default() }.compose();
    assert!(report.body.is_ascii() && !report.eight_bit);
    let text = String::from_utf8(report.body.to_vec()).unwrap();
    let (_, found) = parts(&text);
    assert!(found[2].0.starts_with("Content-Type: message/global\r\n"));
}
