use std::{collections::VecDeque, task::Waker};

use prometheus_client::metrics::gauge::Gauge;
use proptest::prelude::*;

use super::*;

/// A socket that takes so many bytes at a time; at 0 it is full for once.
struct Socket {
    takes: VecDeque<usize>,
    taken: Vec<u8>,
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.takes.pop_front() {
            Some(0) => Poll::Pending,
            takes => {
                let count = takes.unwrap_or(usize::MAX).min(buffer.len());
                self.taken.extend_from_slice(&buffer[..count]);
                Poll::Ready(Ok(count))
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.poll_write(context, &all)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes a buffer as the library does: what is accepted is gone, and what is not comes again.
fn write_out(stream: &mut BypassStream<Socket>, mut buffer: &[u8]) {
    let mut context = Context::from_waker(Waker::noop());
    while !buffer.is_empty() {
        if let Poll::Ready(accepted) = Pin::new(&mut *stream).poll_write(&mut context, buffer) {
            let accepted = accepted.unwrap();
            assert!(accepted > 0, "the library takes that for a broken connection");
            buffer = &buffer[accepted..];
        }
    }
}

#[derive(Debug, Clone)]
enum Answer {
    Through(Vec<u8>),
    Past(Vec<u8>),
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let long = || (1_u8.., JOINED_BYTES..JOINED_BYTES + 3).prop_map(|(byte, length)| vec![byte; length]);
    let body = || prop_oneof![3 => prop::collection::vec(1_u8.., 0..60), 1 => long()];
    let answer = prop_oneof![body().prop_map(Answer::Through), body().prop_map(Answer::Past)];
    prop::collection::vec(answer, 1..6)
}

proptest! {
    /// However many answers the library has in its buffer, and however the socket takes them.
    #[test]
    fn each_content_comes_in_place_of_its_slot(
        answers in answers(),
        takes in prop::collection::vec(0_usize..40, 0..200),
    ) {
        let socket = Socket { takes: takes.into(), taken: Vec::new() };
        let connection = Rc::new(Connection::new(&Gauge::default(), crate::clock::now()));
        let mut stream = BypassStream::new(socket, Rc::clone(&connection));
        let (mut buffer, mut expected) = (Vec::new(), Vec::new());
        for answer in answers {
            for bytes in [&mut buffer, &mut expected] {
                bytes.extend_from_slice(b"head\r\n\r\n");
            }
            match answer {
                Answer::Through(body) => {
                    buffer.extend_from_slice(&body);
                    expected.extend_from_slice(&body);
                }
                Answer::Past(body) => {
                    expected.extend_from_slice(&body);
                    let connection = Rc::clone(&connection);
                    let mut slot = Slot { connection, content: Some(body.into()) };
                    let mut context = Context::from_waker(Waker::noop());
                    let bytes = loop {
                        match Pin::new(&mut slot).poll_next(&mut context) {
                            Poll::Ready(bytes) => break bytes.unwrap().unwrap(),
                            Poll::Pending => {
                                prop_assert!(buffer.contains(&SLOT), "it waits for nothing");
                                write_out(&mut stream, &buffer);
                                buffer.clear();
                            }
                        }
                    };
                    buffer.extend_from_slice(&bytes);
                    prop_assert_eq!(buffer.split(|byte| *byte == SLOT).count(), 2, "one at a time");
                    prop_assert!(Pin::new(&mut slot).poll_next(&mut context).is_ready());
                }
            }
        }
        write_out(&mut stream, &buffer);
        prop_assert_eq!(&stream.inner.taken, &expected);
        prop_assert!(connection.outbox.0.borrow().content.is_none(), "what is written is dropped");
    }
}
