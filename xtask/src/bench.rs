//! `cargo xtask bench`: the measurements of `bench/`, with programs that are built as people run them.

use std::{ffi::OsString, process::Command};

use anyhow::Result;

use crate::{
    steps::{cargo, run as execute},
    workspace::Workspace,
};

pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    execute(&mut cargo(["build", "--release", "--workspace", "--bins", "--locked"]))?;
    execute(Command::new(Workspace::read()?.target.join("release/hearsay-bench")).args(arguments))
}
