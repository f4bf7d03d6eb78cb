//! What hands a search to all who are there: the coordinator, and the servers beside it.

mod bare;
mod coordinator;
mod hub;

use std::time::Duration;

use anyhow::Result;
use tokio::task::LocalSet;

pub(crate) use self::{bare::Bare, coordinator::Ours, hub::Hub};
use crate::{server::Server, sustained::Sustained};

/// A server with its crowd of simulated peers, whose tasks live in a set.
pub(crate) trait Relay {
    fn server(&self) -> &Server;

    /// Brings so many in; done when all of them are there and nothing is on its way any more.
    async fn gather(&mut self, count: usize, local: &LocalSet) -> Result<()>;

    /// Whether connections end because of what they carried, or because of their age.
    fn ends_connections(&self) -> bool;

    /// Has one search reach all, and tells how long it took from the call to the last peer.
    async fn search(&mut self) -> Result<Duration>;

    /// Waits until all are ready to hear the next search.
    async fn settled(&self) -> Result<()>;

    /// Many searches a second with answers, where there are answers at all.
    async fn sustain(&self, local: &LocalSet) -> Result<Option<Sustained>>;

    async fn stop(self);
}
