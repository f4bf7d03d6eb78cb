//! What every list has in common: a document, a sentence when there is nothing, or a table.

use crate::{
    client::Reply,
    error::Error,
    output::Output,
    table::{Align, Table},
    transfer::Transfer,
};

pub(super) fn print<T>(
    reply: &Reply<T>,
    table: impl FnOnce(&T) -> Table,
    nothing: &str,
    output: &Output,
) -> Result<(), Error> {
    if output.json() {
        return output.document(&reply.text);
    }
    let table = table(&reply.value);
    if table.is_empty() {
        output.note(nothing);
        return Ok(());
    }
    output.table(&table)
}

/// A table of transfers: what is `first` in it, then how far each has come, with whom, and its name. For a person,
/// `has_reasons` tells below the name why a transfer does not go on.
pub(super) fn of_transfers<const N: usize>(
    first: [&'static str; N],
    (done, peer): (&'static str, &'static str),
    (transfers, has_reasons): (impl Iterator<Item = Transfer>, bool),
    begin: impl Fn(&Transfer) -> [String; N],
) -> Table {
    let left = first.into_iter().map(|title| (title, Align::Left));
    let rest = [
        (done, Align::Right),
        ("SIZE", Align::Right),
        ("SPEED", Align::Right),
        (peer, Align::Left),
        ("NAME", Align::Left),
    ];
    let mut table = Table::new(&left.chain(rest).collect::<Vec<_>>());
    for transfer in transfers {
        let mut row = Vec::from(begin(&transfer));
        row.extend([
            transfer.percent(),
            crate::format::size(transfer.size),
            transfer.speed(),
            transfer.peer.to_string(),
            transfer.full_name(),
        ]);
        let columns = row.len();
        table.row(row);
        if let Some(reason) = transfer.reason().filter(|_| has_reasons) {
            let mut row = vec![String::new(); columns - 1];
            row.push(format!("-> {reason}"));
            table.row(row);
        }
    }
    table
}
