//! What one stream serves: what its introduction names, and the files of the folders among that.

use std::{collections::HashMap, sync::Arc};

use protocol::FileId;

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// Each file with what the introduction names it by: itself, or the folder that it is in.
    items: Arc<HashMap<FileId, FileId>>,
}

impl Offered {
    /// `within` has the files of the named folders, each with its folder.
    pub fn new(named: &[FileId], within: impl IntoIterator<Item = (FileId, FileId)>) -> Self {
        let mut items: HashMap<_, _> = within.into_iter().collect();
        items.extend(named.iter().map(|&file| (file, file)));
        Self { items: Arc::new(items) }
    }

    /// What the introduction names this file by; `None` where it does not.
    pub(super) fn item_of(&self, file: &FileId) -> Option<FileId> {
        self.items.get(file).copied()
    }
}
