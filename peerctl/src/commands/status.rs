//! `peerctl status`, and how a status is told wherever a command ends with one.

use protocol::control::Status;

use super::version;
use crate::{
    client::{Client, Reply},
    error::Error,
    format,
    output::Output,
    table::Table,
};

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    print(&client.status().await?, output)
}

pub(super) fn print(reply: &Reply<Status>, output: &Output) -> Result<(), Error> {
    if output.json() { output.document(&reply.text) } else { output.sentences(table(&reply.value)) }
}

fn table(status: &Status) -> Table {
    let mut rows = vec![("connection", connection(status))];
    rows.extend(status.profile.clone().map(|profile| ("profile", profile)));
    if let Some(coordinator) = &status.coordinator {
        rows.push(("coordinator", coordinator.clone()));
    }
    rows.push(("ports", format!("download {}, upload {}", status.download_port, status.upload_port)));
    rows.push(("shared", shared(status)));
    if let Some(download) = &status.download {
        let share = format::percent(download.received, download.size);
        rows.push(("download", format!("{share} from {}: {}", download.username, download.name)));
    }
    if let Some(upload) = &status.upload {
        let share = format::percent(upload.sent, upload.size);
        rows.push(("upload", format!("{share} to {}: {}", upload.username, upload.name)));
    }
    rows.extend(limits(status).map(|limits| ("limits", limits)));
    if let Some(gui) = status.gui {
        rows.push(("web page", format!("http://{gui}/")));
    }
    if status.refused_dial_backs > 0 {
        let connections = format::counted(status.refused_dial_backs, "connection", "connections");
        rows.push(("refused", format!("{connections} without the right key")));
    }
    rows.push(("version", format!("peer-daemon {}", status.version)));
    rows.extend(version::mismatch(status.protocol_version).map(|sentence| ("mismatch", sentence)));
    Table::of_pairs(rows)
}

/// `connected as alice`, or why not.
pub(super) fn connection(status: &Status) -> String {
    match (&status.username, status.connected, &status.connection_problem) {
        (Some(username), true, _) => format!("connected as {username}"),
        (Some(username), false, Some(problem)) => format!("not connected as {username}: {problem}"),
        (Some(username), false, None) => format!("connecting as {username}"),
        (None, _, _) if status.coordinator.is_none() => {
            "no coordinator is configured; name one: peerctl config set coordinator URL; peerctl restart"
                .to_owned()
        }
        (None, _, _) => "not connected; connect with: peerctl connect USERNAME".to_owned(),
    }
}

fn shared(status: &Status) -> String {
    if status.shared_files == 0 && !status.scanning {
        return "no files; to share a folder: peerctl share add DIR".to_owned();
    }
    let scanning = if status.scanning { ", still scanning" } else { "" };
    format!("{}, {}{scanning}", format::files(status.shared_files), format::size(status.shared_bytes))
}

/// What the person has set that holds transfers back.
fn limits(status: &Status) -> Option<String> {
    let rate = |way: &str, rate: Option<u64>| rate.map(|rate| format!("{way} {}", format::speed(rate)));
    let upload = if status.uploads_off {
        Some("uploads are off (to go on: peerctl config set uploads on)".to_owned())
    } else {
        rate("upload", status.upload_rate_max)
    };
    let limits: Vec<_> = rate("download", status.download_rate_max).into_iter().chain(upload).collect();
    (!limits.is_empty()).then(|| limits.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{connection, limits, table};
    use protocol::control::Status;

    fn status(json: &str) -> Status {
        let mut document = serde_json::json!({
            "schema": 1, "version": "0.1.0", "protocol_version": 1, "username": null, "connected": false,
            "connection_problem": null, "coordinator": "http://c.example", "download_port": 4821, "upload_port": 4822,
            "gui": null, "shared_files": 1, "shared_bytes": 1536, "scanning": true, "download": null, "upload": null,
            "refused_dial_backs": 0,
        });
        let changes: serde_json::Map<_, _> = serde_json::from_str(json).unwrap();
        document.as_object_mut().unwrap().extend(changes);
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn the_connection_is_told_in_a_sentence() {
        for (changes, sentence) in [
            (r#"{"username":"alice","connected":true}"#, "connected as alice"),
            (
                r#"{"username":"alice","connection_problem":"it is taken"}"#,
                "not connected as alice: it is taken",
            ),
            (r#"{"username":"alice"}"#, "connecting as alice"),
            ("{}", "not connected; connect with: peerctl connect USERNAME"),
            (
                r#"{"coordinator":null}"#,
                "no coordinator is configured; name one: peerctl config set coordinator URL; peerctl restart",
            ),
        ] {
            assert_eq!(connection(&status(changes)), sentence);
        }
    }

    #[test]
    fn limits_are_told_where_there_are_some() {
        let told = |changes| limits(&status(changes));
        assert_eq!(told("{}"), None);
        assert_eq!(told(r#"{"upload_rate_max":2097152}"#).unwrap(), "upload 2.0 MiB/s");
        let both =
            told(r#"{"upload_rate_max":2097152,"download_rate_max":1024,"uploads_off":true}"#).unwrap();
        assert!(both.starts_with("download 1.0 KiB/s, uploads are off"), "{both}");
    }

    #[test]
    fn what_is_not_there_takes_no_line() {
        let lines: Vec<_> = table(&status("{}")).lines(false).collect();
        assert_eq!(lines[3], "shared       1 file, 1.5 KiB, still scanning");
        assert_eq!(lines.len(), 5);
    }
}
