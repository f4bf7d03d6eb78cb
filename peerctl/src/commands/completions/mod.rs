//! `peerctl completions SHELL`: the script that the command line's definition makes, and for a value that only the
//! daemon knows, such as an ID, a question to it. The shell asks with a hidden verb, [`values`].

pub(super) mod values;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{cli::Cli, error::Error, output::Output};

const BASH: &str = include_str!("values.bash");
const ZSH: &str = include_str!("values.zsh");
const FISH: &str = include_str!("values.fish");
/// How the help of such a value begins, in zsh's script: there the whole argument is one line.
const ZSH_VALUE: &str = " -- As `peerctl ";

pub(super) fn run(shell: Shell, output: &Output) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peerctl", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Bash => format!("{script}\n{BASH}"),
        Shell::Fish => format!("{script}\n{FISH}"),
        Shell::Zsh => with_questions(&script),
        _ => script.into_owned(),
    };
    output.bytes(script.as_bytes())
}

/// In zsh each argument names the function that completes it.
fn with_questions(script: &str) -> String {
    let mut asking = String::with_capacity(script.len() + ZSH.len());
    for line in script.lines() {
        let asks = line.contains(ZSH_VALUE).then(|| line.rsplit_once(":_")).flatten();
        match asks {
            Some((argument, _)) => asking.extend([argument, ":_peerctl_values' \\"]),
            // Before the script calls anything.
            None if line.starts_with("_peerctl() {") => asking.extend([ZSH, "\n", line]),
            None => asking.push_str(line),
        }
        asking.push('\n');
    }
    asking
}
