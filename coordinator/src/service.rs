//! What a service manager hears (systemd's notifications): what the program says, in its words, and as long as it
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

use crate::{exchange::Exchange, telemetry::Word};

/// A beat may come late, and still be in time.
const BEATS_IN_TIME: u32 = 3;
/// Until a manager has room for a word. What it has no room for, it is not told.
const PATIENCE: Duration = Duration::from_millis(100);

/// Tells the manager what of it concerns it. That it can't be told changes nothing.
pub(crate) fn tell(word: &Word<'_>) {
    let _nobody_listens = match word {
        Word::Listening { listen, .. } => {
            notify(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {listen}"))])
        }
        Word::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => Err(error),
        },
        Word::Reloaded { .. } => {
            notify(&[NotifyState::Ready, NotifyState::Status("serving; the configuration was read again")])
        }
        Word::NotReloaded { .. } => notify(&[
            NotifyState::Ready,
            NotifyState::Status("serving; the configuration has a mistake, and stays as it was"),
        ]),
        Word::Draining => notify(&[
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
    let tell = || drop(notify(&[NotifyState::Watchdog]));
    let gets_on = || async {
        exchange.load().await;
    };
    beat(time / BEATS_IN_TIME, stop, gets_on, tell).await;
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

async fn beat<G: Future<Output = ()>>(
    pause: Duration,
    stop: CancellationToken,
    gets_on: impl Fn() -> G,
    tell: impl Fn(),
) {
    let mut beats = tokio::time::interval(pause);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(beats.tick()).await.is_some() {
        gets_on().await;
        tell();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Mutex, watch};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(2);
    const MANY_BEATS: u32 = 50;
    const LATEST: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn who_holds_on_to_the_tables_silences_the_sign_of_life_until_they_are_let_go() {
        let (stop, tables, (told, mut heard)) =
            (CancellationToken::new(), Mutex::new(()), watch::channel(0_u32));
        let gets_on = || async { drop(tables.lock().await) };
        let living = beat(PAUSE, stop.clone(), gets_on, || told.send_modify(|beats| *beats += 1));
        let looking_on = async {
            heard.wait_for(|beats| *beats > 0).await.unwrap();
            let held = tables.lock().await;
            let last = *heard.borrow();
            tokio::time::sleep(PAUSE * MANY_BEATS).await;
            assert_eq!(*heard.borrow(), last, "it beats although nothing gets on");
            drop(held);
            heard.wait_for(|beats| *beats > last + 1).await.unwrap();
            stop.cancel();
        };
        tokio::time::timeout(LATEST, async { tokio::join!(living, looking_on) })
            .await
            .expect("it beats again");
    }
}
