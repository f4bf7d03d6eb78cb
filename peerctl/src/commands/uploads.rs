//! `peerctl uploads`.

use protocol::control::Uploads;

use super::{
    list,
    watch::{Watched, watch},
};
use crate::{client::Client, error::Error, output::Output, table::Table, transfer::Transfer};

pub(super) async fn run(client: &Client, is_watched: bool, output: &Output) -> Result<(), Error> {
    if is_watched {
        return watch(client, Watched::Uploads, output).await;
    }
    list::print(&client.uploads().await?, table, "no uploads", output)
}

fn table(Uploads { uploads, .. }: &Uploads) -> Table {
    let begin = |transfer: &Transfer| [transfer.standing()];
    list::of_transfers(["STATE"], ("SENT", "TO"), (uploads.iter().map(Transfer::from), false), begin)
}
