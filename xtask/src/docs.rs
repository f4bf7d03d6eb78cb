//! `cargo xtask docs`: writes what `docs/operations.md` says of flags, settings, metrics and exit codes. The tests that
//! hold the page to the code do it, one after the other.

use anyhow::Result;

use crate::steps::{cargo, run as execute, step};

pub(crate) fn run() -> Result<()> {
    step("docs", "the page must have a place for each part", || {
        let mut tests =
            cargo(["test", "--workspace", "--locked", "--lib", "--bin", "peerctl", "reference::"]);
        execute(tests.args(["--", "--test-threads", "1"]).env("HEARSAY_WRITE_DOCS", "1"))
    })
}
