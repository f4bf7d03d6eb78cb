//! `peerctl completions SHELL`.

use clap::CommandFactory as _;

use crate::{cli::Cli, error::Error, output::Output};

pub(super) fn run(shell: clap_complete::Shell, output: &Output) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peerctl", &mut script);
    output.bytes(&script)
}
