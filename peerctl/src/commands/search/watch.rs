//! `peerctl search --watch`: a search that stands. It is asked again at an interval, under its number, and what is
//! new is told, until Ctrl-C.

use std::{convert::Infallible, time::Duration};

use protocol::{Code, control::Search};

use super::{
    collect,
    files::{by_file, table},
    tell::{Arrivals, Untold, document, row},
};
use crate::{
    cli::SearchArgs,
    client::{Client, Reply},
    error::Error,
    interrupt::Interrupt,
    output::Output,
};

pub(super) async fn run(client: &Client, args: &SearchArgs, output: &Output) -> Result<(), Error> {
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        Err(error) = stand(client, args, output) => return Err(error),
        () = interrupt.pressed() => {}
    }
    output.note("the search is over; to have it stand again: peerctl search --watch QUERY");
    Ok(())
}

async fn stand(client: &Client, args: &SearchArgs, output: &Output) -> Result<Infallible, Error> {
    let mut untold = Untold::default();
    let mut reply = client.new_search(args.query()).await?;
    loop {
        let mut arrivals = if output.streams() { Arrivals::Silent } else { Arrivals::new(output) };
        let collected = collect(client, args.patience(), reply, &mut arrivals).await;
        arrivals.finish();
        reply = collected?;
        tell(&reply.value, &mut untold, output)?;
        reply = again(client, &reply.value, args.interval(), output).await?;
    }
}

/// After the interval. A coordinator that is away, or wants fewer searches, is asked once more later.
async fn again(
    client: &Client,
    search: &Search,
    interval: Duration,
    output: &Output,
) -> Result<Reply<Search>, Error> {
    let mut is_told = false;
    loop {
        tokio::time::sleep(interval).await;
        match client.search_again(&search.search).await {
            Err(Error::Problem(problem)) if passes(problem.code) => {
                if !is_told {
                    output.note(&format!("{}; the search stands", problem.title));
                    is_told = true;
                }
            }
            outcome => return outcome,
        }
    }
}

fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::NotConnected | Code::RateLimited | Code::CoordinatorUnreachable | Code::CoordinatorRefused
    )
}

/// What is new. Its numbers go with the search's: another search may have been made since.
fn tell(search: &Search, untold: &mut Untold, output: &Output) -> Result<(), Error> {
    let fresh = untold.take(search);
    let named = |number: u32| format!("{}.{number}", search.search);
    if output.streams() {
        return fresh.iter().try_for_each(|result| output.document(&document(&search.search, result)?));
    }
    if !output.is_for_a_person() {
        return fresh.iter().try_for_each(|result| output.line(&row(&named(result.number), result)));
    }
    if fresh.is_empty() {
        return Ok(());
    }
    let fresh: Vec<_> = fresh.into_iter().cloned().collect();
    output.note(&format!("new in search {0}; to fetch: peerctl get {0}.NUMBER", search.search));
    output.table(&table(&by_file(&fresh)))
}
