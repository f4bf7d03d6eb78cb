//! `peerctl downloads`.

use protocol::control::Downloads;

use super::{
    list,
    watch::{Watched, watch},
};
use crate::{client::Client, error::Error, output::Output, table::Table, transfer::Transfer};

const NOTHING: &str = "no downloads; to find something: peerctl search QUERY";

pub(super) async fn run(client: &Client, is_watched: bool, output: &Output) -> Result<(), Error> {
    if is_watched {
        return watch(client, Watched::Downloads, output).await;
    }
    let table = |downloads: &Downloads| table(downloads, output.is_for_a_person());
    list::print(&client.downloads().await?, table, NOTHING, output)
}

fn table(Downloads { downloads, .. }: &Downloads, is_for_a_person: bool) -> Table {
    let begin = |transfer: &Transfer| [transfer.id.clone(), transfer.state_and_place()];
    list::of_transfers(
        ["ID", "STATE"],
        ("DONE", "FROM"),
        (downloads.iter().map(Transfer::from), is_for_a_person),
        begin,
    )
}
