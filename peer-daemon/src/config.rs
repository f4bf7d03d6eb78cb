//! Configuration: defaults, then the file, then the environment, then flags.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use protocol::{Username, limits::PORT_MIN, username::UsernameError};
use serde::Deserialize;
use thiserror::Error;

use crate::{
    cli::{Cli, GuiAddress},
    data_dirs::{DataDirs, NoHome},
    introductions::policy::Policy,
};

const DOWNLOAD_PORT: u16 = 4821;
const UPLOAD_PORT: u16 = 4822;

/// Where the web page is unless told otherwise.
const GUI: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4823);

/// Where the web page listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuiListen {
    pub address: SocketAddr,
    /// Somebody named this address: then the daemon does not start without it.
    pub is_chosen: bool,
}

/// Everything that the daemon is told from outside, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub coordinator: Option<String>,
    pub username: Option<Username>,
    pub join_key: Option<String>,
    pub insecure_coordinator: bool,
    pub ca: Option<PathBuf>,
    pub shares: Vec<PathBuf>,
    pub download_dir: PathBuf,
    /// Empty: all addresses, IPv6 and IPv4.
    pub listen: Vec<IpAddr>,
    pub download_port: u16,
    pub upload_port: u16,
    pub public_download_port: Option<u16>,
    pub public_upload_port: Option<u16>,
    /// Who decides about introductions.
    pub policy: Policy,
    pub gui: Option<GuiListen>,
    pub state_dir: PathBuf,
    pub socket: PathBuf,
    /// Networks that may be dialled besides those of the coordinator's scope.
    pub dial_allow: Vec<IpNet>,
}

/// The configuration can't be used. The sentence says where and what.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("can't read the configuration file {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// `toml`'s message names line and column and shows the line.
    #[error("{}: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("username {given:?}: {source}")]
    Username { given: String, source: UsernameError },
    #[error("{name} {port}: ports under {PORT_MIN} are not handed on to other peers; choose a higher one")]
    Port { name: &'static str, port: u16 },
    #[error("gui {0}: the web page is served on loopback addresses only")]
    GuiNotLoopback(SocketAddr),
    #[error(transparent)]
    NoHome(#[from] NoHome),
}

/// The file's keys: the flags' names with underscores, and what no flag is worth having for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    coordinator: Option<String>,
    username: Option<String>,
    join_key: Option<String>,
    insecure_coordinator: bool,
    ca: Option<PathBuf>,
    share: Vec<PathBuf>,
    download_dir: Option<PathBuf>,
    listen: Vec<IpAddr>,
    download_port: Option<u16>,
    upload_port: Option<u16>,
    public_download_port: Option<u16>,
    public_upload_port: Option<u16>,
    policy: Policy,
    gui: Option<String>,
    state_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
    dial_allow: Vec<IpNet>,
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })
    }

    /// The named file must be there; the default one may be.
    fn locate(cli: &Cli, dirs: &DataDirs) -> Result<Self, ConfigError> {
        match &cli.config {
            Some(path) => Self::read(path),
            None => match dirs.config_file() {
                Some(path) if path.exists() => Self::read(&path),
                _ => Ok(Self::default()),
            },
        }
    }
}

impl Config {
    /// Merges the command line (with its environment variables) over the file over the defaults.
    pub fn resolve(cli: Cli, dirs: &DataDirs) -> Result<Self, ConfigError> {
        let file = File::locate(&cli, dirs)?;
        let state_dir = match cli.state_dir.or(file.state_dir) {
            Some(dir) => dir,
            None => dirs.state_dir()?,
        };
        let config = Self {
            coordinator: cli.coordinator.or(file.coordinator),
            username: cli.username.or(file.username).map(parse_username).transpose()?,
            join_key: file.join_key,
            insecure_coordinator: file.insecure_coordinator,
            ca: cli.ca.or(file.ca),
            shares: first_given(cli.share, file.share),
            download_dir: match cli.download_dir.or(file.download_dir) {
                Some(dir) => dir,
                None => dirs.download_dir()?,
            },
            listen: first_given(cli.listen, file.listen),
            download_port: cli.download_port.or(file.download_port).unwrap_or(DOWNLOAD_PORT),
            upload_port: cli.upload_port.or(file.upload_port).unwrap_or(UPLOAD_PORT),
            public_download_port: cli.public_download_port.or(file.public_download_port),
            public_upload_port: cli.public_upload_port.or(file.public_upload_port),
            policy: file.policy,
            gui: gui_listen(cli.gui, file.gui.as_deref())?,
            socket: match cli.socket.or(file.socket) {
                Some(path) => path,
                None => dirs.control_socket()?,
            },
            state_dir,
            dial_allow: file.dial_allow,
        };
        config.check_ports()?;
        Ok(config)
    }

