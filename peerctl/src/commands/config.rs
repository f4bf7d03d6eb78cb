//! `peerctl config`: what the daemon is told, by whom, and what it is to be told at its next start.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Subcommand;
use protocol::control::{Configuration, Origin, SCHEMA, Setting, UNLIMITED};

use crate::{
    cli::SettingName,
    client::{Client, Reply},
    error::Error,
    format,
    output::Output,
    paths,
    table::{Align, Table},
    whose::Whose,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each setting and where it comes from
    #[command(before_help = "Examples:\n  peerctl config show\n  peerctl config show --json\n")]
    Show,
    /// Check a configuration file, without a daemon
    #[command(before_help = "Examples:\n  peerctl config check\n  peerctl config check new.toml\n")]
    Check {
        /// The one that the daemon would read, unless another one is named
        file: Option<PathBuf>,
    },
    /// Print the path of the configuration file
    #[command(before_help = "Example:\n  $EDITOR $(peerctl config path)\n")]
    Path,
    /// Set a value; some count at once, the others from the next start on. The configuration file stays as it is
    #[command(
        before_help = "Examples:\n  peerctl config set username nightingale\n  peerctl config set policy ask\n  \
                             peerctl config set upload_rate 2M     (bytes a second, or unlimited)\n  peerctl config set uploads off\n"
    )]
    Set {
        /// As `peerctl config show` names it
        name: SettingName,
        value: String,
    },
    /// Forget a value that was set with `peerctl config set`
    #[command(before_help = "Example:\n  peerctl config unset username\n")]
    Unset {
        /// As `peerctl config show` names it
        name: SettingName,
    },
}

pub(super) async fn run(
    client: &Client,
    whose: &Whose,
    command: ConfigCommand,
    output: &Output,
) -> Result<(), Error> {
    match command {
        ConfigCommand::Show => show(&client.configuration().await?, output),
        ConfigCommand::Check { file } => check(whose, file.as_deref(), output),
        ConfigCommand::Path => path(client, whose, output).await,
        ConfigCommand::Set { name, value } => {
            let reply = client.set(&name, value.clone()).await?;
            told(&reply, name.as_str(), Some(&value), output)
        }
        ConfigCommand::Unset { name } => told(&client.unset(&name).await?, name.as_str(), None, output),
    }
}

fn show(reply: &Reply<Configuration>, output: &Output) -> Result<(), Error> {
    if output.json() {
        return output.document(&reply.text);
    }
    let mut table = Table::new(&[("SETTING", Align::Left), ("FROM", Align::Left), ("VALUE", Align::Left)]);
    for setting in &reply.value.settings {
        let next = setting.at_next_start.as_ref().map_or_else(String::new, |next| {
            let next = next.value.as_deref().map_or("nothing", |value| in_words(&setting.name, value));
            format!(" (from the next start on: {next})")
        });
        let value = format!("{}{next}", shown(setting));
        table.row(vec![setting.name.clone(), format::origin(setting.origin).to_owned(), value]);
    }
    output.table(&table)
}

fn shown(setting: &Setting) -> &str {
    match (&setting.value, setting.origin) {
        (Some(value), _) => in_words(&setting.name, value),
        (None, Origin::Default) => "",
        // It has a value that is not told.
        (None, _) => "(secret)",
    }
}

/// Settings whose 0 stands for no limit.
const RATES: [&str; 2] = ["upload_rate", "download_rate"];

/// A value as a person expects it.
fn in_words<'a>(name: &str, value: &'a str) -> &'a str {
    if value == "0" && RATES.contains(&name) { UNLIMITED } else { value }
}

/// Says when a change counts, and whether something goes before it.
fn told(reply: &Reply<Configuration>, name: &str, value: Option<&str>, output: &Output) -> Result<(), Error> {
    if output.json() {
        return output.document(&reply.text);
    }
    let setting = reply.value.settings.iter().find(|setting| setting.name == name);
    let setting = setting.ok_or_else(|| Error::Unreadable(format!("it does not name {name}")))?;
    output.note(&sentence(setting, value));
    Ok(())
}

