//! The daemon looks itself over, for `peerctl doctor`: what of its surroundings is not as it should be, and how to
//! mend it. [`gather`] looks, [`findings`](findings::findings) judges.

mod before_start;
mod findings;
mod surroundings;

use std::time::{Duration, Instant, SystemTime};

use protocol::control::{SCHEMA, Share, doctor::Examination};

pub(crate) use self::before_start::before_start;
use self::{
    findings::{Coordinator, Facts, Port, findings},
    surroundings::{open_files, swap_areas},
};
use crate::{clock, control::Controls};

pub(crate) async fn examine(controls: &Controls) -> Examination {
    Examination { schema: SCHEMA, checks: findings(&gather(controls).await) }
}

async fn gather(controls: &Controls) -> Facts {
    let status = controls.status();
    let network = controls.network.as_ref();
    let free_space = match network {
        Some(network) => Some(network.downloads.free_space().await),
        None => None,
    };
    Facts {
        coordinator: match network {
            Some(network) => Some(ask_coordinator(network).await),
            None => None,
        },
        username: status.username.map(|username| username.to_string()),
        is_connected: status.connected,
        problem: status.connection_problem,
        download_port: Port {
            number: status.download_port,
            was_reached: network.is_some_and(|network| network.downloads.was_dialled()),
        },
        upload_port: Port {
            number: status.upload_port,
            was_reached: network.is_some_and(|network| network.uploads.was_dialled()),
        },
        open_files: open_files(),
        free_space,
        swap: swap_areas(),
        shares: shares(controls).await,
    }
}

/// A look at each folder, which may be on a disk that sleeps.
async fn shares(controls: &Controls) -> Vec<Share> {
    let library = controls.library.clone();
    tokio::task::spawn_blocking(move || library.shares().shares).await.unwrap_or_default()
}

async fn ask_coordinator(network: &crate::control::Network) -> Coordinator {
    let asked = clock::now();
    let answer = network.link.probe().await;
    Coordinator {
        url: network.coordinator.clone(),
        answer: answer.map(|told| findings::Answer { took: took(asked), behind: told.map(behind) }),
    }
}

fn took(since: Instant) -> Duration {
    clock::now().duration_since(since)
}

/// In seconds, how far this machine's clock is behind; negative when it is ahead.
fn behind(told: SystemTime) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match told.duration_since(clock::wall()) {
        Ok(behind) => seconds(behind),
        Err(ahead) => -seconds(ahead.duration()),
    }
}
