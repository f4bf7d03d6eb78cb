//! `peerctl search QUERY`: results come over seconds, so it ends when no new one came for a while.

mod files;
mod pick;
mod tell;
mod watch;

use std::time::Duration;

use protocol::control::Search;

use self::{
    files::{by_file, table},
    tell::{Arrivals, row},
};
use crate::{
    cli::SearchArgs,
    client::{Client, Reply},
    clock,
    error::Error,
    output::Output,
};

/// The longest that one call waits; a proxy or a later daemon may shorten it, and the loop asks again.
const CALL_WAIT_MAX: Duration = Duration::from_secs(25);

pub(super) async fn run(client: &Client, args: &SearchArgs, output: &Output) -> Result<(), Error> {
    if args.watch {
        return watch::run(client, args, output).await;
    }
    let mut arrivals = Arrivals::new(output);
    let search = client.new_search(args.query()).await?;
    let collected = collect(client, args.patience(), search, &mut arrivals).await;
    arrivals.finish();
    let reply = collected?;
    let results = &reply.value.results;
    if results.is_empty() {
        if output.json() && !output.streams() {
            output.document(&reply.text)?;
        }
        return Err(Error::NothingFound);
    }
    if args.pick {
        return pick::run(client, &reply.value, output).await;
    }
    if output.streams() {
        return Ok(());
    }
    if output.json() {
        return output.document(&reply.text);
    }
    if output.is_for_a_person() {
        output.table(&table(&by_file(results)))?;
        output.note("to fetch: peerctl get NUMBER, or choose with: peerctl search --pick QUERY");
        return Ok(());
    }
    results.iter().try_for_each(|result| output.line(&row(&result.number.to_string(), result)))
}

/// Everything that came until the search was finished or fell silent.
async fn collect(
    client: &Client,
    patience: Duration,
    mut reply: Reply<Search>,
    arrivals: &mut Arrivals<'_>,
) -> Result<Reply<Search>, Error> {
    let mut silent_since = clock::now();
    loop {
        let known = reply.value.results.len();
        arrivals.show(&reply.value)?;
        let patience_left = patience.saturating_sub(clock::now().duration_since(silent_since));
        if reply.value.finished || patience_left.is_zero() {
            return Ok(reply);
        }
        // The call takes whole seconds: rounded up, for with 0 this would spin.
        let wait = Duration::from_secs(patience_left.as_secs() + u64::from(patience_left.subsec_nanos() > 0));
        reply = client.search(&reply.value.search, known, wait.min(CALL_WAIT_MAX)).await?;
        if reply.value.results.len() > known {
            silent_since = clock::now();
        }
    }
}
