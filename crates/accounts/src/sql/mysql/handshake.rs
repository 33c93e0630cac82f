//! How a connection begins: the server introduces itself, TLS, and the password.

#[cfg(test)]
mod tests;

use netio::{PeerName, TlsClient};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::driver::Problem;
use super::packet::{self, Packets, Reader};

/// What we can do, and want the server to do.
mod can {
    pub(super) const LONG_PASSWORD: u32 = 1;
    pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(super) const PROTOCOL_41: u32 = 1 << 9;
    pub(super) const SSL: u32 = 1 << 11;
    pub(super) const TRANSACTIONS: u32 = 1 << 13;
    pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(super) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(super) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
}

/// Longest packet that we announce.
const PACKET_MAX: u32 = 1 << 20;
/// utf8mb4_general_ci, which all versions have.
const UTF8MB4: u8 = 45;
/// Rounds of questions about the password.
const ROUNDS_MAX: usize = 8;

/// Who connects.
pub(super) struct Who<'a> {
    pub(super) user: &'a str,
    pub(super) database: &'a str,
    pub(super) password: &'a [u8],
    /// Whether nobody else hears what is said: TLS, or a socket on this machine.
    pub(super) private: bool,
}

/// What the server says first.
struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: Vec<u8>,
}

/// Introduces both sides to each other.
pub(super) async fn shake(
    mut packets: Packets,
    tls: Option<&(TlsClient, PeerName)>,
    who: &Who<'_>,
) -> Result<Packets, Problem> {
    let greeting = Greeting::read(&packets.receive().await?)?;
    let mut wanted = can::LONG_PASSWORD
        | can::CONNECT_WITH_DB
        | can::PROTOCOL_41
        | can::TRANSACTIONS
        | can::SECURE_CONNECTION
        | can::PLUGIN_AUTH
        | can::PLUGIN_AUTH_LENENC;
    wanted &= greeting.capabilities | can::LONG_PASSWORD;
    if wanted & can::PROTOCOL_41 == 0 || wanted & can::SECURE_CONNECTION == 0 {
        return Err(Problem::Refused("it is older than MySQL 4.1".to_owned()));
    }
    if let Some((tls, peer)) = tls {
        if greeting.capabilities & can::SSL == 0 {
            return Err(Problem::Refused("it has no TLS".to_owned()));
        }
        wanted |= can::SSL;
        packets.send(&head(wanted)).await?;
        let (stream, allowance, number) = packets.into_stream()?;
        let stream = tls.connect(peer, stream).await?;
        packets = Packets::over(Box::new(stream), allowance, number);
    }
    let plugin = if greeting.plugin.is_empty() { NATIVE } else { &greeting.plugin };
    // For a method that we do not know the server will be asked for another.
    let plugin = if plugin == CACHING || plugin == NATIVE { plugin } else { NATIVE };
    let proof = proof(plugin, who, &greeting.nonce).unwrap_or_default();
    let mut answer = Zeroizing::new(head(wanted));
    answer.extend_from_slice(who.user.as_bytes());
    answer.push(0);
    packet::put_text(&mut answer, &proof);
    if wanted & can::CONNECT_WITH_DB != 0 {
        answer.extend_from_slice(who.database.as_bytes());
        answer.push(0);
    }
    if wanted & can::PLUGIN_AUTH != 0 {
        answer.extend_from_slice(plugin);
        answer.push(0);
    }
    packets.send(&answer).await?;
    finish(&mut packets, who).await?;
    Ok(packets)
}

/// The beginning of our answer, which is also what asks for TLS.
fn head(wanted: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(128);
    head.extend_from_slice(&wanted.to_le_bytes());
    head.extend_from_slice(&PACKET_MAX.to_le_bytes());
    head.push(UTF8MB4);
    head.extend_from_slice(&[0; 23]);
    head
}

