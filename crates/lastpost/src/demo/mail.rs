//! The mail that the demo's maildrops begin with: what a customer's really looks like.

use std::fmt::Write as _;

use base64::Engine as _;

/// The five messages of an account, addressed to `to`; lines end in LF, as in a Maildir.
pub(super) fn seeds(to: &str) -> Vec<Vec<u8>> {
    vec![plain(to), html_with_attachment(to), japanese(to), dots(to), large(to)]
}

/// The two small ones of them, for accounts that only make up the number.
pub(super) fn small_seeds(to: &str) -> Vec<Vec<u8>> {
    vec![plain(to), html_with_attachment(to)]
}

/// A message ready to be sent, from `from` to `to`, with CRLF line ends.
#[must_use]
pub(super) fn letter(from: &str, to: &str) -> Vec<u8> {
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: Good evening\r\n\r\n\
         Written by a mail program that knows no password.\r\n.\r\nA line with a dot alone stands above this one.\r\n"
    )
    .into_bytes()
}

fn head(from: &str, to: &str, subject: &str, number: u32) -> String {
    format!(
        "Return-Path: <{address}>\n\
         Received: from mail.friend.example (mail.friend.example [192.0.2.{number}])\n\
         \tby mail.lastpost.example with ESMTPS; Tue, 3 Nov 2026 09:1{number}:00 +0900\n\
         From: {from}\nTo: <{to}>\nSubject: {subject}\n\
         Date: Tue, 3 Nov 2026 09:1{number}:00 +0900\n\
         Message-ID: <2026110309{number}.demo@friend.example>\nMIME-Version: 1.0\n",
        address = from.rsplit(['<', '>']).nth(1).unwrap_or(from),
    )
}

fn plain(to: &str) -> Vec<u8> {
    let mut text = head("Bert Braun <bert@friend.example>", to, "Lunch on Thursday?", 1);
    text += "Content-Type: text/plain; charset=us-ascii\n\n\
             Hello,\n\nthe new place by the station has a table for four at half past twelve.\n\
             Shall I take it?\n\nBert\n";
    text.into_bytes()
}

fn html_with_attachment(to: &str) -> Vec<u8> {
    let mut text = head("Billing <billing@shop.example>", to, "Your invoice 2026-1107", 2);
    text += "Content-Type: multipart/mixed; boundary=\"lp-mixed\"\n\n\
             --lp-mixed\nContent-Type: multipart/alternative; boundary=\"lp-alternative\"\n\n\
             --lp-alternative\nContent-Type: text/plain; charset=utf-8\n\n\
             Your invoice is attached.\n\
             --lp-alternative\nContent-Type: text/html; charset=utf-8\n\n\
             <html><body><h1>Invoice 2026-1107</h1>\n<p>Your invoice is <b>attached</b>.</p>\n\
             </body></html>\n--lp-alternative--\n\
             --lp-mixed\nContent-Type: application/pdf; name=\"invoice.pdf\"\n\
             Content-Transfer-Encoding: base64\n\
             Content-Disposition: attachment; filename=\"invoice.pdf\"\n\n";
    let pdf: Vec<u8> = b"%PDF-1.4\n%".iter().copied().chain((0..24_000).map(noise)).collect();
    push_base64(&mut text, &pdf);
    text += "--lp-mixed--\n";
    text.into_bytes()
}

fn japanese(to: &str) -> Vec<u8> {
    let subject = format!(
        "=?UTF-8?B?{}?=",
        base64::engine::general_purpose::STANDARD.encode("秋の旅行のご案内")
    );
    let mut text = head("=?UTF-8?B?5L2Q6Jek?= <sato@ryokan.example>", to, &subject, 3);
    text += "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
             いつもお世話になっております。\n\
             紅葉の季節の宿泊プランができましたので、ご案内いたします。\n\n\
             露天風呂付き客室　一泊二食\n\nご予約をお待ちしております。\n佐藤\n";
    text.into_bytes()
}

fn dots(to: &str) -> Vec<u8> {
    let mut text = head("Robot <cron@server.example>", to, "Output of the nightly job", 4);
    text += "Content-Type: text/plain; charset=us-ascii\n\n\
             .profile was changed\n..\n.\nThe line above is a single dot; this one still belongs \
             to the message.\n...three\n";
    text.into_bytes()
}

fn large(to: &str) -> Vec<u8> {
    let mut text = head("Photos <photos@family.example>", to, "Pictures of the weekend", 5);
    text += "Content-Type: image/jpeg; name=\"weekend.jpg\"\n\
             Content-Transfer-Encoding: base64\n\
             Content-Disposition: attachment; filename=\"weekend.jpg\"\n\n";
    let picture: Vec<u8> = (0..3_000_000).map(noise).collect();
    push_base64(&mut text, &picture);
    text.into_bytes()
}

/// The same octets at each run, and incompressible enough to look like a picture.
fn noise(at: u32) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ (at >> 7) as u8
}

fn push_base64(text: &mut String, content: &[u8]) {
    for line in content.chunks(57) {
        let line = base64::engine::general_purpose::STANDARD.encode(line);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_what_their_names_say() {
        let seeds = seeds("a@b.example");
        assert_eq!(seeds.len(), 5);
        let text = |at: usize| String::from_utf8(seeds[at].clone()).unwrap();
        assert!(text(1).contains("text/html") && text(1).contains("attachment"));
        assert!(text(2).contains("紅葉"));
        assert!(text(3).contains("\n.\n") && text(3).contains("\n.profile"));
        assert!(seeds[4].len() > 4_000_000);
        for seed in &seeds {
            assert!(!seed.contains(&b'\r'));
            assert!(seed.ends_with(b"\n"));
        }
    }
}
