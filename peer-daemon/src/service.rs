//! What a service manager hears (systemd's notifications): that the daemon is ready, that it ends, and as long as it
//! lives, that it does. Without a manager that asks for it nothing is sent.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::state::State;

/// A beat may come late, and still be in time.
const BEATS_IN_TIME: u32 = 3;
/// Until a manager has room for a word. What it has no room for, it is not told.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) fn ready(download_port: u16, upload_port: u16) {
    let status = format!("running; downloads on port {download_port}, uploads on port {upload_port}");
    let _nobody_listens = notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Says so when the token is cancelled.
pub(crate) async fn tell_of_the_end(token: CancellationToken) {
    token.cancelled().await;
    let _nobody_listens =
        notify(&[NotifyState::Stopping, NotifyState::Status("ending; what came is brought to the disk")]);
}

/// Where the manager asks for a sign of life, it gets one only after the state was asked: a thread that holds on to
/// it, or a disk that answers no more, silences it.
pub(crate) async fn live_until(state: State, token: CancellationToken) {
    let Some(time) = sd_notify::watchdog_enabled().filter(|time| *time > Duration::ZERO) else { return };
    let tell = || drop(notify(&[NotifyState::Watchdog]));
    beat(time / BEATS_IN_TIME, state, token, tell).await;
}

/// As the library would, but that a manager which does not listen must not hold up whoever tells it something.
fn notify(words: &[NotifyState<'_>]) -> io::Result<()> {
    let Some(place) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let manager = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&manager)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let lines: Vec<_> = words.iter().map(ToString::to_string).collect();
    socket.send(lines.join("\n").as_bytes()).map(|_all_or_nothing| ())
}

async fn beat(pause: Duration, state: State, token: CancellationToken, tell: impl Fn()) {
    let mut beats = tokio::time::interval(pause);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while token.run_until_cancelled(beats.tick()).await.is_some() {
        // What the state answers does not matter: a full disk is told elsewhere, and no start anew mends it.
        let _answered = state.call(|state| state.with(|_| Ok(()))).await;
        tell();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::{oneshot, watch};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(2);
    const MANY_BEATS: u32 = 50;
    const LATEST: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn who_holds_on_to_the_state_silences_the_sign_of_life_until_it_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let (token, (told, mut heard)) = (CancellationToken::new(), watch::channel(0_u32));
        let living = beat(PAUSE, state.clone(), token.clone(), || told.send_modify(|beats| *beats += 1));
        let looking_on = async {
            heard.wait_for(|beats| *beats > 0).await.unwrap();
            let (is_held, held) = oneshot::channel();
            let (let_go, wanted) = oneshot::channel::<()>();
            let holder = thread::spawn(move || {
                state.with(|_| {
                    is_held.send(()).unwrap();
                    let _ = wanted.blocking_recv();
                    Ok(())
                })
            });
            held.await.unwrap();
            // The state may have answered for one beat before it was held.
            let last = *heard.borrow() + 1;
            tokio::time::sleep(PAUSE * MANY_BEATS).await;
            assert!(*heard.borrow() <= last, "it beats although nothing gets on");
            let_go.send(()).unwrap();
            heard.wait_for(|beats| *beats > last + 1).await.unwrap();
            holder.join().unwrap().unwrap();
            token.cancel();
        };
        tokio::time::timeout(LATEST, async { tokio::join!(living, looking_on) })
            .await
            .expect("it beats again");
    }
}
