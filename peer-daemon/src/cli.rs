//! The command line and its environment variables. Flags win over the environment, both over what was set at
//! run time and over the file. The coordinator's variables begin with `HEARSAY_COORDINATOR_`, so that both
//! programs can run in one environment.

use std::{net::IpAddr, path::PathBuf};

use clap::Parser;
use protocol::{Profile, Username};

use crate::config::values::{CoordinatorUrl, GuiAddress, Port, PublicPort};

/// Shares folders, searches and fetches: Hearsay's background program.
///
/// Examples:
///   peer-daemon --coordinator https://hearsay.example --username nightingale --share ~/Music
///   peer-daemon --config ~/.config/hearsay/peer-daemon.toml
///
/// Steer it with `peerctl`.
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Cli {
    /// The coordinator's address; http:// only on loopback
    #[arg(long, value_name = "URL", env = "HEARSAY_COORDINATOR")]
    pub coordinator: Option<CoordinatorUrl>,
    /// Connect under this username at the start
    #[arg(long, value_name = "NAME", env = "HEARSAY_USERNAME", value_parser = Username::parse)]
    pub username: Option<Username>,
    /// A folder to share; may repeat
    #[arg(long, value_name = "DIR", env = "HEARSAY_SHARE", value_delimiter = ':')]
    pub share: Vec<PathBuf>,
    /// Where downloads go [default: ~/Downloads]
    #[arg(long, value_name = "DIR", env = "HEARSAY_DOWNLOAD_DIR")]
    pub download_dir: Option<PathBuf>,
    /// Address to listen on; may repeat [default: all, IPv6 and IPv4]
    #[arg(long, value_name = "IP", env = "HEARSAY_LISTEN", value_delimiter = ',')]
    pub listen: Vec<IpAddr>,
    /// TCP port that dial-backs come in on; 0 picks a free one [default: 4821]
    #[arg(long, value_name = "N", env = "HEARSAY_DOWNLOAD_PORT")]
    pub download_port: Option<Port>,
    /// TCP port that uploads leave from; 0 picks a free one [default: 4822]
    #[arg(long, value_name = "N", env = "HEARSAY_UPLOAD_PORT")]
    pub upload_port: Option<Port>,
    /// The download port as others reach it, where a router maps it
    #[arg(long, value_name = "N", env = "HEARSAY_PUBLIC_DOWNLOAD_PORT")]
    pub public_download_port: Option<PublicPort>,
    /// The upload port as others reach it, where a router maps it
    #[arg(long, value_name = "N", env = "HEARSAY_PUBLIC_UPLOAD_PORT")]
    pub public_upload_port: Option<PublicPort>,
    /// Loopback address of the web page, or `off`; port 0 picks a free one [default: 127.0.0.1:4823]
    #[arg(long, value_name = "ADDR|off", env = "HEARSAY_GUI")]
    pub gui: Option<GuiAddress>,
    /// One of several daemons side by side: a state directory, a socket, a configuration file and ports of its own
    #[arg(long, value_name = "NAME", env = "HEARSAY_PROFILE")]
    pub profile: Option<Profile>,
    /// Where the daemon keeps its state [default: ~/.local/state/hearsay]
    #[arg(long, value_name = "DIR", env = "HEARSAY_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// The control socket [default: $XDG_RUNTIME_DIR/hearsay/control.sock]
    #[arg(long, value_name = "PATH", env = "HEARSAY_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Further CA certificate to trust for the coordinator (PEM)
    #[arg(long, value_name = "FILE", env = "HEARSAY_CA")]
    pub ca: Option<PathBuf>,
    /// Write the log there instead of to stderr, and keep it within bounds
    #[arg(long, value_name = "FILE", env = "HEARSAY_LOG_FILE")]
    pub log_file: Option<PathBuf>,
    /// Configuration file (TOML) [default: ~/.config/hearsay/peer-daemon.toml, when it is there]
    #[arg(long, value_name = "FILE", env = "HEARSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Check the configuration file and exit: 0 when it is right, 2 when not
    #[arg(long)]
    pub check_config: bool,
    /// Ask whether this peer could connect, under its username if one is named, and exit
    #[arg(long)]
    pub check_coordinator: bool,
    /// Look for what would keep the daemon from starting, print it as JSON, and exit
    #[arg(long)]
    pub check_start: bool,
    /// Print, as JSON, what others would see of a folder, and exit
    #[arg(long, value_name = "DIR")]
    pub preview: Option<PathBuf>,
}
