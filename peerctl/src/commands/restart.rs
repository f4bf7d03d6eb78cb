//! `peerctl restart`: the daemon once more, with what it was started with; after an update, as its new version. Where
//! it was connected as somebody whom no setting names, it is connected so again.

use std::ffi::OsString;

use super::{connect, own_unit, start, status, stop};
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
    let (launch, username) = match client.status().await {
        Ok(status) => {
            let launch = launch_of_the_running_one(client, arguments.is_empty()).await?.unwrap_or(given);
            stop::stop(client).await?;
            (launch, status.value.username)
        }
        Err(Error::NotRunning) => {
            own_unit::is_left_to_systemd(whose)?;
            (given, None)
        }
        Err(error) => return Err(error),
    };
    let mut status = start::start(client, &launch).await?;
    if let Some(username) = username
        && status.value.username.is_none()
        && status.value.coordinator.is_some()
        && connect::username_at_start(client).await == Some(None)
    {
        match client.connect(username.as_str()).await {
            Ok(connected) => status = connected,
            Err(error) => output.note(&error.to_string()),
        }
    }
    status::print(&status, output)
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
