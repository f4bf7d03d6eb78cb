//! `peerctl gui`: a link to the web page. It is printed rather than opened: a browser's arguments can be read by
//! every user of the machine. `--open` is for those who are alone on theirs; the link dies with its first use.

use std::process::Stdio;

use tokio::process::Command;

use crate::{client::Client, error::Error, output::Output};

/// What opens links on a desktop (freedesktop.org).
const OPENER: &str = "xdg-open";

pub(super) async fn run(client: &Client, open: bool, output: &Output) -> Result<(), Error> {
    let reply = client.gui_link().await?;
    if output.json() {
        output.document(&reply.text)?;
    } else {
        output.line(&reply.value.url)?;
        output.note("The link works once, and within 30 s.");
    }
    if open && !opens(&reply.value.url).await {
        output.note("No browser could be opened here; open the link by hand.");
    }
    Ok(())
}

async fn opens(url: &str) -> bool {
    let mut command = Command::new(OPENER);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}
