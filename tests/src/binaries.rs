//! Where the programs under test are.

use std::{path::PathBuf, process::Command};

/// A command of one of the programs. Nothing of the environment that it would read is passed on: neither our
/// own variables, nor where a configuration of whoever runs the tests may lie.
pub fn command(program: &str) -> Command {
    cleaned(Command::new(find(program)))
}

/// The same for a program that may do no more than the owner of its files, though root starts it.
pub(crate) fn command_without_privileges(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(find(program));
    cleaned(command)
}

fn cleaned(mut command: Command) -> Command {
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("HEARSAY_") || name.starts_with("XDG_") {
            command.env_remove(variable);
        }
    }
    command.env("HOME", "/nonexistent");
    command
}

/// Names a folder with programs that are tested in place of those that were built last.
const FOLDER_VARIABLE: &str = "HEARSAY_TESTS_PROGRAMS";

/// The path of a program, in the folder that the environment names, or beside or above the running test (`target/debug/deps/e2e-…`).
fn find(program: &str) -> PathBuf {
    let named = std::env::var_os(FOLDER_VARIABLE).map(|folder| PathBuf::from(folder).join(program));
    if let Some(path) = named.filter(|path| path.is_file()) {
        return path;
    }
    let test = std::env::current_exe().expect("the path of the running test");
    test.ancestors()
        .skip(1)
        .take(2) // `deps`, and the profile's folder above it
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{program} is not built: run `cargo build --workspace` first (looked from {})",
                test.display()
            )
        })
}
