//! `peerctl get RESULT...`.

use super::follow::follow;
use crate::{cli::Target, client::Client, error::Error, output::Output};

pub(super) async fn run(
    client: &Client,
    targets: Vec<Target>,
    detach: bool,
    output: &Output,
) -> Result<(), Error> {
    let reply = client.new_downloads(targets.into_iter().map(String::from).collect()).await?;
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
