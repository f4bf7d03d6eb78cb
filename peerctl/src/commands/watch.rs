//! `peerctl downloads --watch` and `peerctl uploads --watch`: what is under way, until Ctrl-C.
//!
//! Watching has no end of its own, so Ctrl-C is the way to end it and no failure: the exit code is 0. (`get` and
//! `wait` are cut short by it, and exit with 130.)

use std::{convert::Infallible, time::Duration};

use crate::{
    client::Client, error::Error, interrupt::Interrupt, output::Output, transfer::Transfer, view::View,
};

/// As often as a bar is drawn anew; more often nobody sees.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy)]
pub(super) enum Watched {
    Downloads,
    Uploads,
}

impl Watched {
    /// In words, and the field of the daemon's document.
    fn name(self) -> &'static str {
        match self {
            Self::Downloads => "downloads",
            Self::Uploads => "uploads",
        }
    }

    /// The daemon's document, and the transfers in it.
    async fn look(self, client: &Client) -> Result<(String, Vec<Transfer>), Error> {
        Ok(match self {
            Self::Downloads => {
                let reply = client.downloads().await?;
                (reply.text, reply.value.downloads.iter().map(Transfer::from).collect())
            }
            Self::Uploads => {
                let reply = client.uploads().await?;
                (reply.text, reply.value.uploads.iter().map(Transfer::from).collect())
            }
        })
    }
}

/// Ends with Ctrl-C, or when the daemon does.
pub(super) async fn watch(client: &Client, watched: Watched, output: &Output) -> Result<(), Error> {
    let name = watched.name();
    let mut view = View::new(output, name);
    let mut interrupt = Interrupt::listen()?;
    let ended = tokio::select! {
        Err(error) = look_on(client, watched, &mut view, output) => Err(error),
        () = interrupt.pressed() => Ok(()),
    };
    view.finish();
    ended?;
    output.note(&format!("{name} go on; to look again: peerctl {name} --watch"));
    Ok(())
}

async fn look_on(
    client: &Client,
    watched: Watched,
    view: &mut View<'_>,
    output: &Output,
) -> Result<Infallible, Error> {
    let (mut document, mut transfers) = watched.look(client).await?;
    if !output.json() && transfers.iter().all(Transfer::has_ended) {
        output.note(&format!("no {} are under way; new ones are shown as they come", watched.name()));
    }
    loop {
        view.show_list(&document, &transfers)?;
        tokio::time::sleep(LOOK_EVERY).await;
        (document, transfers) = watched.look(client).await?;
    }
}
