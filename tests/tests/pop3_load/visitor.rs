//! A client that is one socket and little more, so that ten thousand of them fit.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::crowd::{PASSWORD, login};
use crate::kit::PATIENCE;

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A connection in clear or under TLS.
pub(crate) enum Visitor {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A socket from a loopback address; `room`: octets that wait unread at most.
pub(crate) fn socket(to: SocketAddr, from: IpAddr, room: Option<usize>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(room) = room {
        socket.set_recv_buffer_size(room)?;
    }
    if from != HERE {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let socket: TcpStream = socket.into();
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A new client's side of TLS.
pub(crate) fn tls_session() -> ClientConnection {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| Arc::new(xtask::bench::tls::any_certificate().unwrap()));
    ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

impl Visitor {
    pub(crate) fn over(socket: TcpStream, tls: bool) -> Self {
        if tls {
            Self::Tls(Box::new(StreamOwned::new(tls_session(), socket)))
        } else {
            Self::Clear(socket)
        }
    }

    /// Greeted.
    pub(crate) fn greeted(socket: TcpStream, tls: bool) -> Self {
        let mut visitor = Self::over(socket, tls);
        let greeting = visitor.line().unwrap();
        assert!(greeting.starts_with("+OK"), "{greeting}");
        visitor
    }

    /// Logs in as one of the crowd.
    pub(crate) fn log_in(&mut self, number: usize) {
        self.expect(&format!("USER {}", login(number)), "+OK");
        self.expect(&format!("PASS {PASSWORD}"), "+OK");
    }

    pub(crate) fn expect(&mut self, command: &str, begins: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes()).unwrap();
        let reply = self.line().unwrap();
        assert!(reply.starts_with(begins), "{command}: {reply}");
        reply
    }

    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.write_all(octets)?;
        self.flush()
    }

    /// One reply, which is all that is on its way.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut block = [0; 512];
            match self.read(&mut block)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => line.extend_from_slice(&block[..read]),
            }
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Tls(session) => &session.sock,
        }
    }

    /// Waits for the end of the connection, whatever is said before it.
    pub(crate) fn wait_until_closed(&mut self, patience: Duration) {
        self.socket().set_read_timeout(Some(patience)).unwrap();
        let mut block = [0; 16 << 10];
        loop {
            match self.read(&mut block) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_timeout(&error) => panic!("it is still open"),
                // Reset, or without the farewell of TLS.
                Err(_) => return,
            }
        }
    }
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Read for Visitor {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(block),
            Self::Tls(session) => session.read(block),
        }
    }
}

impl Write for Visitor {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(octets),
            Self::Tls(session) => session.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Tls(session) => session.flush(),
        }
    }
}
