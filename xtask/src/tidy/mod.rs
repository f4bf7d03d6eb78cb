//! `cargo xtask tidy`: the rules of this repository that a compiler does not know. Each rule is a function
//! from what was read to what is wrong with it; only this file touches the disk.

mod dependencies;
mod machine_paths;
mod named_paths;
mod quoted_words;
mod sizes;

use std::fs;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// A breach of a rule: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// The page whose map of the code is checked against the code.
const ARCHITECTURE: &str = "ARCHITECTURE.md";

pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::read()?;
    let files = workspace.tracked_files()?;
    let mut findings = dependencies::check(&workspace.packages);
    if !files.iter().any(|file| file == ARCHITECTURE) {
        findings.push(Finding::new(ARCHITECTURE, "is missing: it is the map of the code"));
    }
    let (mut operations, mut code) = (String::new(), String::new());
    for path in &files {
        let bytes = fs::read(workspace.root.join(path)).unwrap_or_default();
        // What is not text, and what a link leads to, is no business of these rules.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        findings.extend(sizes::check(path, &text));
        findings.extend(machine_paths::check(path, &text));
        if path == ARCHITECTURE {
            findings.extend(named_paths::check(path, &text, &files));
        }
        if quoted_words::is_code(path) {
            code.push_str(&quoted_words::spoken(&text));
        }
        if path == quoted_words::PAGE {
            operations = text;
        }
    }
    findings.extend(quoted_words::check(&operations, &code));
    for Finding { place, what } in &findings {
        println!("   {place}: {what}");
    }
    match findings.len() {
        0 => {
            println!("   {} files are tidy", files.len());
            Ok(())
        }
        1 => bail!("one thing is untidy"),
        count => bail!("{count} things are untidy"),
    }
}
