//! `peerctl requests`, `accept` and `decline`.

use protocol::control::{IncomingRequests, RequestedFile};

use super::list;
use crate::{
    cli::Id,
    client::Client,
    error::Error,
    format,
    output::Output,
    table::{Align, Table},
};

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    list::print(
        &client.requests().await?,
        table,
        "nobody waits for your word; to be asked at all: peerctl config set policy ask",
        output,
    )
}

pub(super) async fn settle(
    client: &Client,
    ids: &[Id],
    is_accepted: bool,
    output: &Output,
) -> Result<(), Error> {
    let mut last = None;
    for id in ids {
        last = Some(client.settle_request(id.as_str(), is_accepted).await?);
        if !output.json() {
            output.note(&format!("{} {}", if is_accepted { "accepted" } else { "declined" }, id.as_str()));
        }
    }
    match last {
        Some(reply) if output.json() => output.document(&reply.text),
        _ => Ok(()),
    }
}

/// One row a file; an introduction may name several.
fn table(IncomingRequests { requests, .. }: &IncomingRequests) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("FROM", Align::Left),
        ("SIZE", Align::Right),
        ("NAME", Align::Left),
    ]);
    let rows = requests.iter().flat_map(|request| request.files.iter().map(move |file| (request, file)));
    for (request, RequestedFile { name, size, folder, .. }) in rows {
        table.row(vec![
            request.id.clone(),
            request.username.to_string(),
            format::size(*size),
            match folder {
                Some(folder) => format::folder(name, folder.files),
                None => name.to_string(),
            },
        ]);
    }
    table
}
