//! The events of one response, and the cursor that acknowledges them.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// How far a session has read. Opaque to peers: they give back what they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Random for each session, so that another session's cursor is recognised as foreign.
    pub(crate) epoch: u64,
    /// The last number read in the mailbox.
    pub(crate) mailbox: u64,
    /// The last number read in the search ring.
    pub(crate) ring: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text is not a cursor")]
pub(crate) struct CursorError;

const FIELD_BYTES: usize = 8;
const DIGITS: usize = 2 * 3 * FIELD_BYTES;

impl Cursor {
    fn encode<'b>(&self, buffer: &'b mut [u8; DIGITS]) -> &'b str {
        let mut bytes = [0; 3 * FIELD_BYTES];
        let fields = [self.epoch, self.mailbox, self.ring];
        for (place, field) in bytes.chunks_exact_mut(FIELD_BYTES).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        // The lengths fit, and digits are text.
        let _ = hex::encode_to_slice(bytes, buffer);
        std::str::from_utf8(buffer).unwrap_or_default()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; DIGITS]))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut bytes = [0; 3 * FIELD_BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| CursorError)?;
        let mut fields = bytes.as_chunks::<FIELD_BYTES>().0.iter().map(|field| u64::from_be_bytes(*field));
        let mut field = || fields.next().ok_or(CursorError);
        Ok(Self { epoch: field()?, mailbox: field()?, ring: field()? })
    }
}

/// What one poll is answered with.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) cursor: Cursor,
    pub(crate) events: Vec<Arc<str>>,
}

impl Batch {
    /// The response body: the events are JSON already and are copied as they are.
    pub(crate) fn to_json(&self) -> String {
        let bytes: usize = self.events.iter().map(|event| event.len() + 1).sum();
        let mut json = String::with_capacity(bytes + DIGITS + 32);
        json.push_str(r#"{"cursor":""#);
        json.push_str(self.cursor.encode(&mut [0; DIGITS]));
        json.push_str(r#"","events":["#);
        for (index, event) in self.events.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            json.push_str(event);
        }
        json.push_str("]}");
        json
    }
}

/// Collects events up to a limit of bytes.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    events: Vec<Arc<str>>,
    room: usize,
}

impl BatchBuilder {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { events: Vec::new(), room: bytes_max }
    }

    /// Whether the event is in. The first one always is, so that no event can block those behind it.
    pub(crate) fn push(&mut self, event: &Arc<str>) -> bool {
        if event.len() > self.room && !self.events.is_empty() {
            return false;
        }
        self.room = self.room.saturating_sub(event.len());
        self.events.push(Arc::clone(event));
        true
    }

    pub(crate) fn finish(self) -> Vec<Arc<str>> {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use protocol::EventBatch;

    use super::{Batch, Cursor};

    #[test]
    fn a_cursor_reads_what_it_writes_and_nothing_else() {
        let cursor = Cursor { epoch: u64::MAX, mailbox: 7, ring: 0 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "0", &"0".repeat(47), &"0".repeat(49), &"+".repeat(48), &"é".repeat(24)] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_batch_is_the_json_that_peers_read() {
        let cursor = Cursor { epoch: 1, mailbox: 2, ring: 3 };
        let lost = r#"{"type":"events_lost","count":1}"#;
        let batch = Batch { cursor, events: vec![lost.into(), lost.into()] };
        let read: EventBatch = serde_json::from_str(&batch.to_json()).unwrap();
        assert_eq!(read.cursor, cursor.to_string());
        assert_eq!(read.events, vec![protocol::Event::EventsLost { count: 1 }; 2]);
    }
}
