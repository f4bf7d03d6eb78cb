//! `peerctl man DIR`: a man page for each verb, from the definitions of the command line itself.

use std::{fs, io, path::Path};

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::{cli::Cli, error::Error};

pub(super) fn run(dir: &Path) -> Result<(), Error> {
    // No pages about the verb `help`.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    fs::create_dir_all(dir).and_then(|()| write(&command, dir)).map_err(Error::System)
}

fn write(command: &clap::Command, dir: &Path) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write(verb, dir)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    // The examples come first, as in the help; the library knows them not.
    page.extend(examples(command).into_bytes());
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if command.get_after_help().is_some() {
        man.render_extra_section(&mut page)?;
    }
    fs::write(dir.join(man.get_filename()), page)
}

fn examples(command: &clap::Command) -> String {
    let Some(help) = command.get_before_help() else { return String::new() };
    let help = help.to_string();
    let lines =
        help.lines().filter(|line| line.starts_with(' ')).map(|line| format!("{}\n", escaped(line.trim())));
    format!(".SH EXAMPLES\n.nf\n{}.fi\n", lines.collect::<String>())
}

/// A line of text as roff takes it: a point or a quote at its beginning would be a request.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}
