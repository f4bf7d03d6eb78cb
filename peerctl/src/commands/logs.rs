//! `peerctl logs`.

use std::{convert::Infallible, path::PathBuf, time::Duration};

use protocol::{control::SCHEMA, paths::LOG_FILE};

use crate::{
    client::Client,
    error::Error,
    interrupt::Interrupt,
    log::{Log, Place, Unfinished},
    output::Output,
    whose::Whose,
};

const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(
    client: &Client,
    whose: &Whose,
    lines: usize,
    follow: bool,
    output: &Output,
) -> Result<(), Error> {
    let mut interrupt = Interrupt::listen()?;
    let log = Log::at(log_file(client, whose).await?);
    let unfinished = if follow { Unfinished::Waits } else { Unfinished::Counts };
    let (lines, mut place) = log.tail(lines, unfinished)?;
    if output.json() {
        let document = serde_json::json!({ "schema": SCHEMA, "file": log.path, "lines": lines });
        return output.document(&document.to_string());
    }
    lines.iter().try_for_each(|line| output.line(line))?;
    if !follow {
        return Ok(());
    }
    tokio::select! {
        Err(error) = go_on(&log, &mut place, output) => Err(error),
        () = interrupt.pressed() => Ok(()),
    }
}

/// That of the daemon that runs, else that of one that would be started.
async fn log_file(client: &Client, whose: &Whose) -> Result<PathBuf, Error> {
    let configuration = match client.configuration().await {
        Ok(reply) => reply.value,
        Err(Error::NotRunning) => return whose.launch(&[])?.log_file(),
        Err(error) => return Err(error),
    };
    let value = |name: &str| {
        let setting = configuration.settings.iter().find(|setting| setting.name == name)?;
        setting.value.as_ref().map(PathBuf::from)
    };
    match value("log_file").or_else(|| Some(value("state_dir")?.join(LOG_FILE))) {
        Some(file) => Ok(file),
        None => whose.launch(&[])?.log_file(),
    }
}

async fn go_on(log: &Log, place: &mut Place, output: &Output) -> Result<Infallible, Error> {
    loop {
        log.since(place)?.iter().try_for_each(|line| output.line(line))?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
