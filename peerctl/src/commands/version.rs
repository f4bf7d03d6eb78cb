//! `peerctl version`: of both programs, since they can differ after an update; and what is said when that is why
//! something failed.

use protocol::{Mismatch, VERSION};

use crate::{client::Client, error::Error, output::Output};

const OWN: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    let daemon = match client.versions().await {
        Ok(versions) => Some(versions),
        Err(Error::NotRunning) => None,
        Err(error) => return Err(error),
    };
    let mismatch = daemon.as_ref().and_then(|versions| mismatch(versions.protocol_version));
    if output.json() {
        let daemon = daemon.map(|versions| {
            serde_json::json!({ "version": versions.version, "protocol_version": versions.protocol_version })
        });
        let document = serde_json::json!({
            "schema": protocol::control::SCHEMA, "version": OWN, "protocol_version": VERSION, "daemon": daemon,
        });
        output.document(&document.to_string())?;
    } else {
        output.line(&format!("peerctl {OWN} (protocol {VERSION})"))?;
        match daemon {
            Some(versions) => output.line(&format!(
                "peer-daemon {} (protocol {})",
                versions.version, versions.protocol_version
            ))?,
            None => output.line("peer-daemon is not running")?,
        }
    }
    mismatch.map_or(Ok(()), |sentence| Err(Error::VersionsDiffer(sentence)))
}

/// The error, or what stands behind it: a daemon that speaks another version.
pub(super) async fn explain(client: &Client, error: Error) -> Error {
    let Ok(versions) = client.versions().await else { return error };
    mismatch(versions.protocol_version).map_or(error, Error::VersionsDiffer)
}

/// The sentence for a daemon of another protocol version.
pub(super) fn mismatch(theirs: u32) -> Option<String> {
    let mismatch = Mismatch {
        us: "peerctl",
        them: "peer-daemon",
        theirs,
        if_we_are_older: "update peerctl",
        if_they_are_older: "update peer-daemon; if that is done, start it again: peerctl restart",
    };
    (theirs != VERSION).then(|| mismatch.to_string())
}
