//! One client's connection, as a daemon sees it.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::gate::Seat;
use crate::pace::{Pace, Speed, UNSENT_OCTETS, UNSENT_OCTETS_FAST};
use crate::scratch;
use crate::stream::{Stream, TlsSession};
use crate::tls::client_certificate;
use crate::{AtLimit, Idleness, NetError, Tls, TlsBindings, TlsInfo};

/// With so much room in the caller's vector, it is read to without a copy.
const DIRECT_READ_OCTETS: usize = 4096;
/// For saying good-bye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// What a client may still send into a connection that is being closed.
const LINGER_OCTETS_MAX: usize = 256 * 1024;

/// A connection in clear or under TLS. While it waits it holds no buffer of its own; under TLS
/// it holds what TLS needs.
///
/// After an error, only [`close`](Self::close) or dropping it makes sense.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: SocketAddr,
    local: SocketAddr,
    genuine: bool,
    seat: Option<Seat>,
    idleness: Option<Arc<Idleness>>,
    /// Whether the client takes what it is sent as fast as it comes.
    fast: bool,
    speed: Speed,
}

impl Connection {
    /// The connection of an accepted stream whose client is at its other end.
    ///
    /// # Errors
    /// If the stream has no addresses: it is closed already.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        Ok(Self::assemble(stream, peer, local, true))
    }

    pub(crate) fn assemble(
        stream: TcpStream,
        peer: SocketAddr,
        local: SocketAddr,
        genuine: bool,
    ) -> Self {
        Self {
            stream: Stream::Plain(stream),
            peer: canonical(peer),
            local: canonical(local),
            genuine,
            seat: None,
            idleness: None,
            fast: false,
            speed: Speed::default(),
        }
    }

    /// The same, counted by a gate as long as it lives.
    pub(crate) fn seated(self, seat: Seat) -> Self {
        Self { seat: Some(seat), ..self }
    }

    /// Believes a proxy that speaks the daemon's own protocol (XCLIENT): from now on
    /// [`peer`](Self::peer) is `client`, and its place is counted instead of the proxy's.
    /// `None`: the other end carries somebody and has not said whom, so its address is
    /// [not genuine](Self::genuine_address). The caller trusts the proxy.
    ///
    /// # Errors
    /// [`AtLimit`] if there are too many sessions from the client's place; nothing changes then.
    pub fn name_client(&mut self, client: Option<SocketAddr>) -> Result<(), AtLimit> {
        let Some(client) = client.map(canonical) else {
            self.genuine = false;
            return Ok(());
        };
        if let Some(seat) = &mut self.seat
            && let Err(why) = seat.sit_at(client.ip())
        {
            seat.report_refused(why, client.ip());
            return Err(AtLimit);
        }
        (self.peer, self.genuine) = (client, true);
        Ok(())
    }

    /// From now on each write, and each time the client takes something of one, is noted in
    /// `idleness`.
    pub fn note_idleness(&mut self, idleness: Arc<Idleness>) {
        self.idleness = Some(idleness);
    }

    /// The client's address, IPv4-mapped IPv6 turned into IPv4; where a trusted proxy named
    /// it, that one.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    /// As [`peer`](Self::peer), with the port.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Whether [`peer`](Self::peer) is the client's own address. `false`: a proxy sent the
    /// connection and did not say for whom, so the address is the proxy's and must never
    /// become the key of anything.
    #[must_use]
    pub fn genuine_address(&self) -> bool {
        self.genuine
    }

    /// Our own address, IPv4-mapped IPv6 turned into IPv4.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether TLS is in use.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// What TLS has agreed on.
    #[must_use]
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        match &self.stream {
            Stream::Tls(session) => Some(&session.info),
            Stream::Plain(_) | Stream::Closed => None,
        }
    }

    /// What an authentication can be bound to; nothing in clear. Computed anew each time: it is
    /// for those who need it, once a session.
    #[must_use]
    pub fn tls_bindings(&self) -> TlsBindings {
        match &self.stream {
            Stream::Tls(session) => TlsBindings::of(&session.agreed),
            Stream::Plain(_) | Stream::Closed => TlsBindings::default(),
        }
    }

    /// Whether [`tls_bindings`](Self::tls_bindings) would have a channel binding.
    #[must_use]
    pub fn has_bindings(&self) -> bool {
        match &self.stream {
            Stream::Tls(session) => session.agreed.can_be_bound(),
            Stream::Plain(_) | Stream::Closed => false,
        }
    }

    /// Whether [`tls_bindings`](Self::tls_bindings) would have a certificate of the client's.
    #[must_use]
    pub fn has_client_certificate(&self) -> bool {
        match &self.stream {
            Stream::Tls(session) => client_certificate(&session.agreed).is_some(),
            Stream::Plain(_) | Stream::Closed => false,
        }
    }

    /// Waits at most `timeout` until the client has sent something, and appends it to
    /// `buffer`: at most 16 KiB, or as much as `buffer` has room for if that is 4 KiB or more.
    /// A vector without room, such as `Vec::new()`, grows by what came: let go of its room
    /// before waiting, and the wait costs no memory. Returns the number of octets, 0 if the
    /// client has closed its side. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`NetError::TimedOut`], or what the socket says.
    pub async fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<usize, NetError> {
        self.read_by(buffer, Instant::now() + timeout).await
    }

    /// As [`read`](Self::read), but until `deadline`: for a phase that is bounded as a whole,
    /// so that a client cannot stretch it octet by octet.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_by(
        &mut self,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> Result<usize, NetError> {
        let stream = &mut self.stream;
        let outcome = if buffer.capacity() - buffer.len() >= DIRECT_READ_OCTETS {
            timeout_at(deadline, stream.read_buf(buffer)).await
        } else {
            let read = poll_fn(|cx| {
                scratch::poll_read(stream, cx, |octets| buffer.extend_from_slice(octets))
            });
            timeout_at(deadline, read).await
        };
        match outcome {
            Ok(count) => Ok(count?),
            Err(_) => Err(NetError::TimedOut),
        }
    }

    /// Sends all of `octets`. Within each `timeout` the client must take at least
    /// [`WRITE_RATE_MIN`](crate::WRITE_RATE_MIN) octets for each of its seconds.
    ///
    /// # Errors
    /// [`NetError::TimedOut`], or what the socket says. How much was sent is unknown, also if
    /// the future is dropped.
    pub async fn write_all(&mut self, octets: &[u8], timeout: Duration) -> Result<(), NetError> {
        let mut pace = Pace::new(timeout);
        let mut rest = octets;
        self.note_wait();
        while !rest.is_empty() {
            let step = poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, rest));
            let written = pace.bound(step).await;
            let count = self.note_progress(written, &mut pace)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        self.flush(&pace).await
    }

    /// As [`write_all`](Self::write_all) of the `parts` one behind the other, without joining
    /// them first. Afterwards `parts` hold nothing.
    ///
    /// # Errors
    /// As [`write_all`](Self::write_all).
    pub async fn write_vectored_all(
        &mut self,
        mut parts: &mut [IoSlice<'_>],
        timeout: Duration,
    ) -> Result<(), NetError> {
        let mut pace = Pace::new(timeout);
        IoSlice::advance_slices(&mut parts, 0);
        self.note_wait();
        while !parts.is_empty() {
            let step = poll_fn(|cx| Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
            let written = pace.bound(step).await;
            let count = self.note_progress(written, &mut pace)?;
            IoSlice::advance_slices(&mut parts, count);
        }
        self.flush(&pace).await
    }

    /// Agrees on TLS, after the reply that invites to it was sent. What the client sent in
    /// clear behind its command is in `leftover`: it is thrown away, for somebody on the way
    /// may have put it there (RFC 3207 section 4.2, RFC 2595 section 4). The caller forgets
    /// what it knew of the session.
    ///
    /// # Errors
    /// Why it failed; then the connection is closed, for it has no state to go back to.
    pub async fn start_tls(
        &mut self,
        tls: &Tls,
        leftover: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<(), NetError> {
        if !leftover.is_empty() {
            debug!(client = %self.peer, octets = leftover.len(), "plaintext behind STARTTLS dropped");
            leftover.clear();
        }
        let plain = match std::mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Plain(stream) => stream,
            Stream::Closed => return Err(NetError::Closed),
            under_tls => {
                self.stream = under_tls;
                return Err(NetError::AlreadyTls);
            }
        };
        // Boxed: a handshake's state is large, and a session waits in other places far longer.
        let agreed = Box::pin(tls.accept(plain, timeout)).await?;
        let info = TlsInfo::of(&agreed.stream);
        self.stream = Stream::Tls(Box::new(TlsSession { agreed, info }));
        Ok(())
    }

    /// Says good-bye and closes, within two seconds. What was written reaches the client: if
    /// it is still sending, that is read and dropped first, for otherwise the system would
    /// reset the connection and the client might lose the last reply.
    pub async fn close(mut self) {
        // Whoever is gone need not be told.
        let _ = timeout(CLOSE_TIMEOUT, self.farewell()).await;
    }

    async fn farewell(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let Some(tcp) = self.stream.tcp() else { return Ok(()) };
        let mut dropped = 0;
        while dropped < LINGER_OCTETS_MAX {
            let waits_for_more = dropped > 0;
            let read = poll_fn(|cx| match scratch::poll_read(tcp, cx, |_| {}) {
                Poll::Pending if !waits_for_more => Poll::Ready(Ok(0)),
                other => other,
            });
            match read.await? {
                0 => break,
                count => dropped += count,
            }
        }
        Ok(())
    }

    /// TLS may hold back what it could not send.
    async fn flush(&mut self, pace: &Pace) -> Result<(), NetError> {
        if self.is_tls() {
            pace.bound(self.stream.flush()).await?;
        }
        if let Some(idleness) = &self.idleness {
            idleness.end();
        }
        Ok(())
    }

    fn note_wait(&self) {
        if let Some(idleness) = &self.idleness {
            idleness.begin(Instant::now());
        }
    }

    /// How many octets of a write the client's system has taken: 0 if it is to be tried again.
    fn note_progress(
        &mut self,
        written: Result<usize, NetError>,
        pace: &mut Pace,
    ) -> Result<usize, NetError> {
        match written {
            Ok(0) => Err(NetError::Closed),
            Ok(count) => {
                pace.progress(count);
                self.note_wait();
                if !self.fast && self.speed.note(count, Instant::now()) {
                    self.set_fast(true);
                }
                Ok(count)
            }
            Err(NetError::TimedOut) if self.fast => {
                self.set_fast(false);
                pace.begin_again();
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    fn set_fast(&mut self, fast: bool) {
        self.fast = fast;
        if let Some(tcp) = self.stream.tcp() {
            let octets = if fast { UNSENT_OCTETS_FAST } else { UNSENT_OCTETS };
            // Were it refused, all would go on as before.
            let _ = SockRef::from(&*tcp).set_tcp_notsent_lowat(octets);
        }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
