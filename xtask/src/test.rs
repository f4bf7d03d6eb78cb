//! `cargo xtask test`: everything that must hold before a change lands, in one command. CI runs this and
//! nothing else, so what CI says can be had at home.
//!
//! What fails fast comes first. One profile builds everything, so dependencies are compiled once for
//! programs and tests.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Result;

use crate::{
    clock, contract, prerequisites,
    steps::{cargo, run as execute, step},
    tidy,
    workspace::Workspace,
};

pub(crate) fn run() -> Result<()> {
    let start = clock::now();
    step("prerequisites", "the tests use these programs", prerequisites::install)?;
    step("format", "`cargo fmt --all` puts it right", || execute(&mut cargo(["fmt", "--all", "--check"])))?;
    step("tidy", "each finding says what to change", tidy::run)?;
    step("build", "the compiler says where", || {
        execute(&mut cargo(["build", "--workspace", "--all-targets", "--locked"]))
    })?;
    step("clippy", "the lints of Cargo.toml and clippy.toml hold everywhere", || {
        execute(&mut cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    })?;
    let workspace = Workspace::read()?;
    let notes = workspace.target.join("observed-answers.txt");
    // An earlier run's are not this one's.
    fs::write(&notes, "")?;
    step("tests", "the first failing test is named above", || tests(&notes))?;
    step(
        "contract",
        "openapi.yaml and the coordinator have to say the same, and a test has to see it",
        || contract::compare(&workspace.root.join("openapi.yaml"), &notes),
    )?;
    println!("\nAll is well, after {:.0} s.", start.elapsed().as_secs_f64());
    Ok(())
}

fn tests(notes: &Path) -> Result<()> {
    if has_nextest() {
        // Its limits are in .config/nextest.toml; it runs no examples of the documentation.
        let mut tests = cargo(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
        execute(tests.env(contract::NOTES, notes))?;
        execute(&mut cargo(["test", "--workspace", "--locked", "--doc"]))
    } else {
        execute(cargo(["test", "--workspace", "--locked", "--no-fail-fast"]).env(contract::NOTES, notes))
    }
}

fn has_nextest() -> bool {
    let mut version = cargo(["nextest", "--version"]);
    succeeds(version.stdout(Stdio::null()).stderr(Stdio::null()))
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
