//! A connection to the page's server, and how long it is borne with.
//!
//! ```text
//!   stranger ──shows a session──▶ trusted ──its reader takes nothing──▶ ended
//!       └──answered once, too long, too much, or its place is wanted──▶ ended
//! ```
//! The HTTP library has a time for a connection's first head and none for a body, for later heads, or for answers that
//! nobody takes; and whoever sends far ahead of the answers has it look again and again whether there is room. So the
//! stream beneath it sees to that.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::crowd::Crowd;

/// What a stranger may send: a request may be one of a session until its head was read, and its body has 64 KiB at
/// most. Less than what the library buffers (128 KiB), so it never comes to look for room.
const STRANGER_BYTES_MAX: usize = 96 * 1024;
/// How long a client may take.
#[derive(Debug)]
pub(super) struct Patience {
    /// A stranger, for a request and for its answer.
    stranger: Duration,
    /// Anybody, while something waits to be taken and nothing of it is.
    still: Duration,
}

/// Over loopback, or from a proxy that has it already, a request and its answer take milliseconds. A page that is looked
/// at reads all the time; one that has lost its stream of changes asks for another.
pub(super) const PATIENCE: Patience =
    Patience { stranger: Duration::from_secs(10), still: Duration::from_secs(30) };

/// The connections of the server, which is one worker's, each with what ends it.
pub(super) type Connections = Rc<RefCell<Crowd<CancellationToken>>>;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    connections: Connections,
    number: u64,
    ended: CancellationToken,
    is_trusted: Cell<bool>,
    has_asked: Cell<bool>,
}

impl Connection {
    /// One that has just come in. Another one may have to go for it.
    pub(super) fn enter(connections: &Connections) -> Rc<Self> {
        let ended = CancellationToken::new();
        let (number, leaving) = connections.borrow_mut().enter(ended.clone());
        if let Some(leaving) = leaving {
            leaving.cancel();
        }
        let connections = Rc::clone(connections);
        Rc::new(Self {
            connections,
            number,
            ended,
            is_trusted: Cell::new(false),
            has_asked: Cell::new(false),
        })
    }

    /// A request has come on it. A stranger's answer is the last on its connection; one who has sent more requests ahead
    /// is not answered at all.
    pub(super) fn hears_request(&self) {
        if self.has_asked.replace(true) && !self.is_trusted() {
            self.ended.cancel();
        }
    }

    /// A request on it has shown a session that counts.
    pub(super) fn trust(&self) {
        if !self.is_trusted.replace(true) {
            self.connections.borrow_mut().trust(self.number);
        }
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted.get()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.borrow_mut().leave(self.number);
    }
}

/// The bytes of a connection, for as long as it is borne with.
pub(super) struct BoundedStream<S> {
    inner: S,
    connection: Rc<Connection>,
    patience: &'static Patience,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    stranger_until: Pin<Box<Sleep>>,
    stranger_bytes: usize,
    /// From when nothing more could be written.
    still_until: Option<Pin<Box<Sleep>>>,
}

