//! `peerctl search --pick`: the person chooses among what was found, and it is fetched.

use protocol::control::Search;

use super::files::{by_file, table};
use crate::{cli::Target, client::Client, commands::get, error::Error, output::Output, prompt::Person};

/// Rows of the choice: more than a person looks through; typing narrows it down.
const ROWS_MAX: usize = 500;
const CHOSEN: &str = "✓ ";
const NOT_CHOSEN: &str = "  ";

pub(super) async fn run(client: &Client, search: &Search, output: &Output) -> Result<(), Error> {
    let person = Person::at(output).ok_or(Error::NobodyToAsk("peerctl get NUMBER"))?;
    let files = by_file(&search.results);
    // The first line has the titles.
    let rows: Vec<String> = table(&files).lines(true).skip(1).take(ROWS_MAX).collect();
    let chosen = choose(&person, &rows)?;
    if chosen.is_empty() {
        output.note("nothing is fetched; to fetch later: peerctl get NUMBER");
        return Ok(());
    }
    let targets = chosen.iter().filter_map(|place| files.get(*place));
    let targets = targets.map(|file| Target::of(&search.search, file.number)).collect();
    get::run(client, targets, None, false, output).await
}

/// Enter marks a row, or takes the mark away; the first row ends it, Esc leaves without any.
fn choose(person: &Person, rows: &[String]) -> Result<Vec<usize>, Error> {
    let mut chosen: Vec<usize> = Vec::new();
    loop {
        let mut items: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(place, row)| format!("{}{row}", if chosen.contains(&place) { CHOSEN } else { NOT_CHOSEN }))
            .collect();
        let files = if chosen.len() == 1 { "file" } else { "files" };
        items.insert(0, format!("{NOT_CHOSEN}Fetch the {} chosen {files}", chosen.len()));
        let offered = if chosen.is_empty() { &items[1..] } else { &items[..] };
        let hint = "Fetch (type to narrow down, Enter chooses, Esc leaves):";
        let Some(picked) = person.pick(hint, offered)? else { return Ok(Vec::new()) };
        let place = match (picked, chosen.is_empty()) {
            (0, false) => return Ok(chosen),
            (picked, false) => picked - 1,
            (picked, true) => picked,
        };
        match chosen.iter().position(|other| *other == place) {
            Some(at) => drop(chosen.remove(at)),
            None => chosen.push(place),
        }
    }
}
