//! `peerctl why ID`: what happened to a download, step by step, and what happens next.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use protocol::control::{Why, WhyStep};

use crate::{
    cli::Id,
    client::Client,
    clock,
    error::Error,
    format, hints,
    output::Output,
    table::{Align, Table},
    transfer::{self, Transfer},
};

pub(super) async fn run(client: &Client, id: &Id, output: &Output) -> Result<(), Error> {
    let reply = client.why(id.as_str()).await?;
    if output.json() {
        return output.document(&reply.text);
    }
    let times = Times::of(&reply.value, &clock::local());
    output.sentences(summary(&reply.value, &times))?;
    if reply.value.steps.is_empty() {
        return Ok(());
    }
    output.line("")?;
    output.sentences(table(&reply.value.steps, &times))
}

fn summary(why: &Why, times: &Times) -> Table {
    let download = &why.download;
    let mut rows = vec![("name", download.name.to_string()), ("state", Transfer::from(download).standing())];
    if let Some(next) = &why.next {
        let at = next.at.map(|at| format!("{}: ", times.show(at))).unwrap_or_default();
        rows.push(("next", format!("{at}{}", whole_command(&next.what, &download.id))));
    }
    Table::of_pairs(rows)
}

/// A verb at the end of a sentence, as it is to be typed.
fn whole_command(sentence: &str, id: &str) -> String {
    if hints::ends_with_a_verb(sentence) { format!("{sentence} {id}") } else { sentence.to_owned() }
}

fn table(steps: &[WhyStep], times: &Times) -> Table {
    let mut table = Table::new(&[
        ("TIME", Align::Left),
        ("TOOK", Align::Right),
        ("STATE", Align::Left),
        ("FROM", Align::Left),
        ("WHAT HAPPENED", Align::Left),
    ]);
    for step in steps {
        table.row(vec![
            times.show(step.at),
            step.lasted_milliseconds.map(format::lasted).unwrap_or_default(),
            transfer::download_state(step.state).to_owned(),
            step.username.as_ref().map(ToString::to_string).unwrap_or_default(),
            step.sentence.clone(),
        ]);
    }
    table
}

/// How times are shown: in the person's zone, with the day unless all of it is of today.
struct Times {
    zone: TimeZone,
    pattern: &'static str,
}

impl Times {
    fn of(why: &Why, now: &Zoned) -> Self {
        let zone = now.time_zone().clone();
        let next = why.next.as_ref().and_then(|next| next.at);
        let mut all = why.steps.iter().map(|step| step.at).chain(next);
        let is_of_today = all.all(|at| at.to_zoned(zone.clone()).date() == now.date());
        Self { zone, pattern: if is_of_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" } }
    }

    fn show(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime(self.pattern).to_string()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use serde_json::json;

    use super::{Times, Why};

    #[test]
    fn the_day_is_told_unless_all_of_it_is_of_today() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now: Timestamp = "2026-03-02T00:30:00Z".parse().unwrap();
        let shown = |at: &str| {
            let download = json!({
                "id": "3", "name": "song.mp3", "size": 1, "received": 0, "state": "queued", "username": "bob",
                "root": "ab".repeat(32), "path": "/d", "bytes_per_second": 0, "eta_seconds": null,
                "position": null, "reason": null, "cause": null,
            });
            let step = json!({
                "at": at, "state": "queued", "step": "added", "sentence": "", "username": null,
                "lasted_milliseconds": null,
            });
            let why = json!({ "schema": 1, "download": download, "steps": [step], "next": null });
            let why: Why = serde_json::from_value(why).unwrap();
            Times::of(&why, &now.to_zoned(zone.clone())).show(why.steps[0].at)
        };
        assert_eq!(shown("2026-03-01T23:10:05Z"), "00:10:05", "today where the person is");
        assert_eq!(shown("2026-03-01T22:10:05Z"), "2026-03-01 23:10:05");
    }
}