impl<S> BoundedStream<S> {
    pub(super) fn new(inner: S, connection: Rc<Connection>, patience: &'static Patience) -> Self {
        let ended = Box::pin(connection.ended.clone().cancelled_owned());
        let stranger_until = Box::pin(tokio::time::sleep(patience.stranger));
        Self { inner, connection, patience, ended, stranger_until, stranger_bytes: 0, still_until: None }
    }

    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Whether the connection goes on; if so, its task is woken when it has to end.
    fn goes_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_stranger = !self.connection.is_trusted();
        if self.ended.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if is_stranger && self.stranger_bytes > STRANGER_BYTES_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        if is_stranger && self.stranger_until.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BoundedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.goes_on(cx)?;
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if !this.connection.is_trusted() {
            this.stranger_bytes += buffer.filled().len() - before;
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BoundedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.goes_on(cx)?;
        let outcome = Pin::new(&mut this.inner).poll_write(cx, buffer);
        if outcome.is_ready() {
            this.still_until = None;
            return outcome;
        }
        let patience = this.patience.still;
        let still_until = this.still_until.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        still_until.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The library flushes whenever it has done all it can, with something to write or without.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.goes_on(cx)?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const ROOM: usize = 2;
    const SOCKET_BYTES: usize = 2 * STRANGER_BYTES_MAX;
    const ENDLESS: Duration = Duration::from_hours(1);
    const NO_TIME: Duration = Duration::from_millis(10);
    const WITHOUT_END: Patience = Patience { stranger: ENDLESS, still: ENDLESS };

    fn connections() -> Connections {
        Rc::new(RefCell::new(Crowd::new(ROOM)))
    }

    fn stream(
        connections: &Connections,
        patience: &'static Patience,
    ) -> (DuplexStream, BoundedStream<DuplexStream>) {
        let (client, server) = duplex(SOCKET_BYTES);
        (client, BoundedStream::new(server, Connection::enter(connections), patience))
    }

    async fn reads(stream: &mut BoundedStream<DuplexStream>, count: usize) -> Result<(), io::ErrorKind> {
        stream.read_exact(&mut vec![0; count]).await.map(drop).map_err(|error| error.kind())
    }

    async fn writes(stream: &mut BoundedStream<DuplexStream>, count: usize) -> Result<(), io::ErrorKind> {
        stream.write_all(&vec![0; count]).await.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn a_stranger_sends_one_request_at_most_and_a_session_what_it_wants() {
        let connections = connections();
        let (mut client, mut stranger) = stream(&connections, &WITHOUT_END);
        client.write_all(&vec![0; STRANGER_BYTES_MAX + 2]).await.unwrap();
        assert_eq!(reads(&mut stranger, STRANGER_BYTES_MAX).await, Ok(()));
        assert_eq!(reads(&mut stranger, 1).await, Ok(()), "what is read already is given");
        assert_eq!(reads(&mut stranger, 1).await, Err(io::ErrorKind::QuotaExceeded));

        let (mut client, mut own) = stream(&connections, &WITHOUT_END);
        own.connection().trust();
        client.write_all(&vec![0; STRANGER_BYTES_MAX + 2]).await.unwrap();
        assert_eq!(reads(&mut own, STRANGER_BYTES_MAX + 2).await, Ok(()));
    }

    #[tokio::test]
    async fn a_stranger_has_little_time_and_a_session_all_of_it() {
        static SHORT: Patience = Patience { stranger: NO_TIME, still: ENDLESS };
        let connections = connections();
        let (_silent, mut stranger) = stream(&connections, &SHORT);
        assert_eq!(reads(&mut stranger, 1).await, Err(io::ErrorKind::TimedOut));
        assert_eq!(writes(&mut stranger, 1).await, Err(io::ErrorKind::TimedOut));

        let (mut client, mut own) = stream(&connections, &SHORT);
        own.connection().trust();
        tokio::time::sleep(2 * NO_TIME).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(reads(&mut own, 1).await, Ok(()));
    }

    #[tokio::test]
    async fn a_reader_that_stands_still_is_not_waited_for_and_a_slow_one_is() {
        static SHORT: Patience = Patience { stranger: ENDLESS, still: NO_TIME };
        let connections = connections();
        let (mut client, mut own) = stream(&connections, &WITHOUT_END);
        own.connection().trust();
        assert_eq!(writes(&mut own, SOCKET_BYTES).await, Ok(()));
        assert!(writes(&mut own, 1).now_or_never().is_none() && own.still_until.is_some());
        client.read_exact(&mut [0; 1]).await.unwrap();
        assert_eq!(writes(&mut own, 1).await, Ok(()));
        assert!(own.still_until.is_none(), "its time begins anew");

        let (_still, mut own) = stream(&connections, &SHORT);
        own.connection().trust();
        assert_eq!(writes(&mut own, SOCKET_BYTES + 1).await, Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn one_that_waits_is_woken_when_its_place_is_wanted_and_leaves_it() {
        let connections = connections();
        let (_silent, mut silent) = stream(&connections, &WITHOUT_END);
        let (_other, mut other) = stream(&connections, &WITHOUT_END);
        let wanted = async {
            tokio::task::yield_now().await;
            Connection::enter(&connections)
        };
        let (told, third) = tokio::join!(reads(&mut silent, 1), wanted);
        assert_eq!(told, Err(io::ErrorKind::ConnectionAborted));
        drop(third);
        let _fourth = Connection::enter(&connections);
        assert!(other.flush().await.is_ok(), "there was room");
    }
}
