//! Configuration: defaults, then the file, then what was set at run time, then the environment, then flags.
//!
//! ```text
//! Sources::gather (flags, environment, file) ─▶ state_dir ─▶ the state is opened ─▶ its settings
//!        └──────────────────────────── resolve ◀──────────────────────────────────────┘ ─▶ Config
//! ```
//!
//! Nothing here writes a file: what is set at run time goes to the state ([`settings`]).

pub mod byte_rate;
pub mod join_key;
mod layer;
pub(crate) mod live;
pub(crate) mod profile;
#[cfg(test)]
mod reference;
pub(crate) mod settings;
pub mod values;

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgMatches, FromArgMatches as _, parser::ValueSource};
use ipnet::IpNet;
use protocol::{Conflict, Profile, Username, control::Origin, limits::STREAM_IDLE};
use thiserror::Error;

use self::{
    join_key::JoinKey,
    layer::Layer,
    live::LiveSettings,
    settings::RunTime,
    values::{CoordinatorUrl, GuiAddress, GuiHost, GuiListen, LogBytes, Port, PublicPort, TimeSpan},
};
use crate::{
    cli::Cli,
    data_dirs::{DataDirs, NoHome},
    peer_stream::limits::Patience,
    telemetry::LogTarget,
};

const DOWNLOAD_PORT: u16 = 4821;
const UPLOAD_PORT: u16 = 4822;
/// A source that is away for a week may have been on a journey; who is away for longer is asked by hand.
const GIVE_UP_AFTER: Duration = Duration::from_hours(7 * 24);
/// Most queues of one are over by then, and a place in one costs as much: a search each minute would be no more.
const LOOK_AROUND: Duration = Duration::from_mins(1);
/// How long a download may be slow: enough for a network that hiccups, as with uploads.
const SLOW: Duration = Duration::from_mins(1);
/// Where the web page is.
const GUI: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4823);

/// Everything that the daemon is told from outside, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub coordinator: Option<CoordinatorUrl>,
    pub username: Option<Username>,
    pub join_key: Option<JoinKey>,
    /// Where it is, if not said outright.
    pub join_key_file: Option<PathBuf>,
    pub insecure_coordinator: bool,
    pub ca: Option<PathBuf>,
    /// With where each is named.
    pub shares: Vec<(PathBuf, Origin)>,
    pub download_dir: PathBuf,
    /// Empty: all addresses, IPv6 and IPv4.
    pub listen: Vec<IpAddr>,
    pub download_port: u16,
    pub upload_port: u16,
    pub public_download_port: Option<u16>,
    pub public_upload_port: Option<u16>,
    /// A download that can't go on is given up after so long without a byte.
    pub give_up_after: Duration,
    /// A download that waits in a queue for so long looks for another source, too.
    pub look_around_after: Duration,
    /// A download that is slow for so long makes way for one that waits.
    pub download_slow_after: Duration,
    /// What is done where the name of a download is taken.
    pub conflict: Conflict,
    /// What counts at once when it is changed.
    pub live: LiveSettings,
    /// How long a source may be silent.
    pub download_idle: Duration,
    /// How long an upload is borne with.
    pub patience: Patience,
    pub gui: Option<GuiListen>,
    /// What is in these, the web page may share, and have downloads put into.
    pub gui_folders: Vec<PathBuf>,
    pub state_dir: PathBuf,
    pub socket: PathBuf,
    /// Networks that may be dialled besides those of the coordinator's scope.
    pub dial_allow: Vec<IpNet>,
    /// All of the above as text, with where each comes from.
    pub told: Vec<Told>,
}

/// A setting as `peerctl config show` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub name: &'static str,
    /// None where there is none, or where it is secret.
    pub value: Option<String>,
    pub origin: Origin,
}

/// The configuration can't be used. The sentence says where and what.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("can't read the configuration file {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// `toml`'s message names line and column and shows the line.
    #[error("{}: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error(
        "gui: {0} is no loopback address: use one, such as 127.0.0.1:4823, or name in gui_hosts, in the \
         configuration file, the hosts under which a reverse proxy serves the web page over TLS"
    )]
    GuiAddress(SocketAddr),
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error(transparent)]
    Usage(#[from] clap::Error),
}

/// What is known before the state is open.
#[derive(Debug, Clone)]
pub struct Sources {
    given: Layer,
    /// Names of those given by the environment; the others are flags.
    from_environment: BTreeSet<String>,
    file: Layer,
    file_path: Option<PathBuf>,
    dirs: DataDirs,
}

