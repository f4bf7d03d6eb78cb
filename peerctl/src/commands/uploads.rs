//! `peerctl uploads`.

use protocol::control::{Upload, UploadState};

use crate::{
    client::Client,
    error::Error,
    format,
    output::Output,
    table::{Align, Table},
};

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    let reply = client.uploads().await?;
    if output.json() {
        return output.document(&reply.text);
    }
    if reply.value.uploads.is_empty() {
        output.note("no uploads");
        return Ok(());
    }
    output.table(&table(&reply.value.uploads))
}

fn table(uploads: &[Upload]) -> Table {
    let mut table = Table::new(&[
        ("STATE", Align::Left),
        ("SENT", Align::Right),
        ("SIZE", Align::Right),
        ("SPEED", Align::Right),
        ("TO", Align::Left),
        ("NAME", Align::Left),
    ]);
    for upload in uploads {
        table.row(vec![
            format::state_with_reason(
                format::upload_state(upload.state),
                upload.position,
                upload.reason.as_deref(),
            ),
            format::percent(upload.sent, upload.size),
            format::size(upload.size),
            speed(upload),
            upload.username.to_string(),
            upload.name.to_string(),
        ]);
    }
    table
}

fn speed(upload: &Upload) -> String {
    if upload.state == UploadState::Transferring {
        format::speed(upload.bytes_per_second)
    } else {
        String::new()
    }
}
