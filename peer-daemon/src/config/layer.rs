//! What one place says about the settings: the file, the state, or the command line with its environment.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use protocol::{Conflict, Username};
use serde::Deserialize;

use super::{
    ConfigError,
    byte_rate::ByteRate,
    join_key::JoinKey,
    values::{CoordinatorUrl, GuiAddress, GuiHost, LogBytes, Port, PublicPort, Switch, TimeSpan},
};
use crate::{cli::Cli, introductions::policy::Policy};

/// The file's keys: the flags' names with underscores, and what no flag is worth having for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Layer {
    pub(super) coordinator: Option<CoordinatorUrl>,
    pub(super) username: Option<Username>,
    pub(super) join_key: Option<JoinKey>,
    pub(super) join_key_file: Option<PathBuf>,
    pub(super) insecure_coordinator: Option<bool>,
    pub(super) ca: Option<PathBuf>,
    pub(super) share: Option<Vec<PathBuf>>,
    pub(super) download_dir: Option<PathBuf>,
    pub(super) listen: Option<Vec<IpAddr>>,
    pub(super) download_port: Option<Port>,
    pub(super) upload_port: Option<Port>,
    pub(super) public_download_port: Option<PublicPort>,
    pub(super) public_upload_port: Option<PublicPort>,
    pub(super) upload_rate: Option<ByteRate>,
    pub(super) download_rate: Option<ByteRate>,
    pub(super) uploads: Option<Switch>,
    pub(super) policy: Option<Policy>,
    pub(super) give_up_after: Option<TimeSpan>,
    pub(super) conflict: Option<Conflict>,
    pub(super) look_around_after: Option<TimeSpan>,
    /// How long a source, and an upload, are borne with; for tests, and for links that are out of the ordinary.
    pub(super) download_idle: Option<TimeSpan>,
    pub(super) download_slow_after: Option<TimeSpan>,
    pub(super) upload_idle: Option<TimeSpan>,
    pub(super) upload_slow_after: Option<TimeSpan>,
    pub(super) upload_turn: Option<TimeSpan>,
    pub(super) gui: Option<GuiAddress>,
    pub(super) gui_hosts: Option<Vec<GuiHost>>,
    pub(super) gui_folders: Option<Vec<PathBuf>>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) socket: Option<PathBuf>,
    pub(super) dial_allow: Option<Vec<IpNet>>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) log_file_bytes: Option<LogBytes>,
}

/// What can be set while the daemon runs; some of it counts at once ([`super::live`]), the rest from the next
/// start on. What decides where the state is can't be kept in it, and what weakens a guard (`insecure_coordinator`, `dial_allow`, `ca`,
/// `gui_folders`) or is secret (`join_key`) has its place in the file, under the person's eyes.
pub(super) const SETTABLE: &[&str] = &[
    "coordinator",
    "username",
    "download_dir",
    "listen",
    "download_port",
    "upload_port",
    "public_download_port",
    "public_upload_port",
    "upload_rate",
    "download_rate",
    "uploads",
    "policy",
    "give_up_after",
    "conflict",
    "gui",
];

impl Layer {
    /// Reads a configuration file; mistakes are told with line and column.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })
    }

    /// Sets one of the [`SETTABLE`], from the text that its flag would take.
    pub(super) fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        fn parse<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<Option<T>, String> {
            text.parse().map(Some).map_err(|error: T::Err| error.to_string())
        }
        match name {
            "coordinator" => self.coordinator = parse(text)?,
            "username" => {
                self.username = Some(Username::parse(text).map_err(|error| error.to_string())?);
            }
            "download_dir" => self.download_dir = Some(absolute(text)?),
            "listen" => {
                let addresses = text.split(',').map(|address| address.trim().parse());
                let addresses: Result<_, std::net::AddrParseError> = addresses.collect();
                self.listen = Some(addresses.map_err(|_| "expected IP addresses, with commas between")?);
            }
            "download_port" => self.download_port = parse(text)?,
            "upload_port" => self.upload_port = parse(text)?,
            "public_download_port" => self.public_download_port = parse(text)?,
            "public_upload_port" => self.public_upload_port = parse(text)?,
            "upload_rate" => self.upload_rate = parse(text)?,
            "download_rate" => self.download_rate = parse(text)?,
            "uploads" => self.uploads = parse(text)?,
            "policy" => self.policy = parse(text)?,
            "give_up_after" => self.give_up_after = parse(text)?,
            "conflict" => self.conflict = parse(text)?,
            "gui" => self.gui = Some(on_loopback(text)?),
            other => return Err(format!("{other} can't be set at run time")),
        }
        Ok(())
    }
}

/// Further out it is named where `gui_hosts` is: in the file, so that no setting outlives the hosts it needs.
fn on_loopback(text: &str) -> Result<GuiAddress, String> {
    let address: GuiAddress = text.parse()?;
    if address.is_beyond_loopback() {
        return Err(
            "set at run time, the web page is on a loopback address, such as 127.0.0.1:4823".to_owned()
        );
    }
    Ok(address)
}

/// The daemon's working directory is not the one that the person is in.
fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err("expected an absolute path".to_owned()) }
}

impl From<Cli> for Layer {
    fn from(cli: Cli) -> Self {
        let given = |is_empty: bool| !is_empty;
        Self {
            coordinator: cli.coordinator,
            username: cli.username,
            join_key: None,
            join_key_file: None,
            insecure_coordinator: None,
            ca: cli.ca,
            share: given(cli.share.is_empty()).then_some(cli.share),
            download_dir: cli.download_dir,
            listen: given(cli.listen.is_empty()).then_some(cli.listen),
            download_port: cli.download_port,
            upload_port: cli.upload_port,
            public_download_port: cli.public_download_port,
            public_upload_port: cli.public_upload_port,
            upload_rate: None,
            download_rate: None,
            uploads: None,
            policy: None,
            give_up_after: None,
            conflict: None,
            download_idle: None,
            look_around_after: None,
            download_slow_after: None,
            upload_idle: None,
            upload_slow_after: None,
            upload_turn: None,
            gui: cli.gui,
            gui_hosts: None,
            gui_folders: None,
            state_dir: cli.state_dir,
            socket: cli.socket,
            dial_allow: None,
            log_file: cli.log_file,
            log_file_bytes: None,
        }
    }
}
