//! `peerctl show ID`.

use std::time::Duration;

use protocol::control::Download;

use super::follow::single;
use crate::{
    cli::Id, client::Client, error::Error, format, output::Output, table::Table, transfer::Transfer,
};

pub(super) async fn run(client: &Client, id: &Id, output: &Output) -> Result<(), Error> {
    let reply = client.download(id.as_str(), Duration::ZERO).await?;
    if output.json() { output.document(&reply.text) } else { output.table(&table(&single(reply.value)?)) }
}

fn table(download: &Download) -> Table {
    let received = format::percent(download.received, download.size);
    let mut rows = vec![
        ("id", download.id.clone()),
        ("name", download.name.to_string()),
        ("state", Transfer::from(download).standing()),
        ("from", download.username.to_string()),
        ("size", format!("{} ({} bytes)", format::size(download.size), download.size)),
        ("received", format!("{received} ({} bytes verified)", download.received)),
        ("root", download.root.to_string()),
        ("path", download.path.clone()),
    ];
    if let Some(files) = Transfer::from(download).files() {
        rows.insert(6, ("files", files));
    }
    if download.bytes_per_second > 0 {
        rows.push(("speed", format::speed(download.bytes_per_second)));
    }
    if let Some(seconds) = download.eta_seconds {
        rows.push(("time left", format::duration(seconds)));
    }
    Table::of_pairs(rows)
}
