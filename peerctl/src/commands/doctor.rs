//! `peerctl doctor`: what is wrong, and how to mend it.

use std::process::Stdio;

use protocol::{
    VERSION,
    control::{
        SCHEMA, Status,
        doctor::{Check, Examination, Verdict},
    },
};

use super::own_unit;
use crate::{
    client::Client,
    error::Error,
    output::Output,
    table::{Align, Table},
    whose::Whose,
};

const OWN: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn run(client: &Client, whose: &Whose, output: &Output) -> Result<(), Error> {
    let status = match client.status().await {
        Ok(reply) => reply.value,
        Err(Error::NotRunning) => {
            tell(&without_a_daemon(client, whose).await?, output)?;
            return Err(Error::NotRunning);
        }
        Err(error) => return Err(error),
    };
    let mut checks = vec![versions(&status)];
    checks.extend(client.examination().await?.value.checks);
    if tell(&checks, output)? { Ok(()) } else { Err(Error::NotWell) }
}

/// Whether all is well.
fn tell(checks: &[Check], output: &Output) -> Result<bool, Error> {
    // What can't be told is no fault.
    let is_well = checks.iter().all(|check| matches!(check.verdict, Verdict::Good | Verdict::Unknown));
    if output.json() {
        let document = serde_json::json!({ "schema": SCHEMA, "well": is_well, "checks": checks });
        output.document(&document.to_string())?;
    } else {
        output.sentences(table(checks))?;
    }
    Ok(is_well)
}

/// What would be in the way of a start by `peerctl start`, by the daemon's own program: it knows what it is told. What
/// the person would say after `--` can't be known.
async fn without_a_daemon(client: &Client, whose: &Whose) -> Result<Vec<Check>, Error> {
    const PROGRAM: &str = "program";
    let mut checks = vec![Check::other(
        Verdict::Bad,
        "daemon",
        "none runs",
        "start it: peerctl start; what the last one had to say: peerctl logs",
    )];
    checks.extend(own_unit::examine(whose)?);
    let mut command = tokio::process::Command::from(whose.launch(&[])?.command(client.socket())?);
    let ran = command.arg("--check-start").stdin(Stdio::null()).kill_on_drop(true).output().await;
    let examined = match ran {
        Ok(ran) => serde_json::from_slice(&ran.stdout).map_err(|_| {
            let words = String::from_utf8_lossy(&ran.stderr);
            let words = words.lines().next().unwrap_or("it said nothing");
            (
                format!("peer-daemon does not look for it: {words}"),
                "update it: it is of another version than peerctl",
            )
        }),
        Err(problem) => {
            Err((format!("peer-daemon can't be started: {problem}"), "install it beside peerctl, or in PATH"))
        }
    };
    match examined {
        Ok(Examination { checks: found, .. }) => checks.extend(found),
        Err((finding, remedy)) => checks.push(Check::other(Verdict::Bad, PROGRAM, finding, remedy)),
    }
    Ok(checks)
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
