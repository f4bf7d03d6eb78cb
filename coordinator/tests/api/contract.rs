//! `openapi.yaml` and the router say the same, both ways.

use std::collections::BTreeSet;

use coordinator::routes::ROUTES;
use protocol::Code;
use serde_norway::Value;

/// Errors that belong to no call of the contract: they say that there is no such call, or that we failed.
const CODES_OF_NO_CALL: [Code; 3] = [Code::RouteUnknown, Code::MethodNotAllowed, Code::Internal];
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

pub(crate) fn contract() -> Value {
    serde_norway::from_str(include_str!("../../../openapi.yaml")).unwrap()
}

/// All calls as `METHOD path` with their description.
fn operations(contract: &Value) -> Vec<(String, &Value)> {
    let paths = contract["paths"].as_mapping().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| {
                let operation = item.get(method)?;
                Some((format!("{} {}", method.to_uppercase(), path.as_str().unwrap()), operation))
            })
        })
        .collect()
}

/// Follows a `$ref` within the file.
pub(crate) fn resolve<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
    let path = reference.strip_prefix("#/").expect("references stay within the file");
    path.split('/').fold(contract, |value, key| value.get(key).expect(reference))
}

fn codes(response: &Value) -> Vec<&str> {
    let codes = response.get("x-codes").and_then(Value::as_sequence);
    codes.into_iter().flatten().map(|code| code.as_str().unwrap()).collect()
}

#[test]
fn the_router_and_the_contract_have_the_same_calls() {
    let contract = contract();
    let described: BTreeSet<String> = operations(&contract).into_iter().map(|(call, _)| call).collect();
    let routed: BTreeSet<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(described, routed);
    assert_eq!(routed.len(), ROUTES.len(), "a call is in the table twice");
}

#[test]
fn every_error_of_the_contract_is_one_of_ours_under_its_status() {
    let contract = contract();
    let mut described = BTreeSet::new();
    for (call, operation) in operations(&contract) {
        for (status, response) in operation["responses"].as_mapping().unwrap() {
            let status: u16 = status.as_str().unwrap().parse().unwrap();
            let response = resolve(&contract, response);
            assert!(response.get("description").is_some(), "{call} {status}");
            let codes = codes(response);
            assert_eq!(codes.is_empty(), status < 400, "{call} {status}");
            for name in codes {
                let known = Code::ALL.iter().find(|code| code.as_str() == name);
                let code = known.unwrap_or_else(|| panic!("{call} {status}: no such code: {name}"));
                assert_eq!(code.status(), status, "{call} {name}");
                described.insert(name);
            }
        }
    }
    described.extend(CODES_OF_NO_CALL.map(Code::as_str));
    let listed = contract["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_sequence();
    let listed: BTreeSet<&str> = listed.unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, described, "the codes of Problem are those of the calls");
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
