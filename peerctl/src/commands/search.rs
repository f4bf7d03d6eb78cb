//! `peerctl search QUERY`: results come over seconds, so it ends when no new one came for a while.

use std::time::Duration;

use protocol::{
    control::{Search, SearchResult},
    match_rule::MatchClass,
};

use crate::{
    cli::SearchArgs,
    client::{Client, Reply},
    clock,
    error::Error,
    format,
    output::Output,
    progress::Counter,
    table::{Align, Table},
};

/// The longest that one call waits; a proxy or a later daemon may shorten it, and the loop asks again.
const CALL_WAIT_MAX: Duration = Duration::from_secs(25);

pub(super) async fn run(client: &Client, args: &SearchArgs, output: &Output) -> Result<(), Error> {
    let mut stream = output.streams().then_some(ResultStream { output, written: 0 });
    let reply = collect(client, args, output, stream.as_mut()).await?;
    let results = &reply.value.results;
    if stream.is_none() {
        if output.json() {
            output.document(&reply.text)?;
        } else if output.is_for_a_person() && !results.is_empty() {
            output.table(&table(results))?;
        } else {
            results.iter().try_for_each(|result| output.line(&row(result)))?;
        }
    }
    if results.is_empty() { Err(Error::NothingFound) } else { Ok(()) }
}

/// Everything that came until the search was finished or fell silent.
async fn collect(
    client: &Client,
    args: &SearchArgs,
    output: &Output,
    mut stream: Option<&mut ResultStream<'_>>,
) -> Result<Reply<Search>, Error> {
    let patience = Duration::from_secs(args.wait);
    let mut counter = Counter::new(output);
    let mut reply = client.new_search(args.query()).await?;
    let mut silent_since = clock::now();
    loop {
        let known = reply.value.results.len();
        counter.show(known);
        if let Some(stream) = &mut stream {
            stream.write(&reply.value)?;
        }
        let patience_left = patience.saturating_sub(clock::now().duration_since(silent_since));
        if reply.value.finished || patience_left.is_zero() {
            break;
        }
        // The call takes whole seconds: rounded up, for with 0 this would spin.
        let wait = Duration::from_secs(patience_left.as_secs() + u64::from(patience_left.subsec_nanos() > 0));
        reply = client.search(&reply.value.search, known, wait.min(CALL_WAIT_MAX)).await?;
        if reply.value.results.len() > known {
            silent_since = clock::now();
        }
    }
    counter.clear();
    Ok(reply)
}

/// `--ndjson`: each result once, when it comes.
struct ResultStream<'a> {
    output: &'a Output,
    /// The highest number written: results are numbered in order of arrival.
    written: u32,
}

impl ResultStream<'_> {
    fn write(&mut self, search: &Search) -> Result<(), Error> {
        let mut fresh: Vec<_> = search.results.iter().filter(|result| result.number > self.written).collect();
        fresh.sort_by_key(|result| result.number);
        for result in fresh {
            let text =
                serde_json::to_string(&result).map_err(|error| Error::Unreadable(error.to_string()))?;
            self.output.document(&text)?;
            self.written = result.number;
        }
        Ok(())
    }
}

fn table(results: &[SearchResult]) -> Table {
    let mut table = Table::new(&[
        ("NUMBER", Align::Right),
        ("MATCH", Align::Left),
        ("SIZE", Align::Right),
        ("USERNAME", Align::Left),
        ("NAME", Align::Left),
    ]);
    for result in results {
        table.row(vec![
            result.number.to_string(),
            class(result.class).to_owned(),
            format::size(result.size),
            result.username.to_string(),
            result.name.to_string(),
        ]);
    }
    table
}

/// For programs that cut lines into fields; no name has a tab in it.
fn row(result: &SearchResult) -> String {
    let SearchResult { number, username, name, size, class: match_class, .. } = result;
    format!("{number}\t{}\t{size}\t{username}\t{name}", class(*match_class))
}

fn class(class: MatchClass) -> &'static str {
    match class {
        MatchClass::Exact => "exact",
        MatchClass::Substring => "substring",
    }
}
