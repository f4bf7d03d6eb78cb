//! A file holds one concept, and a `main.rs` is wiring: both show in their length.

use std::path::Path;

use super::Finding;

const SOURCE_LINES_MAX: usize = 400;
const MAIN_LINES_MAX: usize = 60;

pub(super) fn check(path: &str, text: &str) -> Option<Finding> {
    let (limit, remedy) = if path.ends_with("src/main.rs") {
        (MAIN_LINES_MAX, "a main.rs is wiring only")
    } else if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
        (SOURCE_LINES_MAX, "divide it by concept")
    } else {
        return None;
    };
    let lines = text.lines().count();
    (lines > limit).then(|| Finding::new(path, format!("has {lines} lines, more than {limit}: {remedy}")))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn long_sources_are_found() {
        for (path, lines, is_found) in [
            ("a/src/lib.rs", 400, false),
            ("a/src/lib.rs", 401, true),
            ("a/src/main.rs", 60, false),
            ("a/src/main.rs", 61, true),
            // The root of an integration test holds tests.
            ("a/tests/api/main.rs", 61, false),
            ("Cargo.lock", 5_000, false),
        ] {
            assert_eq!(check(path, &"x\n".repeat(lines)).is_some(), is_found, "{path} of {lines}");
        }
    }
}
