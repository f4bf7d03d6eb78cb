//! What the operator tells a running coordinator by signals: SIGHUP to read its configuration again, SIGTERM or
//! SIGINT to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{cli::Cli, config::Config, reload::Reloader, telemetry::Word};

pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Hears from now on: what comes before [`obey`](Self::obey) is not lost.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Does as told until the end is; then `stop` is cancelled. Ends too when something else cancels it.
    pub async fn obey(mut self, cli: &Cli, reloader: &Reloader, stop: &CancellationToken) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => reload(cli, reloader),
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                () = stop.cancelled() => return,
            }
        }
        Word::Draining.say();
        stop.cancel();
    }
}

fn reload(cli: &Cli, reloader: &Reloader) {
    Word::Reloading.say();
    match Config::load(cli) {
        Ok(config) => Word::Reloaded { need_restart: &reloader.apply(config) }.say(),
        Err(error) => Word::NotReloaded { error: &error }.say(),
    }
}
