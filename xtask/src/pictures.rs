//! `cargo xtask pictures`: makes the pictures of the web page in `docs/images/` anew. The end-to-end case that looks at
//! the page from everywhere leaves them.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{
    steps::{cargo, run as execute, step},
    workspace::Workspace,
};

const CASE: &str = "gui::looks::the_page_keeps_nobody_out_and_ten_thousand_results_do_not_stop_it";

pub(crate) fn run() -> Result<()> {
    let Workspace { root, target, .. } = Workspace::read()?;
    let (all, shown) = (target.join("pictures"), root.join("docs/images"));
    fs::create_dir_all(&all).context("a folder for pictures")?;
    step("build", "the compiler says where", || execute(&mut cargo(["build", "--bins", "--locked"])))?;
    step("pictures", "the case says what is not as it should be", || {
        let mut test = cargo(["test", "--package", "hearsay-tests", "--locked", "--test", "e2e"]);
        execute(test.args(["--", "--exact", CASE]).env("HEARSAY_TEST_PICTURES", &all))
    })?;
    for entry in fs::read_dir(&shown).context("docs/images")? {
        let name = entry?.file_name();
        fs::copy(all.join(&name), shown.join(&name)).with_context(|| format!("no new {}", name.display()))?;
    }
    println!("look at them: {}; there are more in {}", shown.display(), all.display());
    Ok(())
}
