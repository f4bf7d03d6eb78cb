//! `docs/control-api.yaml` and the daemon say the same, both ways: calls with their doors, errors under their
//! statuses, and the fields of the documents.

mod fields;

use std::collections::BTreeSet;

use protocol::{Code, paths::gui::SESSION};
use serde_norway::Value;

use super::routes::{Doors, ROUTES};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];
/// The way in and out of the page is the page's server's own.
const OF_THE_PAGE: [&str; 2] = ["POST", "DELETE"];

fn contract() -> Value {
    serde_norway::from_str(include_str!("../../../../docs/control-api.yaml")).unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_sequence().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// All calls as `METHOD path` with their description.
fn operations(contract: &Value) -> impl Iterator<Item = (String, &Value)> {
    contract["paths"].as_mapping().unwrap().iter().flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| {
            let call = format!("{} {}", method.to_uppercase(), path.as_str().unwrap());
            Some((call, item.get(method)?))
        })
    })
}

/// Follows a `$ref` within the file.
fn resolve<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
    let path = reference.strip_prefix("#/").expect("references stay within the file");
    path.split('/').fold(contract, |value, key| value.get(key).expect(reference))
}

#[test]
fn the_routers_and_the_contract_have_the_same_calls_behind_the_same_doors() {
    let contract = contract();
    let described: BTreeSet<(String, Vec<&str>)> =
        operations(&contract).map(|(call, operation)| (call, texts(&operation["x-doors"]))).collect();
    let mut routed: BTreeSet<(String, Vec<&str>)> = ROUTES
        .iter()
        .map(|route| {
            let doors = match route.doors {
                Doors::Both => vec!["socket", "page"],
                Doors::Socket => vec!["socket"],
            };
            (format!("{} {}", route.method, route.path), doors)
        })
        .collect();
    assert_eq!(routed.len(), ROUTES.len(), "a call is in the table twice");
    routed.extend(OF_THE_PAGE.map(|method| (format!("{method} {SESSION}"), vec!["page"])));
    assert_eq!(described, routed);
}

#[test]
fn every_error_of_the_contract_is_one_of_ours_under_its_status() {
    let contract = contract();
    let mut described: BTreeSet<&str> = texts(&contract["x-codes-of-every-call"]).into_iter().collect();
    for (call, operation) in operations(&contract) {
        for (status, response) in operation["responses"].as_mapping().unwrap() {
            let status: u16 = status.as_str().unwrap().parse().unwrap();
            let response = resolve(&contract, response);
            assert!(response.get("description").is_some(), "{call} {status}");
            let codes = response.get("x-codes").map(texts).unwrap_or_default();
            assert_eq!(codes.is_empty(), status < 400, "{call} {status}");
            for name in codes {
                let known = Code::ALL.iter().find(|code| code.as_str() == name);
                let code = known.unwrap_or_else(|| panic!("{call} {status}: no such code: {name}"));
                assert_eq!(code.status(), status, "{call} {name}");
                described.insert(name);
            }
        }
    }
    let listed = &contract["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    assert_eq!(texts(listed).into_iter().collect::<BTreeSet<_>>(), described);
}

#[test]
fn every_reference_leads_somewhere() {
    fn visit(contract: &Value, value: &Value) {
        resolve(contract, value);
        match value {
            Value::Mapping(fields) => fields.values().for_each(|field| visit(contract, field)),
            Value::Sequence(items) => items.iter().for_each(|item| visit(contract, item)),
            _ => {}
        }
    }
    let contract = contract();
    visit(&contract, &contract);
}