impl Sources {
    /// Takes the command line, which holds the environment's variables too, and reads the file. A file that is
    /// named must be there; the default one may be.
    pub fn gather(matches: &ArgMatches, dirs: DataDirs) -> Result<Self, ConfigError> {
        let mut cli = Cli::from_arg_matches(matches)?;
        let is_from_environment = |id: &str| matches.value_source(id) == Some(ValueSource::EnvVariable);
        let mut from_environment: BTreeSet<_> =
            matches.ids().map(|id| id.as_str().to_owned()).filter(|id| is_from_environment(id)).collect();
        let dirs = dirs.of_profile(cli.profile.clone());
        if cli.profile.is_some() {
            profile::take_its_place(&mut cli, &mut from_environment, &dirs)?;
        }
        let file_path = cli.config.clone().or_else(|| dirs.config_file().filter(|path| path.exists()));
        let file = file_path.as_deref().map(Layer::read).transpose()?.unwrap_or_default();
        Ok(Self { given: cli.into(), from_environment, file, file_path, dirs })
    }

    /// The configuration file that was read.
    pub fn file_path(&self) -> Option<&Path> {
        self.file_path.as_deref()
    }

    /// Where the state is, and with it what was set at run time.
    pub fn state_dir(&self) -> Result<PathBuf, NoHome> {
        match self.given.state_dir.clone().or_else(|| self.file.state_dir.clone()) {
            Some(dir) => Ok(dir),
            None => self.dirs.state_dir(),
        }
    }

    /// Where the log goes instead of to stderr. It is begun before the state is open, so as to tell of that, too.
    pub fn log(&self) -> Option<LogTarget> {
        let path = self.given.log_file.clone().or_else(|| self.file.log_file.clone())?;
        let bytes_max = self.file.log_file_bytes.unwrap_or(LogBytes::DEFAULT).bytes();
        Some(LogTarget { path, bytes_max })
    }

    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.dirs.profile()
    }

    /// Merges all that is known.
    pub(crate) fn resolve(&self, run_time: &RunTime) -> Result<Config, ConfigError> {
        let mut pick = Picker { sources: self, run_time: run_time.layer(), told: Vec::new() };
        let path = |path: &PathBuf| path.display().to_string();
        let download_port = Port(DOWNLOAD_PORT);
        let shares = pick.one("share", |layer| layer.share.clone(), None, |paths| join(paths, ":", path));
        let shares_origin = pick.told.last().map_or(Origin::Default, |told| told.origin);
        let mut config = Config {
            coordinator: pick.plain("coordinator", |layer| layer.coordinator.clone(), None),
            username: pick.plain("username", |layer| layer.username.clone(), None),
            join_key: pick.one("join_key", |layer| layer.join_key.clone(), None, |_| None),
            join_key_file: pick.one(
                "join_key_file",
                |layer| layer.join_key_file.clone(),
                self.dirs.credential(join_key::CREDENTIAL),
                |file| Some(path(file)),
            ),
            insecure_coordinator: pick
                .plain("insecure_coordinator", |layer| layer.insecure_coordinator, Some(false))
                .unwrap_or_default(),
            ca: pick.one("ca", |layer| layer.ca.clone(), None, |ca| Some(path(ca))),
            shares: shares.into_iter().flatten().map(|share| (share, shares_origin)).collect(),
            download_dir: PathBuf::new(),
            listen: pick
                .one("listen", |layer| layer.listen.clone(), None, |list| join(list, ",", IpAddr::to_string))
                .unwrap_or_default(),
            download_port: pick
                .plain("download_port", |layer| layer.download_port, Some(download_port))
                .map_or(DOWNLOAD_PORT, |port| port.0),
            upload_port: pick
                .plain("upload_port", |layer| layer.upload_port, Some(Port(UPLOAD_PORT)))
                .map_or(UPLOAD_PORT, |port| port.0),
            public_download_port: pick
                .plain("public_download_port", |layer| layer.public_download_port, None)
                .map(|PublicPort(port)| port),
            public_upload_port: pick
                .plain("public_upload_port", |layer| layer.public_upload_port, None)
                .map(|PublicPort(port)| port),
            give_up_after: pick.time("give_up_after", |layer| layer.give_up_after, GIVE_UP_AFTER),
            conflict: pick
                .plain("conflict", |layer| layer.conflict, Some(Conflict::default()))
                .unwrap_or_default(),
            live: pick.live(),
            download_idle: pick.time("download_idle", |layer| layer.download_idle, STREAM_IDLE),
            look_around_after: pick.time("look_around_after", |layer| layer.look_around_after, LOOK_AROUND),
            download_slow_after: pick.time("download_slow_after", |layer| layer.download_slow_after, SLOW),
            patience: pick.patience(),
            gui: pick.gui()?,
            gui_folders: pick.gui_folders(),
            state_dir: PathBuf::new(),
            socket: PathBuf::new(),
            dial_allow: pick
                .one(
                    "dial_allow",
                    |layer| layer.dial_allow.clone(),
                    None,
                    |list| join(list, ",", IpNet::to_string),
                )
                .unwrap_or_default(),
            told: Vec::new(),
        };
        config.download_dir =
            pick.path("download_dir", |layer| layer.download_dir.clone(), || self.dirs.download_dir())?;
        config.state_dir =
            pick.path("state_dir", |layer| layer.state_dir.clone(), || self.dirs.state_dir())?;
        config.socket = pick.path("socket", |layer| layer.socket.clone(), || self.dirs.control_socket())?;
        pick.one("log_file", |layer| layer.log_file.clone(), None, |file| Some(path(file)));
        pick.plain("log_file_bytes", |layer| layer.log_file_bytes, Some(LogBytes::DEFAULT));
        config.told = pick.told;
        Ok(config)
    }
}

