//! Ctrl-C. It is listened for before anything begins that it ends: pressed in between, it would end the process
//! without a word.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;

pub(crate) struct Interrupt(Signal);

impl Interrupt {
    /// From now on it does not end the process.
    pub(crate) fn listen() -> Result<Self, Error> {
        signal(SignalKind::interrupt()).map(Self).map_err(Error::System)
    }

    /// Returns when it is pressed.
    pub(crate) async fn pressed(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
