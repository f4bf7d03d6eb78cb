//! Limits of one stream, each with its reason. A value, so that tests shorten them.

use std::time::Duration;

use protocol::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// From a fresh connection to its finished handshake.
    pub handshake: Duration,
    /// For the target's proof: it comes first, and an impostor is to cost little.
    pub proof: Duration,
    /// Without a request or a byte.
    pub idle: Duration,
    /// For a request's whole head, between two requests or in pieces: longer than `idle`, which strikes first
    /// where nothing comes.
    pub head: Duration,
    /// For a whole piece layer: 512 KiB at most, at the slowest rate that is worth waiting for (8 KiB/s).
    pub piece_layer: Duration,
    /// For what is still being read when the stream has ended. A chunk takes milliseconds, on a drive that sleeps some
    /// seconds; after that, the disk does not answer.
    pub last_read: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            handshake: limits::DIAL_FIRST_BYTES,
            proof: limits::DIAL_FIRST_BYTES,
            idle: limits::STREAM_IDLE,
            head: 2 * limits::STREAM_IDLE,
            piece_layer: Duration::from_secs(64),
            last_read: limits::STREAM_IDLE / 3,
        }
    }
}

/// How long a target bears with a stream. What it has used up of the last two counts once others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Without a request or a byte.
    pub idle: Duration,
    /// With less than a modem carries: long enough for a network that hiccups.
    pub slow_after: Duration,
    /// In all: a few gigabytes over a common link, and nobody waits for hours behind one file.
    pub turn: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: limits::STREAM_IDLE, slow_after: Duration::from_mins(1), turn: Duration::from_mins(10) }
    }
}

impl StreamLimits {
    /// With other times for who is silent.
    #[must_use]
    pub fn bearing(self, patience: &Patience) -> Self {
        Self { idle: patience.idle, head: 2 * patience.idle, last_read: patience.idle / 3, ..self }
    }
}

/// Headers of one message: ours have under ten.
pub(super) const HEADERS_MAX: usize = 32;
/// Bytes of one message's head: ours have under 1 KiB.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a JSON body: a proof has under 200, a problem's detail is a sentence.
pub(super) const JSON_BYTES_MAX: usize = 8 * 1024;
/// What the TLS layer reads and writes at a time: its records are 16 KiB, a system call for each is too many.
pub(super) const TLS_BUFFER_BYTES: usize = 256 * 1024;
/// What is read from a file at a time; the next such chunk is read while one is sent.
pub(super) const FILE_CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait to be sent.
pub(super) const FILE_CHUNKS_AHEAD: usize = 1;
