//! `cargo xtask flood`: the end-to-end test of connections that are misused, with as many of them as a machine bears.

use anyhow::Result;

use crate::steps::{cargo, run as execute, step};

const IDLE: &str = "10000";
const TEST: &str = "hostile_sockets::an_honest_search_works_among_connections_that_are_misused";

pub(crate) fn run() -> Result<()> {
    step("build", "the compiler says where", || {
        execute(&mut cargo(["build", "--workspace", "--bins", "--locked"]))
    })?;
    step("flood", "an honest search did not get through, or memory grew", || {
        let mut test = cargo(["test", "--workspace", "--locked", "--test", "e2e", "--"]);
        test.args(["--exact", TEST, "--nocapture"]);
        execute(test.env("HEARSAY_TESTS_IDLE", IDLE))
    })
}
