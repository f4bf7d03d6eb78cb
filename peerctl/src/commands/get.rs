//! `peerctl get RESULT...`.

use std::path::Path;

use protocol::{
    Conflict,
    control::{Download, DownloadState, NewDownloads},
};

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
    if output.may_animate() {
        note_what_is_there(client, &downloads, output).await;
    }
    if !detach {
        return follow(client, downloads.into_iter().map(|download| download.id).collect(), None, output)
            .await;
    }
    if output.json() {
        return output.document(&reply.text);
    }
    downloads.iter().try_for_each(|download| output.line(&format!("{}\t{}", download.id, download.name)))
}

/// Whoever fetches a file a second time may have forgotten the first.
async fn note_what_is_there(client: &Client, begun: &[Download], output: &Output) {
    let Ok(listed) = client.downloads().await else { return };
    for download in begun {
        let is_same = |other: &&Download| {
            (other.root, other.size) == (download.root, download.size)
                && begun.iter().all(|begun| begun.id != other.id)
        };
        let earlier = listed.value.downloads.iter().filter(is_same).find_map(|other| match other.state {
            DownloadState::Finished if Path::new(&other.path).exists() => {
                Some(format!("you have it already, in {}", other.path))
            }
            state if !state.has_ended() => Some(format!("it is fetched already, as {}", other.id)),
            _ => None,
        });
        if let Some(earlier) = earlier {
            let Download { id, name, .. } = download;
            output.note(&format!("{name}: {earlier}; to have it once: peerctl cancel {id}"));
        }
    }
}