/// Answers what the server asks about the password until it is content.
async fn finish(packets: &mut Packets, who: &Who<'_>) -> Result<(), Problem> {
    for _ in 0..ROUNDS_MAX {
        let packet = packets.receive().await?;
        let mut reader = Reader::new(&packet);
        match reader.octet()? {
            super::OK => return Ok(()),
            super::ERROR => return Err(refused(&packet)),
            super::END => {
                let plugin = reader.until_nul();
                let nonce = reader.rest();
                let nonce = nonce.strip_suffix(&[0]).unwrap_or(nonce);
                let proof = proof(plugin, who, nonce)?;
                packets.send(&proof).await?;
            }
            // More of caching_sha2_password: 3 is content, 4 wants the password itself.
            0x01 => match reader.rest() {
                [0x03] => {}
                [0x04] if who.private => packets.send(&in_clear(who.password)).await?,
                [0x04] => {
                    let problem = "it asks for the password in clear; expected tls = \"verify\" \
                                   or \"require\", or its socket";
                    return Err(Problem::Refused(problem.to_owned()));
                }
                _ => return Err(Problem::Nonsense("a question about the password".to_owned())),
            },
            _ => return Err(Problem::Nonsense("no answer to the password".to_owned())),
        }
    }
    Err(Problem::Nonsense("no end of questions about the password".to_owned()))
}

fn refused(packet: &[u8]) -> Problem {
    let (code, message) = packet::error(packet);
    Problem::Refused(format!("{message} ({code})"))
}

const NATIVE: &[u8] = b"mysql_native_password";
const CACHING: &[u8] = b"caching_sha2_password";
const CLEAR: &[u8] = b"mysql_clear_password";

/// What proves that we know the password.
fn proof(plugin: &[u8], who: &Who<'_>, nonce: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let password = who.password;
    match plugin {
        NATIVE if password.is_empty() => Ok(Zeroizing::default()),
        CACHING if password.is_empty() => Ok(Zeroizing::new(vec![0])),
        NATIVE => {
            let once = Sha1::digest(password);
            let twice = Sha1::digest(once);
            let mask = Sha1::new().chain_update(nonce).chain_update(twice).finalize();
            Ok(mixed(&once, &mask))
        }
        CACHING => {
            let once = Sha256::digest(password);
            let twice = Sha256::digest(once);
            let mask = Sha256::new().chain_update(twice).chain_update(nonce).finalize();
            Ok(mixed(&once, &mask))
        }
        CLEAR if who.private => Ok(in_clear(password)),
        other => {
            let name: String = String::from_utf8_lossy(other).chars().take(64).collect();
            Err(Problem::Refused(format!(
                "it wants the password by {name:?}; expected a user with \
                 mysql_native_password or caching_sha2_password"
            )))
        }
    }
}

fn mixed(a: &[u8], b: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(a.iter().zip(b).map(|(a, b)| a ^ b).collect())
}

fn in_clear(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut clear = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    clear.extend_from_slice(password);
    clear.push(0);
    clear
}

impl Greeting {
    fn read(packet: &[u8]) -> Result<Self, Problem> {
        let mut reader = Reader::new(packet);
        match reader.octet()? {
            10 => {}
            super::ERROR => return Err(refused(packet)),
            other => return Err(Problem::Nonsense(format!("protocol {other}; expected 10"))),
        }
        reader.until_nul();
        reader.skip(4)?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.skip(1)?;
        let low = u32::from(reader.u16()?);
        reader.skip(3)?;
        let high = u32::from(reader.u16()?);
        let capabilities = low | high << 16;
        let length = usize::from(reader.octet()?);
        reader.skip(10)?;
        if capabilities & can::SECURE_CONNECTION != 0 {
            let more = reader.take(length.saturating_sub(8).max(13))?;
            nonce.extend_from_slice(more.strip_suffix(&[0]).unwrap_or(more));
        }
        let plugin = if capabilities & can::PLUGIN_AUTH != 0 { reader.until_nul() } else { b"" };
        Ok(Self { capabilities, nonce, plugin: plugin.to_vec() })
    }
}
