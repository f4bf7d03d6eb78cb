//! What a service manager hears (systemd's notifications): what the program says, in its words, and as long as it
//! lives, that it does. Without a manager that asks for it nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::{exchange::Exchange, telemetry::Word};

/// A beat may come late, and still be in time.
const BEATS_IN_TIME: u32 = 3;

/// Tells the manager what of it concerns it. That it can't be told changes nothing.
pub(crate) fn tell(word: &Word<'_>) {
    let _nobody_listens = match word {
        Word::Listening { listen, .. } => {
            sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {listen}"))])
        }
        Word::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => sd_notify::notify(&[NotifyState::Reloading, now]),
            Err(error) => Err(error),
        },
        Word::Reloaded { .. } => sd_notify::notify(&[
            NotifyState::Ready,
            NotifyState::Status("serving; the configuration was read again"),
        ]),
        Word::NotReloaded { .. } => sd_notify::notify(&[
            NotifyState::Ready,
            NotifyState::Status("serving; the configuration has a mistake, and stays as it was"),
        ]),
        Word::Draining => sd_notify::notify(&[
            NotifyState::Stopping,
            NotifyState::Status("draining: no new calls, parked polls are answered"),
        ]),
        _ => Ok(()),
    };
}

/// Where the manager asks for a sign of life, it gets one only after the tables could be had: a thread that holds on to
/// them, or this one not getting on, silences it, and the manager starts the program anew.
pub(crate) async fn live_until(exchange: &impl Exchange, stop: CancellationToken) {
    let Some(time) = sd_notify::watchdog_enabled().filter(|time| *time > Duration::ZERO) else { return };
    let mut beats = tokio::time::interval(time / BEATS_IN_TIME);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(beats.tick()).await.is_some() {
        exchange.load().await;
        let _nobody_listens = sd_notify::notify(&[NotifyState::Watchdog]);
    }
}
