//! What others find: the library, as long as uploads are on. What would not be given is not offered.

use protocol::search::{Match, Subject};
use tokio::sync::watch;

use crate::{
    config::{live::Giving, values::Switch},
    library::Library,
    searches::Catalogue,
};

pub(crate) struct GivenLibrary {
    pub(crate) library: Library,
    pub(crate) giving: watch::Receiver<Giving>,
}

impl Catalogue for GivenLibrary {
    fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        match self.giving.borrow().uploads {
            Switch::On => self.library.search(subject, limit),
            Switch::Off => Vec::new(),
        }
    }
}
