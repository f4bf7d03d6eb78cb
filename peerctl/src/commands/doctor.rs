//! `peerctl doctor`: what is wrong, and how to mend it.

use protocol::{
    VERSION,
    control::{
        SCHEMA, Status,
        doctor::{Check, Verdict},
    },
};

use crate::{
    client::Client,
    error::Error,
    output::Output,
    table::{Align, Table},
};

const OWN: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    let status = client.status().await?.value;
    let mut checks = vec![versions(&status)];
    checks.extend(client.examination().await?.value.checks);
    // What can't be told is no fault.
    let is_well = checks.iter().all(|check| matches!(check.verdict, Verdict::Good | Verdict::Unknown));
    if output.json() {
        let document = serde_json::json!({ "schema": SCHEMA, "well": is_well, "checks": checks });
        output.document(&document.to_string())?;
    } else {
        output.sentences(table(&checks))?;
    }
    if is_well { Ok(()) } else { Err(Error::NotWell) }
}

fn versions(status: &Status) -> Check {
    const NAME: &str = "versions";
    let own = format!("peerctl {OWN} (protocol {VERSION})");
    let daemon = format!("peer-daemon {} (protocol {})", status.version, status.protocol_version);
    if (status.version.as_str(), status.protocol_version) == (OWN, VERSION) {
        return Check::good(NAME, format!("{own}, {daemon}"));
    }
    let remedy = "start the daemon again after an update: peerctl restart";
    Check::other(Verdict::Warning, NAME, format!("{own}, but {daemon}"), remedy)
}

fn table(checks: &[Check]) -> Table {
    let mut table = Table::new(&[("VERDICT", Align::Left), ("WHAT", Align::Left), ("FINDING", Align::Left)]);
    for check in checks {
        let name = check.name.replace('_', " ");
        table.row(vec![word(check.verdict).to_owned(), name, check.finding.clone()]);
        if let Some(remedy) = &check.remedy {
            table.row(vec![String::new(), String::new(), format!("-> {remedy}")]);
        }
    }
    table
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Warning => "warning",
        Verdict::Bad => "bad",
        Verdict::Unknown => "unknown",
    }
}