    fn check_ports(&self) -> Result<(), ConfigError> {
        let named = [
            ("download port", Some(self.download_port).filter(|&port| port != 0)),
            ("upload port", Some(self.upload_port).filter(|&port| port != 0)),
            ("public download port", self.public_download_port),
            ("public upload port", self.public_upload_port),
        ];
        match named.into_iter().find_map(|(name, port)| Some((name, port.filter(|&port| port < PORT_MIN)?))) {
            Some((name, port)) => Err(ConfigError::Port { name, port }),
            None => Ok(()),
        }
    }
}

fn first_given<T>(from_flags: Vec<T>, from_file: Vec<T>) -> Vec<T> {
    if from_flags.is_empty() { from_file } else { from_flags }
}

fn parse_username(given: String) -> Result<Username, ConfigError> {
    Username::parse(&given).map_err(|source| ConfigError::Username { given, source })
}

fn gui_listen(flag: Option<GuiAddress>, file: Option<&str>) -> Result<Option<GuiListen>, ConfigError> {
    let in_file = file.map(str::parse).transpose().map_err(|message: &str| ConfigError::Syntax {
        path: PathBuf::from("gui"),
        message: message.to_owned(),
    })?;
    match flag.or(in_file) {
        Some(GuiAddress::At(address)) if !address.ip().is_loopback() => {
            Err(ConfigError::GuiNotLoopback(address))
        }
        Some(GuiAddress::At(address)) => Ok(Some(GuiListen { address, is_chosen: true })),
        Some(GuiAddress::Off) => Ok(None),
        None => Ok(Some(GuiListen { address: GUI, is_chosen: false })),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn resolve(file: &str, flags: &[&str]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peer-daemon.toml");
        std::fs::write(&path, file).unwrap();
        let mut args = vec!["peer-daemon", "--config", path.to_str().unwrap()];
        args.extend(flags);
        Config::resolve(Cli::try_parse_from(args).unwrap(), &DataDirs::under(dir.path()))
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let config =
            resolve("download_port = 5000\nupload_port = 5001\n", &["--upload-port", "6001"]).unwrap();
        assert_eq!((config.download_port, config.upload_port), (5000, 6001));
        assert_eq!(resolve("", &[]).unwrap().download_port, DOWNLOAD_PORT);
    }

    #[test]
    fn a_mistake_in_the_file_is_told_with_file_line_and_column() {
        for (file, place) in [("a = 1", "line 1, column 1"), ("\nupload_port = \"x\"", "line 2, column 15")] {
            let message = resolve(file, &[]).unwrap_err().to_string();
            assert!(message.contains("peer-daemon.toml") && message.contains(place), "{message}");
        }
    }

    #[test]
    fn what_can_not_work_is_refused() {
        assert!(matches!(resolve("", &["--username", "a b"]), Err(ConfigError::Username { .. })));
        assert!(matches!(resolve("", &["--download-port", "80"]), Err(ConfigError::Port { .. })));
        assert!(matches!(resolve("", &["--gui", "192.0.2.1:80"]), Err(ConfigError::GuiNotLoopback(_))));
        assert!(resolve("", &["--download-port", "0"]).is_ok());
    }

    #[test]
    fn the_web_page_is_on_loopback_unless_it_is_off() {
        let gui = |file, flags: &[&str]| resolve(file, flags).unwrap().gui;
        assert_eq!(gui("", &[]), Some(GuiListen { address: GUI, is_chosen: false }));
        assert_eq!(gui("", &["--gui", "off"]), None);
        assert_eq!(gui("gui = \"off\"", &["--gui", "[::1]:0"]).unwrap().address.to_string(), "[::1]:0");
        assert!(gui("gui = \"127.0.0.2:5000\"", &[]).unwrap().is_chosen);
        for elsewhere in ["0.0.0.0:4823", "[::]:4823", "192.0.2.1:80", "[::ffff:127.0.0.1]:80"] {
            let refused = resolve("", &["--gui", elsewhere]);
            assert!(matches!(refused, Err(ConfigError::GuiNotLoopback(_))), "{elsewhere}");
        }
    }
}
