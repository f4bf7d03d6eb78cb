//! What of JSON Schema `docs/schemas/` uses, checked strictly: a field that a schema does not name is a mistake here,
//! though readers must bear it, for later versions add fields.

use serde_json::Value;

/// Panics with the place of the first thing that is not as the schema has it.
#[track_caller]
pub(crate) fn assert_valid(document: &Value, schema: &Value) {
    if let Err(fault) = check(document, schema, schema, "$") {
        panic!("{fault} in {document:#}");
    }
}

fn check(value: &Value, schema: &Value, whole: &Value, place: &str) -> Result<(), String> {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let is_right = match keyword.as_str() {
            "$ref" => {
                let definition = wanted.as_str().unwrap().trim_start_matches('#');
                check(value, whole.pointer(definition).unwrap(), whole, place)?;
                true
            }
            "anyOf" => wanted.as_array().unwrap().iter().any(|one| check(value, one, whole, place).is_ok()),
            "type" => is_of(value, wanted),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "pattern" => is_root(value, wanted),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, wanted, whole, &format!("{place}[{index}]"))?;
                }
                true
            }
            "properties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    let place = format!("{place}.{name}");
                    let described = wanted.get(name).ok_or(format!("{place} is not described"))?;
                    check(field, described, whole, &place)?;
                }
                true
            }
            "required" => {
                wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "$schema" | "$defs" | "title" | "description" => true,
            other => panic!("{other} is not known to this checker"),
        };
        if !is_right {
            return Err(format!("{place}: {keyword} is not as described"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, wanted: &Value) -> bool {
    let is_one = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    };
    wanted.as_array().map_or_else(|| is_one(wanted), |names| names.iter().any(is_one))
}

/// The one pattern there is.
fn is_root(value: &Value, pattern: &Value) -> bool {
    assert_eq!(pattern, "^[0-9a-f]{64}$");
    value.as_str().is_none_or(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
