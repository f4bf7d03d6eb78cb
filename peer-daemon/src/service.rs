//! What a service manager hears (systemd's notifications): that the daemon is ready, that it ends, and as long as it
//! lives, that it does. Without a manager that asks for it nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::state::State;

/// A beat may come late, and still be in time.
const BEATS_IN_TIME: u32 = 3;

pub(crate) fn ready(download_port: u16, upload_port: u16) {
    let status = format!("running; downloads on port {download_port}, uploads on port {upload_port}");
    let _nobody_listens = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Says so when the token is cancelled.
pub(crate) async fn tell_of_the_end(token: CancellationToken) {
    token.cancelled().await;
    let _nobody_listens = sd_notify::notify(&[
        NotifyState::Stopping,
        NotifyState::Status("ending; what came is brought to the disk"),
    ]);
}

/// Where the manager asks for a sign of life, it gets one only after the state was asked: a thread that holds on to
/// it, or a disk that answers no more, silences it.
pub(crate) async fn live_until(state: State, token: CancellationToken) {
    let Some(time) = sd_notify::watchdog_enabled().filter(|time| *time > Duration::ZERO) else { return };
    let mut beats = tokio::time::interval(time / BEATS_IN_TIME);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while token.run_until_cancelled(beats.tick()).await.is_some() {
        // What the state answers does not matter: a full disk is told elsewhere, and no start anew mends it.
        let _answered = state.call(|state| state.with(|_| Ok(()))).await;
        let _nobody_listens = sd_notify::notify(&[NotifyState::Watchdog]);
    }
}