/// Takes each setting from the highest place that names it, and notes which that was.
struct Picker<'a> {
    sources: &'a Sources,
    run_time: &'a Layer,
    told: Vec<Told>,
}

impl Picker<'_> {
    fn live(&mut self) -> LiveSettings {
        let default = LiveSettings::default();
        LiveSettings {
            upload_rate: self
                .plain("upload_rate", |layer| layer.upload_rate, Some(default.upload_rate))
                .unwrap_or_default(),
            download_rate: self
                .plain("download_rate", |layer| layer.download_rate, Some(default.download_rate))
                .unwrap_or_default(),
            uploads: self.plain("uploads", |layer| layer.uploads, Some(default.uploads)).unwrap_or_default(),
            policy: self.plain("policy", |layer| layer.policy, Some(default.policy)).unwrap_or_default(),
        }
    }

    fn patience(&mut self) -> Patience {
        let default = Patience::default();
        Patience {
            idle: self.time("upload_idle", |layer| layer.upload_idle, default.idle),
            slow_after: self.time("upload_slow_after", |layer| layer.upload_slow_after, default.slow_after),
            turn: self.time("upload_turn", |layer| layer.upload_turn, default.turn),
        }
    }

    fn time(
        &mut self,
        name: &'static str,
        of: impl Fn(&Layer) -> Option<TimeSpan>,
        default: Duration,
    ) -> Duration {
        self.plain(name, of, Some(TimeSpan::of(default))).map_or(default, TimeSpan::duration)
    }

    fn gui(&mut self) -> Result<Option<GuiListen>, ConfigError> {
        let picked = self.plain("gui", |layer| layer.gui, Some(GuiAddress::At(GUI)));
        let is_chosen = self.told.last().is_some_and(|told| told.origin != Origin::Default);
        let hosts = self
            .one(
                "gui_hosts",
                |layer| layer.gui_hosts.clone(),
                None,
                |list| join(list, ",", GuiHost::to_string),
            )
            .unwrap_or_default();
        match picked {
            Some(GuiAddress::At(address)) if !address.ip().is_loopback() && hosts.is_empty() => {
                Err(ConfigError::GuiAddress(address))
            }
            Some(GuiAddress::At(address)) => Ok(Some(GuiListen { address, is_chosen, hosts })),
            Some(GuiAddress::Off) | None => Ok(None),
        }
    }

    fn gui_folders(&mut self) -> Vec<PathBuf> {
        let home = self.sources.dirs.home_dir().map(|home| vec![home.to_owned()]);
        let text = |paths: &Vec<PathBuf>| join(paths, ":", |path| path.display().to_string());
        self.one("gui_folders", |layer| layer.gui_folders.clone(), home, text).unwrap_or_default()
    }

    fn one<T>(
        &mut self,
        name: &'static str,
        of: impl Fn(&Layer) -> Option<T>,
        default: Option<T>,
        text: impl Fn(&T) -> Option<String>,
    ) -> Option<T> {
        let given_by =
            if self.sources.from_environment.contains(name) { Origin::Environment } else { Origin::Flag };
        let places = [
            (given_by, &self.sources.given),
            (Origin::RunTime, self.run_time),
            (Origin::File, &self.sources.file),
        ];
        let named = places.into_iter().find_map(|(origin, layer)| Some((origin, of(layer)?)));
        let (origin, value) =
            named.map_or((Origin::Default, default), |(origin, value)| (origin, Some(value)));
        self.told.push(Told { name, value: value.as_ref().and_then(text), origin });
        value
    }

    fn plain<T: ToString>(
        &mut self,
        name: &'static str,
        of: impl Fn(&Layer) -> Option<T>,
        default: Option<T>,
    ) -> Option<T> {
        self.one(name, of, default, |value| Some(value.to_string()))
    }

    /// The default is asked for only where it is needed: without a home there is none.
    fn path(
        &mut self,
        name: &'static str,
        of: impl Fn(&Layer) -> Option<PathBuf>,
        default: impl FnOnce() -> Result<PathBuf, NoHome>,
    ) -> Result<PathBuf, NoHome> {
        let text = |path: &PathBuf| Some(path.display().to_string());
        if let Some(path) = self.one(name, of, None, text) {
            return Ok(path);
        }
        let path = default()?;
        if let Some(told) = self.told.last_mut() {
            told.value = text(&path);
        }
        Ok(path)
    }
}

fn join<T>(list: &[T], between: &str, text: impl Fn(&T) -> String) -> Option<String> {
    Some(list.iter().map(text).collect::<Vec<_>>().join(between)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
