//! `peerctl restart`: the daemon once more, with what it was started with; after an update, as its new version.

use std::ffi::OsString;

use super::{start, status, stop};
use crate::{
    client::Client, error::Error, launch::Launch, output::Output, process::DaemonProcess, whose::Whose,
};

pub(super) async fn run(
    client: &Client,
    whose: &Whose,
    arguments: &[OsString],
    output: &Output,
) -> Result<(), Error> {
    let given = whose.launch(arguments)?;
    let launch = match client.status().await {
        Ok(_) => {
            let launch = launch_of_the_running_one(client, arguments.is_empty()).await?.unwrap_or(given);
            stop::stop(client).await?;
            launch
        }
        Err(Error::NotRunning) => given,
        Err(error) => return Err(error),
    };
    status::print(&start::start(client, &launch).await?, output)
}

/// `None` where the person says with what it is started now.
async fn launch_of_the_running_one(client: &Client, is_wanted: bool) -> Result<Option<Launch>, Error> {
    let process = DaemonProcess::behind(client.socket()).await;
    // One that systemd runs is not to go on beside systemd.
    if let Some(unit) = process.as_ref().and_then(DaemonProcess::unit) {
        return Err(Error::RunByService(unit));
    }
    if !is_wanted {
        return Ok(None);
    }
    process.and_then(|process| process.launch()).map(Some).ok_or(Error::LaunchUnknown)
}
