//! Runs one step after another, and tells what runs and how long it took. The first that fails is the last.

use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::clock;

/// Runs a step under its name; an error is told with the name and with `remedy`, what to do about it.
pub(crate) fn step(name: &str, remedy: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let start = clock::now();
    let outcome = run();
    let seconds = start.elapsed().as_secs_f64();
    match &outcome {
        Ok(()) => println!("   {name}: done in {seconds:.1} s"),
        Err(_) => println!("   {name}: failed after {seconds:.1} s"),
    }
    outcome.with_context(|| format!("`{name}` failed: {remedy}"))
}

/// Runs a program to its end, showing the command and all that it says.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("   $ {}", shown(command));
    let status = command.status().with_context(|| format!("`{}` can't be started", shown(command)))?;
    check(status, &shown(command))
}

pub(crate) fn check(status: ExitStatus, shown: &str) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("`{shown}` ended with {status}") }
}

/// The cargo that runs this tool.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn shown(command: &Command) -> String {
    let name = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_is_quoted_when_a_shell_would_split_or_change_it() {
        for (word, expected) in [
            ("--to=/a/b-1.so", "--to=/a/b-1.so"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
