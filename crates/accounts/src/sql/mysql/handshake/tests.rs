//! Handshakes with a server that does what each test needs.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::super::super::stream::Bounded;
use super::*;

fn who(private: bool) -> Who<'static> {
    Who { user: "u", database: "d", password: b"secret", private }
}

#[test]
fn proofs_as_the_servers_compute_them() {
    let nonce = b"01234567890123456789";
    let hex = |octets: &[u8]| -> String { octets.iter().map(|o| format!("{o:02x}")).collect() };
    // What the server does: it knows the digest of the digest, takes the mask off the
    // proof, and the digest of what is left must be what it knows.
    let proof_of = |plugin| proof(plugin, &who(false), nonce).unwrap();
    let native = proof_of(NATIVE);
    let stored = Sha1::digest(Sha1::digest(b"secret"));
    let mask = Sha1::new().chain_update(nonce).chain_update(stored).finalize();
    assert_eq!(hex(&Sha1::digest(&*mixed(&native, &mask))), hex(&stored));
    let caching = proof_of(CACHING);
    let stored = Sha256::digest(Sha256::digest(b"secret"));
    let mask = Sha256::new().chain_update(stored).chain_update(nonce).finalize();
    assert_eq!(hex(&Sha256::digest(&*mixed(&caching, &mask))), hex(&stored));
}

#[test]
fn the_password_itself_is_for_private_ways_alone() {
    assert_eq!(&**proof(CLEAR, &who(true), b"").unwrap(), b"secret\0");
    let error = proof(CLEAR, &who(false), b"").err().unwrap().to_string();
    assert!(error.contains("mysql_clear_password") && !error.contains("secret"), "{error}");
    assert!(proof(b"dialog", &who(true), b"").is_err());
}

#[test]
fn greetings_that_make_no_sense_are_refused() {
    assert!(Greeting::read(b"").is_err());
    assert!(Greeting::read(b"\x0a5.5\0").is_err());
    assert!(Greeting::read(b"+OK ready <1@x>\r\n").is_err());
    let error = Greeting::read(b"\xff\x10\x04Too many connections").err().unwrap();
    assert!(error.to_string().contains("Too many connections (1040)"), "{error}");
}

/// A server that says these packets, one after each of ours; gives back what we said.
async fn talk(who: &Who<'_>, replies: &[&[u8]]) -> (Result<(), String>, Vec<Vec<u8>>) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (stream, allowance) = Bounded::new(Box::new(ours));
    let packets = Packets::new(Box::new(stream), allowance);
    let replies: Vec<Vec<u8>> = replies.iter().map(|reply| reply.to_vec()).collect();
    let server = tokio::spawn(serve(theirs, replies));
    let shaken = shake(packets, None, who).await;
    let result = shaken.map(drop).map_err(|problem| problem.to_string());
    (result, server.await.unwrap())
}

async fn serve(mut stream: DuplexStream, replies: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    let mut number = 0;
    send(&mut stream, &mut number, &greeting()).await;
    let mut silent = false;
    for reply in replies {
        if !silent {
            let Some(packet) = hear(&mut stream).await else { return heard };
            heard.push(packet);
            number += 1;
        }
        // After "content" comes the end of it without a word of ours.
        silent = reply == [1, 3];
        send(&mut stream, &mut number, &reply).await;
    }
    if let Some(packet) = hear(&mut stream).await {
        heard.push(packet);
    }
    heard
}

async fn send(stream: &mut DuplexStream, number: &mut u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap();
    let packet = [&[length, 0, 0, *number], payload].concat();
    *number += 1;
    let _ = stream.write_all(&packet).await;
}

async fn hear(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; usize::from(head[0])];
    stream.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

/// What MySQL 8 says first.
fn greeting() -> Vec<u8> {
    let capabilities: u32 = 0x00ff_ffff & !can::SSL;
    let [a, b, c, d] = capabilities.to_le_bytes();
    [
        &b"\x0a8.0.36\0"[..],
        &[7, 0, 0, 0],
        b"01234567\0",
        &[a, b, 255, 2, 0, c, d, 21],
        &[0; 10],
        b"890123456789\0",
        b"caching_sha2_password\0",
    ]
    .concat()
}

const CONTENT: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

#[tokio::test]
async fn a_server_that_knows_the_password_is_content_with_a_proof() {
    let (result, heard) = talk(&who(false), &[&[1, 3], CONTENT]).await;
    assert_eq!(result, Ok(()));
    let proof = proof(CACHING, &who(false), b"01234567890123456789").unwrap();
    assert_eq!(proof.len(), 32);
    assert!(heard[0].windows(32).any(|window| window == &**proof), "the proof is in our answer");
    assert!(heard[0].ends_with(b"d\0caching_sha2_password\0"));
    assert_eq!(heard.len(), 1);
}

#[tokio::test]
async fn the_password_goes_to_a_server_that_does_not_know_it_by_private_ways_alone() {
    let (result, heard) = talk(&who(true), &[&[1, 4], CONTENT]).await;
    assert_eq!((result, &*heard[1]), (Ok(()), &b"secret\0"[..]));
    let (result, heard) = talk(&who(false), &[&[1, 4]]).await;
    assert!(result.unwrap_err().contains("expected tls = "));
    assert!(heard.iter().all(|packet| !packet.windows(6).any(|window| window == b"secret")));
}

#[tokio::test]
async fn a_server_may_ask_for_another_method() {
    let switch = b"\xfemysql_native_password\0abcdefghijklmnopqrst\0";
    let (result, heard) = talk(&who(false), &[switch, CONTENT]).await;
    assert_eq!(result, Ok(()));
    let expected = proof(NATIVE, &who(false), b"abcdefghijklmnopqrst").unwrap();
    assert_eq!(heard[1], **expected);
    let (result, _) = talk(&who(false), &[b"\xfeclient_ed25519\0abc"]).await;
    assert!(result.unwrap_err().contains("\"client_ed25519\""));
}

#[tokio::test]
async fn servers_that_refuse_or_never_end_are_told_apart() {
    let (result, _) = talk(&who(false), &[b"\xff\x15\x04#28000Access denied"]).await;
    assert_eq!(result, Err("the server refused: Access denied (1045)".to_owned()));
    let again = b"\xfemysql_native_password\0abcdefghijklmnopqrst\0";
    let (result, _) = talk(&who(false), &[&again[..]; 20]).await;
    assert!(result.unwrap_err().contains("no end"));
    let (result, _) = talk(&who(false), &[b"\x42"]).await;
    assert!(result.unwrap_err().contains("nonsense"));
}
