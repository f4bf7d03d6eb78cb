//! `peerctl complete-values`, which shells ask while somebody types: what could come next, of what only the daemon
//! knows. A line each, and after a tab what it is. Where nothing is known, also where no daemon runs, it is silent.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgMatches, CommandFactory as _};
use protocol::{Profile, control::Download};

use crate::{
    cli::Cli,
    client::{Change, Client},
    commands::change::fits,
    error::Error,
    hints::Hints,
    output::Output,
    transfer::Transfer,
    whose::Whose,
};

/// Somebody waits with a finger on the key.
const PATIENCE: Duration = Duration::from_secs(1);

/// A value, and what it is.
type Value = (String, String);

/// After these words of a command line, which are whole.
pub(in crate::commands) async fn run(
    words: &[OsString],
    whose: &Whose,
    output: &Output,
) -> Result<(), Error> {
    let line = [OsString::from("peerctl")].into_iter().chain(words.iter().cloned());
    let Ok(matches) = Cli::command().ignore_errors(true).try_get_matches_from(line) else { return Ok(()) };
    let client = Client::new(meant(&matches, whose).socket()?, Hints::default())?;
    let known = tokio::time::timeout(PATIENCE, known(&client, &verb(&matches))).await;
    let Ok(Ok(values)) = known else { return Ok(()) };
    for (value, about) in values {
        // One that was typed already is not meant once more.
        if !words.iter().any(|word| *word == *value) {
            output.line(&format!("{value}\t{about}"))?;
        }
    }
    Ok(())
}

/// The daemon that the words mean, or else this process.
fn meant(matches: &ArgMatches, whose: &Whose) -> Whose {
    let profile = matches.try_get_one::<Profile>("profile").ok().flatten();
    let socket = matches.try_get_one::<PathBuf>("socket").ok().flatten();
    if profile.is_none() && socket.is_none() {
        return whose.clone();
    }
    Whose::of(profile.map(|profile| (profile.clone(), true)), socket.map(|socket| (socket.clone(), true)))
}

/// `pause`, or `share rm`.
fn verb(matches: &ArgMatches) -> String {
    let mut verbs = Vec::new();
    let mut matches = Some(matches);
    while let Some((verb, below)) = matches.and_then(ArgMatches::subcommand) {
        verbs.push(verb);
        matches = Some(below);
    }
    verbs.join(" ")
}

async fn known(client: &Client, verb: &str) -> Result<Vec<Value>, Error> {
    let change = |change| move |download: &Download| fits(change, download);
    match verb {
        "pause" => downloads(client, change(Change::Pause)).await,
        "resume" => downloads(client, change(Change::Resume)).await,
        "retry" => downloads(client, change(Change::Retry)).await,
        "cancel" => downloads(client, change(Change::Cancel)).await,
        "wait" => downloads(client, |download| !download.state.has_ended()).await,
        "rm" | "show" | "why" => downloads(client, |_| true).await,
        "accept" | "decline" => {
            let requests = client.requests().await?.value.requests.into_iter();
            let about = |files: &[_]| crate::format::files(files.len() as u64);
            Ok(requests
                .map(|asked| (asked.id, format!("{}, {}", asked.username, about(&asked.files))))
                .collect())
        }
        "share rm" => {
            let shares = client.shares().await?.value.shares.into_iter();
            Ok(shares.map(|share| (share.path, crate::format::files(share.files))).collect())
        }
        "block rm" => {
            let blocks = client.blocks().await?.value.blocks.into_iter();
            Ok(blocks.map(|block| (block.username.to_string(), "blocked".to_owned())).collect())
        }
        "config set" | "config unset" => {
            let settings = client.configuration().await?.value.settings.into_iter();
            let settable = settings.filter(|setting| setting.settable);
            Ok(settable.map(|setting| (setting.name, setting.value.unwrap_or_default())).collect())
        }
        _ => Ok(Vec::new()),
    }
}

async fn downloads(client: &Client, is_meant: impl Fn(&Download) -> bool) -> Result<Vec<Value>, Error> {
    let downloads = client.downloads().await?.value.downloads.into_iter();
    let about = |download: &Download| {
        let transfer = Transfer::from(download);
        format!("{}, {}", transfer.full_name(), transfer.state_and_place())
    };
    Ok(downloads.filter(is_meant).map(|download| (download.id.clone(), about(&download))).collect())
}
