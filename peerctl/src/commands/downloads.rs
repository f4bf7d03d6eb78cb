//! `peerctl downloads`.

use protocol::control::{Download, DownloadState};

use crate::{
    client::Client,
    error::Error,
    format,
    output::Output,
    table::{Align, Table},
};

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    let reply = client.downloads().await?;
    if output.json() {
        return output.document(&reply.text);
    }
    if reply.value.downloads.is_empty() {
        output.note("no downloads");
        return Ok(());
    }
    output.table(&table(&reply.value.downloads))
}

fn table(downloads: &[Download]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("STATE", Align::Left),
        ("DONE", Align::Right),
        ("SIZE", Align::Right),
        ("SPEED", Align::Right),
        ("FROM", Align::Left),
        ("NAME", Align::Left),
    ]);
    for download in downloads {
        table.row(vec![
            download.id.clone(),
            format::state_with_reason(format::download_state(download.state), download.position, None),
            format::percent(download.received, download.size),
            format::size(download.size),
            speed(download),
            download.username.to_string(),
            download.name.to_string(),
        ]);
    }
    table
}

fn speed(download: &Download) -> String {
    if download.state == DownloadState::Transferring {
        format::speed(download.bytes_per_second)
    } else {
        String::new()
    }
}
