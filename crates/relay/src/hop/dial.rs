//! From addresses to a TCP connection: one after the other, without waiting long for any.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::failure::HopFailure;

/// How long an address is waited for before the next one is tried beside it. RFC 8305 section 5
/// has a quarter of a second for those who look at a page; mail has more time, and a server's
/// log fewer connections that nobody used.
const HEAD_START: Duration = Duration::from_secs(1);
/// Connections to one host that are begun beside each other.
const RACING_MAX: usize = 3;
/// How long an address that did not work is tried last.
const SHUNNED_FOR: Duration = Duration::from_secs(60);
/// Addresses that are remembered for not having worked.
const SHUNNED_MAX: usize = 64;

/// Makes TCP connections for one destination.
#[derive(Debug)]
pub(super) struct Dialer {
    sources: Vec<IpAddr>,
    limit: Duration,
    shunned: Mutex<HashMap<SocketAddr, Instant>>,
}

impl Dialer {
    /// One that connects from the first of `sources` that is of the other side's family, or
    /// else from where the system likes, and has `limit` for each address.
    pub(super) fn new(sources: &[IpAddr], limit: Duration) -> Self {
        Self { sources: sources.to_vec(), limit, shunned: Mutex::default() }
    }

    /// Connects to one of the addresses, and takes it and those before it that did not work
    /// from the queue.
    ///
    /// # Errors
    /// If none of them works; then the queue is empty, and the reason that of the last one.
    pub(super) async fn connect(
        &self,
        waiting: &mut VecDeque<SocketAddr>,
    ) -> Result<(TcpStream, SocketAddr), HopFailure> {
        let mut racing = JoinSet::new();
        let mut under_way = Vec::new();
        let mut failure = HopFailure::no_answer("there is no address to connect to");
        loop {
            if racing.len() < RACING_MAX
                && let Some(address) = waiting.pop_front()
            {
                under_way.push(address);
                racing.spawn(attempt(address, self.source(address), self.limit));
            }
            let may_have_more = !waiting.is_empty() && racing.len() < RACING_MAX;
            tokio::select! {
                biased;
                ended = racing.join_next() => match ended {
                    None => return Err(failure),
                    Some(Ok((address, Ok(stream)))) => {
                        // The others may still be wanted, if this one turns out to be of no use.
                        under_way.retain(|&other| other != address);
                        under_way.into_iter().rev().for_each(|other| waiting.push_front(other));
                        return Ok((stream, address));
                    }
                    Some(Ok((address, Err(error)))) => {
                        under_way.retain(|&other| other != address);
                        self.shun(address);
                        failure = error;
                    }
                    // It was cut off with the runtime.
                    Some(Err(_)) => {}
                },
                () = sleep(HEAD_START), if may_have_more => {}
            }
        }
    }

    /// Connects to this very address.
    pub(super) async fn connect_to(&self, address: SocketAddr) -> Result<TcpStream, HopFailure> {
        attempt(address, self.source(address), self.limit).await.1
    }

    /// Remembers that the address was of no use.
    pub(super) fn shun(&self, address: SocketAddr) {
        let mut shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        if shunned.len() >= SHUNNED_MAX {
            shunned.clear();
        }
        shunned.insert(address, Instant::now() + SHUNNED_FOR);
    }

    /// Whether the address was of no use a short time ago.
    pub(super) fn is_shunned(&self, address: SocketAddr) -> bool {
        let mut shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        shunned.retain(|_, until| now < *until);
        shunned.contains_key(&address)
    }

    fn source(&self, address: SocketAddr) -> Option<IpAddr> {
        self.sources.iter().copied().find(|source| source.is_ipv4() == address.is_ipv4())
    }
}

async fn attempt(
    address: SocketAddr,
    source: Option<IpAddr>,
    limit: Duration,
) -> (SocketAddr, Result<TcpStream, HopFailure>) {
    let stream = match timeout(limit, connect(address, source)).await {
        Ok(connected) => connected.map_err(HopFailure::no_answer),
        Err(_) => Err(HopFailure::no_answer("no answer to the connection request")),
    };
    (address, stream)
}

async fn connect(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    // Commands go out in groups already; waiting for more would only cost time.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn server() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn the_first_that_works_is_taken_and_the_others_stay() {
        let dialer = Dialer::new(&[], LIMIT);
        let (_listener, good) = server().await;
        let closed = server().await.1;
        let (_third, third) = server().await;
        let mut queue = VecDeque::from([closed, good, third]);
        let (_, address) = dialer.connect(&mut queue).await.unwrap();
        assert_eq!((address, queue), (good, VecDeque::from([third])));
        assert!(dialer.is_shunned(closed) && !dialer.is_shunned(good));
        let failure = dialer.connect(&mut VecDeque::from([closed])).await.unwrap_err();
        assert!(failure.text.contains("refused"), "{}", failure.text);
    }

    #[tokio::test]
    async fn nobody_waits_for_an_address_that_does_not_answer() {
        let dialer = Dialer::new(&[], LIMIT);
        // A listener whose queue is full does not answer.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let silent = listener.local_addr().unwrap();
        let mut filling = Vec::new();
        while let Ok(Ok(stream)) =
            timeout(Duration::from_millis(200), TcpStream::connect(silent)).await
        {
            filling.push(stream);
            assert!(filling.len() < 100);
        }
        let (_listener, good) = server().await;
        let start = Instant::now();
        let (_, address) = dialer.connect(&mut VecDeque::from([silent, good])).await.unwrap();
        assert_eq!(address, good);
        assert!(start.elapsed() < LIMIT / 2);
    }

    #[tokio::test]
    async fn connections_come_from_the_source_address() {
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));
        let dialer = Dialer::new(&["::1".parse().unwrap(), source], LIMIT);
        let (listener, address) = server().await;
        let _stream = dialer.connect_to(address).await.unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip(), source);
        let dialer = Dialer::new(&["192.0.2.1".parse().unwrap()], LIMIT);
        assert!(dialer.connect_to(address).await.is_err(), "not an address of this host");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_shunned_for_a_while() {
        let dialer = Dialer::new(&[], LIMIT);
        let address = |n: u16| SocketAddr::from(([192, 0, 2, 1], n));
        dialer.shun(address(1));
        assert!(dialer.is_shunned(address(1)));
        tokio::time::advance(SHUNNED_FOR).await;
        assert!(!dialer.is_shunned(address(1)));
        for n in 0..=u16::try_from(SHUNNED_MAX).unwrap() {
            dialer.shun(address(n));
        }
        assert!(dialer.shunned.lock().unwrap().len() <= SHUNNED_MAX);
    }
}
