//! Parts of `docs/operations.md` that are made from the code. Each stands between two comments, and a test of the crate
//! whose code it is made from holds the page to it; `cargo xtask docs` has the tests write them instead.
//!
//! A crate that has such a part takes this file in by its path.

use std::{env, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
const WRITE_VARIABLE: &str = "HEARSAY_WRITE_DOCS";

/// Holds the section of this name to what it should be.
pub(crate) fn hold(section: &str, should_be: &str) {
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let begin = format!("<!-- made from the code: {section} -->\n");
    let end = "<!-- end of what is made from the code -->";
    let start = page.find(&begin).map(|at| at + begin.len());
    let start = start.unwrap_or_else(|| panic!("docs/operations.md has no place for {section}"));
    let length = page[start..].find(end).expect("a section has an end");
    let (before, rest) = page.split_at(start);
    let (is, after) = rest.split_at(length);
    let should_be = format!("\n{}\n\n", should_be.trim());
    if is == should_be {
        return;
    }
    assert!(
        env::var_os(WRITE_VARIABLE).is_some(),
        "{section} in docs/operations.md is not as the code has it; to write it: cargo xtask docs\n{should_be}"
    );
    fs::write(PAGE, format!("{before}{should_be}{after}")).expect("the page can be written");
}

/// A table in Markdown.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let rows = rows.iter().map(|row| line(row)).collect::<String>();
    format!("{}{}{rows}", line(&head), line(&rule))
}
