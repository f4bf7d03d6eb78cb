//! `peerctl link FILE`.

use std::path::Path;

use crate::{client::Client, error::Error, output::Output, paths};

pub(super) async fn run(client: &Client, file: &Path, output: &Output) -> Result<(), Error> {
    let reply = client.link(&paths::absolute(file)?).await?;
    if output.json() { output.document(&reply.text) } else { output.line(&reply.value.link) }
}
