//! `cargo xtask canary`: shows that the test which looks for forgotten words in the coordinator's memory can fail. It
//! passes with the coordinator as it is, and fails with one whose allocator does not zero what is freed.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    steps::{cargo, run as execute, step},
    workspace::Workspace,
};

const TEST: &str = "memory::a_minute_after_traffic_its_words_are_not_in_the_coordinators_memory";
/// What the test says when it has found something.
const FOUND: &str = "the coordinator has not forgotten";
/// Programs are built as all of the workspace is, so that nothing but the coordinator is built anew.
const BUILD: [&str; 4] = ["build", "--workspace", "--bins", "--locked"];

/// `with_minute`: nothing is shortened.
pub(crate) fn run(with_minute: bool) -> Result<()> {
    let target = Workspace::read()?.target;
    let folder = target.join("plain-alloc");
    step("a coordinator that does not zero", "the compiler says where", || {
        execute(cargo(BUILD).args(["--features", "coordinator/plain-alloc"]))?;
        fs::create_dir_all(&folder)?;
        fs::copy(target.join("debug/coordinator"), folder.join("coordinator"))
            .context("the coordinator that was just built is not there")?;
        Ok(())
    })?;
    step("the coordinator as it is", "the compiler says where", || execute(&mut cargo(BUILD)))?;
    let test = || {
        let mut test = cargo(["test", "--locked", "--workspace", "--test", "e2e", "--", "--exact", TEST]);
        if with_minute {
            test.env("HEARSAY_TESTS_MINUTE", "1");
        }
        test
    };
    step("with zeroing, nothing is found", "see what it found", || execute(&mut test()))?;
    step("without, the words are found", "the test has become blind", || {
        let output = test().env("HEARSAY_TESTS_PROGRAMS", &folder).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(!output.status.success(), "the test passed although nothing is zeroed");
        if !said.contains(FOUND) {
            bail!("the test failed for another reason:\n{said}");
        }
        println!("   found: {}", said.matches("what: ").count());
        Ok(())
    })
}
