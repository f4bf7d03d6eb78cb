//! `peerctl get RESULT...`.

use protocol::{Conflict, control::NewDownloads};

use super::follow::follow;
use crate::{cli::Target, client::Client, error::Error, output::Output};

pub(super) async fn run(
    client: &Client,
    targets: Vec<Target>,
    conflict: Option<Conflict>,
    detach: bool,
    output: &Output,
) -> Result<(), Error> {
    let targets = targets.into_iter().map(String::from).collect();
    let reply = client.new_downloads(&NewDownloads { targets, conflict }).await?;
    let downloads = reply.value.downloads;
    if !detach {
        return follow(client, downloads.into_iter().map(|download| download.id).collect(), None, output)
            .await;
    }
    if output.json() {
        return output.document(&reply.text);
    }
    downloads.iter().try_for_each(|download| output.line(&format!("{}\t{}", download.id, download.name)))
}
