//! How transfers are told while one looks on: to a person as [`Progress`], to a program as documents.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::{error::Error, output::Output, progress::Progress, transfer::Transfer};

pub(crate) enum View<'a> {
    Person(Progress<'a>),
    /// With `--ndjson`.
    Program(Changes<'a>),
    /// With `--json`: the one document comes at the end.
    Nobody,
}

impl<'a> View<'a> {
    /// `list` is the field of the daemon's documents that holds the transfers.
    pub(crate) fn new(output: &'a Output, list: &'static str) -> Self {
        if output.streams() {
            Self::Program(Changes { output, list, last: HashMap::new(), has_begun: false })
        } else if output.json() {
            Self::Nobody
        } else {
            Self::Person(Progress::new(output))
        }
    }

    /// A document about some transfers, as it came, with what is in it.
    pub(crate) fn show(&mut self, document: &str, transfers: &[Transfer]) -> Result<(), Error> {
        match self {
            Self::Person(progress) => transfers.iter().for_each(|transfer| progress.update(transfer)),
            Self::Program(changes) => changes.tell(document)?,
            Self::Nobody => {}
        }
        Ok(())
    }

    /// The same for the whole list, looked at again and again.
    pub(crate) fn show_list(&mut self, document: &str, transfers: &[Transfer]) -> Result<(), Error> {
        match self {
            Self::Person(progress) => progress.list(transfers),
            other => other.show(document, transfers)?,
        }
        Ok(())
    }

    pub(crate) fn finish(self) {
        if let Self::Person(progress) = self {
            progress.finish();
        }
    }
}

/// Documents like the list's: the first with all transfers, those after it with what has changed.
pub(crate) struct Changes<'a> {
    output: &'a Output,
    list: &'static str,
    /// By their ids; what a later daemon adds to them is kept.
    last: HashMap<String, Value>,
    has_begun: bool,
}

impl Changes<'_> {
    pub(crate) fn tell(&mut self, document: &str) -> Result<(), Error> {
        let mut document: Map<String, Value> =
            serde_json::from_str(document).map_err(|error| Error::Unreadable(error.to_string()))?;
        let Some(Value::Array(transfers)) = document.get_mut(self.list) else { return Ok(()) };
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let mut seen = HashSet::new();
        transfers.retain(|transfer| {
            let Some(id) = transfer.get("id").and_then(Value::as_str).map(str::to_owned) else {
                return false;
            };
            // A requester that comes again has its ended upload listed under the same id.
            let is_alone = seen.insert(id.clone());
            is_alone && self.last.insert(id, transfer.clone()).as_ref() != Some(transfer)
        });
        if transfers.is_empty() && !is_first {
            return Ok(());
        }
        self.output.document(&Value::Object(document).to_string())
    }
}
