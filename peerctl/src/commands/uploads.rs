//! `peerctl uploads`.

use protocol::control::Uploads;

use super::{
    list,
    watch::{Watched, watch},
};
use crate::{client::Client, error::Error, output::Output, table::Table, transfer::Transfer};

const NOTHING: &str = "no uploads; what others see of yours: peerctl share ls";

pub(super) async fn run(client: &Client, is_watched: bool, output: &Output) -> Result<(), Error> {
    if is_watched {
        return watch(client, Watched::Uploads, output).await;
    }
    let table = |uploads: &Uploads| table(uploads, output.is_for_a_person());
    list::print(&client.uploads().await?, table, NOTHING, output)
}

/// A program has the reason with the state; for a person it has room below the name.
fn table(Uploads { uploads, .. }: &Uploads, is_for_a_person: bool) -> Table {
    let begin = |transfer: &Transfer| {
        [if is_for_a_person { transfer.state_and_place() } else { transfer.standing() }]
    };
    let uploads = uploads.iter().map(Transfer::from);
    list::of_transfers(["STATE"], ("SENT", "TO"), (uploads, is_for_a_person), begin)
}
