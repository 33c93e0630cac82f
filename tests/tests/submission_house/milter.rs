//! A milter that does as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A packet of the protocol: letter and data.
pub(crate) type Packet = (u8, Vec<u8>);

type Script = dyn Fn(&Packet) -> Option<Vec<Packet>> + Send + Sync;

/// A milter on a port of its own; its threads end with the process.
pub(crate) struct Milter {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Packet>>>,
}

pub(crate) fn answer(letter: u8, data: &[u8]) -> Packet {
    (letter, data.to_vec())
}

/// Instead of an answer: the milter closes the connection.
pub(crate) const DIES: u8 = 0;

impl Milter {
    /// Answers "continue" to everything but what `script` says otherwise.
    pub(crate) fn start(
        script: impl Fn(&Packet) -> Option<Vec<Packet>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &*script, &log));
            }
        });
        Self { address, seen }
    }

    /// One that says this about a whole message.
    pub(crate) fn at_the_end(answers: Vec<Packet>) -> Self {
        Self::start(move |packet| (packet.0 == b'E').then(|| answers.clone()))
    }

    /// The data of all commands `letter`, one behind the other.
    pub(crate) fn text(&self, letter: u8) -> String {
        let seen = self.seen.lock().unwrap();
        let data: Vec<u8> = seen
            .iter()
            .filter(|(other, _)| *other == letter)
            .flat_map(|(_, d)| d.clone())
            .collect();
        String::from_utf8(data).unwrap()
    }

    /// The tables of the configuration: the milter `m`, with `more` in it, and the listener
    /// `checked` that requires it.
    pub(crate) fn tables(&self, more: &str) -> String {
        tables(self.address, more)
    }
}

/// As [`Milter::tables`], for one that may be away.
pub(crate) fn tables(address: SocketAddr, more: &str) -> String {
    format!(
        "[[filter.milter]]\nname = \"m\"\naddress = \"{address}\"\n{more}\n\
         [[submission.listen]]\nname = \"checked\"\naddress = \"127.0.0.1:0\"\n\
         authorities = [\"smtp-auth\"]\nfilters = [\"m\"]\n"
    )
}

fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<Packet>>) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut data = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut data).ok()?;
        let packet = (data[0], data[1..].to_vec());
        log.lock().unwrap().push(packet.clone());
        let usual = match packet.0 {
            // Version 6, all changes, nothing left out.
            b'O' => vec![answer(b'O', &[0, 0, 0, 6, 0, 0, 0, 0x7f, 0, 0, 0, 0])],
            b'D' | b'A' | b'Q' => Vec::new(),
            _ => vec![answer(b'c', b"")],
        };
        for (letter, data) in script(&packet).unwrap_or(usual) {
            if letter == DIES {
                return None;
            }
            let mut octets = u32::try_from(data.len() + 1).unwrap().to_be_bytes().to_vec();
            octets.push(letter);
            octets.extend(data);
            stream.write_all(&octets).ok()?;
        }
    }
}
