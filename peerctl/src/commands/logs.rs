//! `peerctl logs`.

use std::{convert::Infallible, time::Duration};

use protocol::control::SCHEMA;

use crate::{client::Client, error::Error, interrupt::Interrupt, log::Log, output::Output, paths};

const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(client: &Client, lines: usize, follow: bool, output: &Output) -> Result<(), Error> {
    let mut interrupt = Interrupt::listen()?;
    let log = Log::of(&paths::state_dir_of(client).await?)?;
    let (lines, mut place) = log.tail(lines)?;
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

async fn go_on(log: &Log, place: &mut u64, output: &Output) -> Result<Infallible, Error> {
    loop {
        let (lines, end) = log.since(*place)?;
        lines.iter().try_for_each(|line| output.line(line))?;
        *place = end;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
