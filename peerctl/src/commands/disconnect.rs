//! `peerctl disconnect`.

use super::status;
use crate::{client::Client, error::Error, output::Output};

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    let reply = client.disconnect().await?;
    if output.json() { status::print(&reply, output) } else { output.line("disconnected") }
}
