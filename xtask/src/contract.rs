//! Holds the answers that tests saw against `openapi.yaml`, both ways: no answer that is not described there, and
//! nothing described that no test has seen.
//!
//! The harnesses of the tests note a line an answer, `METHOD /path STATUS CODE`.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use protocol::Code;
use serde_norway::Value;

/// The environment variable that names the file for notes.
pub(crate) const NOTES: &str = "HEARSAY_OBSERVED_ANSWERS";

/// What every call may be answered, whether it is one of the contract or not.
const OF_NO_CALL: [Code; 2] = [Code::RouteUnknown, Code::MethodNotAllowed];

/// An answer to a call of the contract: call, status, code (`-` for none).
type Answer = (String, u16, String);

pub(crate) fn compare(contract: &Path, notes: &Path) -> Result<()> {
    let contract = serde_norway::from_str(&fs::read_to_string(contract)?)?;
    let described = described(&contract).context("openapi.yaml")?;
    let notes = fs::read_to_string(notes).context("no test has noted an answer")?;
    let seen = seen(&notes, &described);
    let findings = findings(&described, &seen);
    for finding in &findings {
        println!("  {finding}");
    }
    ensure!(findings.is_empty(), "openapi.yaml and what the tests saw differ in {} answers", findings.len());
    println!("  {} kinds of answers are described, and seen by tests", described.len());
    Ok(())
}

fn findings(described: &BTreeSet<Answer>, seen: &BTreeSet<Answer>) -> Vec<String> {
    let tell =
        |what: &'static str| move |(call, status, code): &Answer| format!("{what}: {call} {status} {code}");
    let unknown = seen.difference(described).map(tell("seen by a test, and not in openapi.yaml"));
    unknown.chain(described.difference(seen).map(tell("in openapi.yaml, and seen by no test"))).collect()
}

fn described(contract: &Value) -> Result<BTreeSet<Answer>> {
    let mut answers = BTreeSet::new();
    for (path, item) in contract["paths"].as_mapping().context("no paths")? {
        let path = path.as_str().context("a path is text")?;
        for method in ["get", "put", "post", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let call = format!("{} {path}", method.to_uppercase());
            for (status, response) in operation["responses"].as_mapping().context("no responses")? {
                let status = status.as_str().context("a status is text")?.parse()?;
                let codes = resolve(contract, response)?.get("x-codes").and_then(Value::as_sequence);
                match codes {
                    None => drop(answers.insert((call.clone(), status, "-".to_owned()))),
                    Some(codes) => answers.extend(
                        codes
                            .iter()
                            .filter_map(Value::as_str)
                            .map(|code| (call.clone(), status, code.to_owned())),
                    ),
                }
            }
        }
    }
    Ok(answers)
}

/// Follows a `$ref` within the file.
fn resolve<'a>(contract: &'a Value, value: &'a Value) -> Result<&'a Value> {
    let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
    let Some(path) = reference.strip_prefix("#/") else { bail!("{reference} leads out of the file") };
    path.split('/').try_fold(contract, |value, key| value.get(key)).with_context(|| reference.to_owned())
}

/// The noted answers, under the calls that the contract has for their paths.
fn seen(notes: &str, described: &BTreeSet<Answer>) -> BTreeSet<Answer> {
    let of_no_call: Vec<&str> = OF_NO_CALL.iter().map(|code| code.as_str()).collect();
    let mut answers = BTreeSet::new();
    for line in notes.lines() {
        let [method, path, status, code] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        // Health and metrics are not of the contract.
        if of_no_call.contains(&code) || !path.starts_with("/v1/") {
            continue;
        }
        let calls = described.iter().map(|(call, ..)| call);
        let call = calls.clone().find(|call| {
            call.split_once(' ').is_some_and(|(its, template)| its == method && fits(template, path))
        });
        let call = call.cloned().unwrap_or_else(|| format!("{method} {path}"));
        answers.insert((call, status.parse().unwrap_or_default(), code.to_owned()));
    }
    answers
}

/// Whether a path is one of a template's: `{id}` stands for any one segment.
fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(segment)) if part == segment || part.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, described, findings, seen};

    const CONTRACT: &str = "
        paths:
          /v1/searches/{id}:
            put: { responses: { '202': {}, '429': { $ref: '#/responses/Limited' } } }
        responses:
          Limited: { x-codes: [rate_limited] }";

    fn told(notes: &str) -> Vec<String> {
        let described = described(&serde_norway::from_str(CONTRACT).unwrap()).unwrap();
        let seen: std::collections::BTreeSet<Answer> = seen(notes, &described);
        findings(&described, &seen)
    }

    #[test]
    fn what_is_described_and_seen_is_right() {
        let notes = "PUT /v1/searches/00ff 202 -\nPUT /v1/searches/01 429 rate_limited\n";
        assert_eq!(told(notes), [""; 0]);
        let beside =
            "GET /livez 200 -\nPOST /v1/searches/0 405 method_not_allowed\nGET / 404 route_unknown\n";
        assert_eq!(told(&format!("{notes}{beside}")), [""; 0]);
    }

    #[test]
    fn what_is_in_one_place_only_is_told() {
        let unseen = "in openapi.yaml, and seen by no test: PUT /v1/searches/{id} 429 rate_limited";
        assert_eq!(told("PUT /v1/searches/00 202 -\n"), [unseen]);
        let both = "PUT /v1/searches/0 202 -\nPUT /v1/searches/0 429 rate_limited\n";
        for (note, finding) in [
            ("PUT /v1/searches/00 410 search_over", "PUT /v1/searches/{id} 410 search_over"),
            ("GET /v1/secrets 200 -", "GET /v1/secrets 200 -"),
        ] {
            let finding = format!("seen by a test, and not in openapi.yaml: {finding}");
            assert_eq!(told(&format!("{both}{note}\n")), [finding]);
        }
    }
}