fn sentence(setting: &Setting, value: Option<&str>) -> String {
    let name = &setting.name;
    match (&setting.at_next_start, setting.origin) {
        (Some(next), _) => match &next.value {
            Some(next) => {
                format!("{name} is {} from the next start on: peerctl restart", in_words(name, next))
            }
            None => format!("{name} is not set from the next start on: peerctl restart"),
        },
        (None, origin @ (Origin::Environment | Origin::Flag)) if setting.value.as_deref() != value => {
            format!(
                "kept, but the {} that the daemon was started with goes before it",
                format::origin(origin)
            )
        }
        (None, _) => {
            let since = if setting.at_once { "from now on" } else { "already" };
            let value = setting.value.as_deref().map_or("not set", |value| in_words(name, value));
            format!("{name} is {value} {since}")
        }
    }
}

/// The daemon's own program reads it, as a start would, and names line and column.
fn check(whose: &Whose, file: Option<&Path>, output: &Output) -> Result<(), Error> {
    let mut command = Command::new(paths::program_beside("peer-daemon"));
    command.args(whose.flags()).arg("--check-config").stdin(Stdio::null());
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let ran = command.output().map_err(Error::StartFailed)?;
    if ran.status.success() {
        if !output.json() {
            output.note("no mistakes");
        }
        return Ok(());
    }
    Err(Error::ConfigWrong(String::from_utf8_lossy(&ran.stderr).trim().to_owned()))
}

/// The file that the daemon has read, or else the one that it would read.
async fn path(client: &Client, whose: &Whose, output: &Output) -> Result<(), Error> {
    let read = match client.configuration().await {
        Ok(reply) => reply.value.file,
        Err(Error::NotRunning) => None,
        Err(error) => return Err(error),
    };
    let path = match &read {
        Some(path) => path.clone(),
        None => whose.config_file()?.display().to_string(),
    };
    if output.json() {
        let document = serde_json::json!({ "schema": SCHEMA, "file": path, "read": read.is_some() });
        return output.document(&document.to_string());
    }
    if !Path::new(&path).exists() {
        output.note("there is no such file yet; the daemon does without");
    }
    output.line(&path)
}

#[cfg(test)]
mod tests {
    use super::{sentence, shown};
    use protocol::control::{NextValue, Origin, Setting};

    #[test]
    fn a_change_is_told_with_when_it_counts_and_what_goes_before_it() {
        let mut setting = Setting {
            name: "username".to_owned(),
            value: Some("anna".to_owned()),
            origin: Origin::Flag,
            settable: true,
            at_once: false,
            at_next_start: None,
        };
        assert!(sentence(&setting, Some("bert")).contains("the flag that the daemon was started with"));
        setting.origin = Origin::RunTime;
        assert_eq!(sentence(&setting, Some("anna")), "username is anna already");
        setting.at_once = true;
        assert_eq!(sentence(&setting, Some("anna")), "username is anna from now on");
        setting.at_once = false;
        setting.at_next_start = Some(NextValue { value: Some("bert".to_owned()), origin: Origin::RunTime });
        assert!(sentence(&setting, Some("bert")).starts_with("username is bert from the next start on"));
        setting.at_next_start = Some(NextValue { value: None, origin: Origin::Default });
        assert!(sentence(&setting, None).starts_with("username is not set from the next start on"));
    }

    #[test]
    fn no_limit_is_told_as_such_and_a_port_of_0_as_it_is() {
        for (name, value, told) in [
            ("upload_rate", "0", "unlimited"),
            ("download_rate", "0", "unlimited"),
            ("download_rate", "10K", "10K"),
            ("download_port", "0", "0"),
        ] {
            let setting = Setting {
                name: name.to_owned(),
                value: Some(value.to_owned()),
                origin: Origin::RunTime,
                settable: true,
                at_once: true,
                at_next_start: None,
            };
            assert_eq!(shown(&setting), told);
            assert_eq!(sentence(&setting, Some(value)), format!("{name} is {told} from now on"));
        }
    }
}
