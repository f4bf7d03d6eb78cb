use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use prometheus_client::metrics::gauge::Gauge;

use super::*;

const LATEST: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);
const HOUR: Duration = Duration::from_hours(1);

/// A socket in which there is always more to read, as long as `is_talkative`.
struct Socket {
    is_talkative: bool,
    is_full: bool,
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_talkative {
            return Poll::Pending;
        }
        let room = buffer.remaining();
        buffer.put_slice(&vec![b'x'; room]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_full { Poll::Pending } else { Poll::Ready(Ok(buffer.len())) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The library, as far as it matters here: it reads until there is nothing more, then writes and flushes.
struct Library {
    stream: PacedStream<Socket>,
    wakes: Arc<Wakes>,
}

impl Library {
    fn new() -> Self {
        Self::patient(HOUR, HOUR)
    }

    fn patient(headers: Duration, answer: Duration) -> Self {
        let socket = Socket { is_talkative: true, is_full: false };
        let connection = Rc::new(Connection::new(&Gauge::default(), crate::clock::now()));
        let patience = Rc::new(Patience { headers, answer, rest: SHORT });
        Self { stream: PacedStream::new(socket, connection, patience, Rc::default()), wakes: Arc::default() }
    }

    /// How much comes at once.
    fn look(&mut self) -> Poll<usize> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let (mut context, mut bytes) = (Context::from_waker(&waker), [0; 1024]);
        let mut buffer = ReadBuf::new(&mut bytes);
        let looked = Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer);
        looked.map(|read| read.map(|()| buffer.filled().len()).unwrap())
    }

    /// What is read until there is nothing more.
    fn read(&mut self) -> usize {
        let mut all = 0;
        while let Poll::Ready(count) = self.look() {
            all += count;
        }
        all
    }

    fn write(&mut self) -> Poll<io::Result<()>> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut context = Context::from_waker(&waker);
        ready!(Pin::new(&mut self.stream).poll_write(&mut context, b"answer"))?;
        Pin::new(&mut self.stream).poll_flush(&mut context)
    }

    /// Whether it was told to come back since the last look.
    fn is_woken(&self) -> bool {
        self.wakes.0.swap(0, Ordering::Relaxed) > 0
    }
}

#[tokio::test]
async fn what_is_sent_ahead_of_a_parked_poll_stays_in_the_socket_and_comes_after_it() {
    let mut library = Library::new();
    assert_eq!(library.read(), TURN_BYTES);
    assert!(library.is_woken(), "it is back after it has looked at it");
    library.stream.connection.calls.begin(Brings::Nothing);
    assert!(library.read() <= TURN_BYTES);
    for _ in 0..10 {
        assert!(library.write().is_ready(), "nothing to write is written, too");
        library.is_woken();
        assert_eq!(library.read(), 0);
        assert!(!library.is_woken(), "it does not look again and again");
    }
    // The next one was among what was read.
    library.stream.connection.calls.end();
    library.stream.connection.calls.begin(Brings::Nothing);
    assert!(library.write().is_ready() && !library.is_woken());
    assert_eq!(library.read(), 0);
    library.stream.connection.calls.end();
    assert!(library.write().is_ready() && library.is_woken(), "it would wait for ever");
    assert_eq!(library.read(), TURN_BYTES);
}

#[tokio::test]
async fn a_body_comes_in_turns() {
    let mut library = Library::new();
    library.stream.connection.calls.begin(Brings::Body);
    for _ in 0..8 {
        assert_eq!(library.read(), TURN_BYTES);
        assert!(library.is_woken());
    }
}

#[tokio::test]
async fn nothing_is_read_while_an_answer_waits_to_be_taken() {
    let mut library = Library::new();
    library.stream.inner.is_full = true;
    assert!(library.write().is_pending());
    assert_eq!(library.read(), 0);
    library.stream.inner.is_full = false;
    library.is_woken();
    assert!(library.write().is_ready() && library.is_woken(), "it would wait for ever");
    assert_eq!(library.read(), TURN_BYTES);
}

/// Goes on until the stream says that it took too long.
async fn until_too_late(mut step: impl FnMut() -> Poll<io::Result<()>>) {
    let too_late = async {
        loop {
            if let Poll::Ready(Err(error)) = step() {
                break error;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let error = tokio::time::timeout(LATEST, too_late).await.expect("it has no end");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_has_its_time() {
    let mut library = Library::patient(HOUR, SHORT);
    library.stream.inner.is_full = true;
    until_too_late(|| library.write()).await;
}

#[tokio::test]
async fn the_head_of_a_later_request_has_its_time_and_bytes_that_come_one_by_one_do_not_put_it_off() {
    let mut library = Library::patient(SHORT, HOUR);
    library.read();
    library.stream.connection.calls.begin(Brings::Body);
    library.stream.connection.calls.end();
    assert!(matches!(library.write(), Poll::Ready(Ok(()))));
    until_too_late(|| {
        library.read();
        library.write()
    })
    .await;
}

#[tokio::test]
async fn chunks_that_do_not_end_have_their_time_after_the_answer_also_if_none_come() {
    let mut library = Library::new();
    library.read();
    library.stream.connection.calls.begin(Brings::Chunks);
    tokio::time::sleep(2 * SHORT).await;
    assert!(matches!(library.write(), Poll::Ready(Ok(()))));
    library.stream.connection.calls.end();
    until_too_late(|| library.write()).await;
}

#[tokio::test]
async fn a_call_that_begins_in_time_and_silence_between_calls_have_nothing_to_fear() {
    let mut library = Library::patient(SHORT, SHORT);
    for _ in 0..3 {
        library.stream.inner.is_talkative = true;
        library.read();
        assert!(matches!(library.write(), Poll::Ready(Ok(()))));
        library.stream.inner.is_talkative = false;
        library.stream.connection.calls.begin(Brings::Nothing);
        tokio::time::sleep(2 * SHORT).await;
        assert!(matches!(library.write(), Poll::Ready(Ok(()))));
        library.stream.connection.calls.end();
        tokio::time::sleep(2 * SHORT).await;
        assert!(matches!(library.write(), Poll::Ready(Ok(()))));
    }
}

#[tokio::test]
async fn the_end_of_the_server_wakes_a_connection_and_ends_it_once_no_call_is_under_way() {
    let mut library = Library::new();
    library.stream.inner.is_talkative = false;
    let ending = Rc::clone(&library.stream.ending);
    assert_eq!(library.look(), Poll::Pending);
    library.stream.connection.calls.begin(Brings::Body);
    ending.come();
    assert!(library.is_woken());
    assert_eq!(library.look(), Poll::Pending, "the call is under way");
    library.stream.connection.calls.end();
    library.stream.inner.is_full = true;
    assert!(library.write().is_pending());
    assert_eq!(library.look(), Poll::Pending, "its answer is not taken");
    library.stream.inner.is_full = false;
    library.is_woken();
    assert!(library.write().is_ready() && library.is_woken());
    assert_eq!(library.look(), Poll::Ready(0));
    drop(library);
    ending.come();
}
