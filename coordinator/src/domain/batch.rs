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

const FIELD_DIGITS: usize = 16;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:016x}", self.epoch, self.mailbox, self.ring)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let field = |index: usize| {
            let digits = text.get(index * FIELD_DIGITS..(index + 1) * FIELD_DIGITS).ok_or(CursorError)?;
            if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(CursorError);
            }
            u64::from_str_radix(digits, 16).map_err(|_| CursorError)
        };
        if text.len() != 3 * FIELD_DIGITS {
            return Err(CursorError);
        }
        Ok(Self { epoch: field(0)?, mailbox: field(1)?, ring: field(2)? })
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
        let mut json = String::with_capacity(bytes + 3 * FIELD_DIGITS + 32);
        json.push_str(r#"{"cursor":""#);
        json.push_str(&self.cursor.to_string());
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
