//! `cargo xtask faults`: the fault suite, for many rounds. With all other tests only a few of them run.

use anyhow::Result;

use crate::steps::{cargo, run as execute, step};

pub(crate) struct Options {
    pub(crate) rounds: u32,
    pub(crate) seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    step("build", "the compiler says where", || {
        execute(&mut cargo(["build", "--workspace", "--all-targets", "--locked"]))
    })?;
    step("faults", "the last round that was told failed; --seed runs it again, as the first", || {
        // Not by nextest, which would end a test that lasts this long.
        let mut test = cargo(["test", "--package", "hearsay-tests", "--locked", "--test", "e2e"]);
        test.args(["--", "--exact", "faults::every_file_arrives_whoever_is_killed", "--nocapture"]);
        test.env("FAULT_ROUNDS", options.rounds.to_string());
        if let Some(seed) = options.seed {
            test.env("FAULT_SEED", seed.to_string());
        }
        execute(&mut test)
    })
}
