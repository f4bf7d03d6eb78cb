//! Names of headers, of routes and of default paths that two programs must spell alike.

use std::path::{Path, PathBuf};

use crate::profile::Profile;

/// The folder of the daemon's state: `$XDG_STATE_HOME/hearsay`, by default `~/.local/state/hearsay`.
pub fn state_dir(state_home: Option<&Path>, home: &Path, profile: Option<&Profile>) -> PathBuf {
    let base = absolute(state_home).map_or_else(|| home.join(".local/state"), Path::to_path_buf);
    own(&base, profile)
}

/// Where daemon and peerctl meet unless told otherwise: `$XDG_RUNTIME_DIR/hearsay/control.sock`, and in the
/// state directory where a system has no runtime directory.
pub fn control_socket(
    runtime_dir: Option<&Path>,
    state_home: Option<&Path>,
    home: &Path,
    profile: Option<&Profile>,
) -> PathBuf {
    absolute(runtime_dir)
        .map_or_else(|| state_dir(state_home, home, profile), |dir| own(dir, profile))
        .join("control.sock")
}

/// The daemon's configuration file where nobody names another: `$XDG_CONFIG_HOME/hearsay/peer-daemon.toml`, by
/// default in `~/.config`.
pub fn config_file(config_home: Option<&Path>, home: &Path, profile: Option<&Profile>) -> PathBuf {
    let base = absolute(config_home).map_or_else(|| home.join(".config"), Path::to_path_buf);
    own(&base, profile).join("peer-daemon.toml")
}

/// The folder of a profile is within that of the daemon without one.
fn own(base: &Path, profile: Option<&Profile>) -> PathBuf {
    let folder = base.join("hearsay");
    profile.map_or(folder.clone(), |profile| folder.join("profiles").join(profile.as_str()))
}

/// The log of a daemon in the background, in its state directory, where nobody names another file.
pub const LOG_FILE: &str = "daemon.log";
/// Logs that are kept besides the one that is written.
pub const LOGS_SET_ASIDE: u32 = 3;

/// Where a full log is set aside; 1 is the youngest.
pub fn log_set_aside(log: &Path, number: u32) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
}

/// The XDG Base Directory Specification has relative paths, and so empty ones, ignored.
fn absolute(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| path.is_absolute())
}

/// Carries the caller's username, sealed by the coordinator as its `name_token`.
pub const NAME_HEADER: &str = "hearsay-name";
/// Names the introduction on a stream that the requester dialled (`dial_me`).
pub const INTRODUCTION_HEADER: &str = "Hearsay-Introduction";
/// ALPN of the peer stream.
pub const ALPN: &[u8] = b"hearsay/1";

/// Routes of the coordinator.
pub mod coordinator {
    pub const SESSIONS: &str = "/v1/sessions";
    pub const SESSION: &str = "/v1/session";
    pub const EVENTS: &str = "/v1/events";
    pub const SEARCH: &str = "/v1/searches/{id}";
    pub const ANSWER: &str = "/v1/searches/{id}/answer";
    pub const INTRODUCTION: &str = "/v1/introductions/{id}";
    pub const REPLY: &str = "/v1/introductions/{id}/reply";
    /// On the ops listener only.
    pub const LIVEZ: &str = "/livez";
    pub const READYZ: &str = "/readyz";
    pub const METRICS: &str = "/metrics";
}

/// Routes of the target, on the peer stream.
pub mod peer {
    pub const INTRODUCTION: &str = "/v1/introduction";
    pub const FILES: &str = "/v1/files";
}

/// Routes of the daemon's control API.
pub mod control {
    /// The fixed `Host` of the control API: a browser can't be made to send it over a Unix socket.
    pub const HOST: &str = "peer-daemon.invalid";
    pub const STATUS: &str = "/v1/status";
    pub const CONNECTION: &str = "/v1/connection";
    pub const SEARCHES: &str = "/v1/searches";
    pub const SEARCH: &str = "/v1/searches/{search}";
    pub const DOWNLOADS: &str = "/v1/downloads";
    pub const DOWNLOAD: &str = "/v1/downloads/{id}";
    pub const DOWNLOAD_PAUSE: &str = "/v1/downloads/{id}/pause";
    pub const DOWNLOAD_RESUME: &str = "/v1/downloads/{id}/resume";
    pub const DOWNLOAD_RETRY: &str = "/v1/downloads/{id}/retry";
    pub const DOWNLOAD_CANCEL: &str = "/v1/downloads/{id}/cancel";
    pub const DOWNLOAD_WHY: &str = "/v1/downloads/{id}/why";
    pub const UPLOADS: &str = "/v1/uploads";
    pub const REQUESTS: &str = "/v1/requests";
    pub const REQUEST_ACCEPT: &str = "/v1/requests/{id}/accept";
    pub const REQUEST_DECLINE: &str = "/v1/requests/{id}/decline";
    pub const SHUTDOWN: &str = "/v1/shutdown";
    pub const GUI_LOGIN: &str = "/v1/gui/login";
    pub const SHARES: &str = "/v1/shares";
    pub const SHARES_RESCAN: &str = "/v1/shares/rescan";
    pub const SHARES_PREVIEW: &str = "/v1/shares/preview";
    pub const LINK: &str = "/v1/link";
    pub const DOCTOR: &str = "/v1/doctor";
    pub const CONFIG: &str = "/v1/config";
    pub const SETTING: &str = "/v1/config/{name}";
    pub const BLOCKS: &str = "/v1/blocks";
    pub const EVENTS: &str = "/v1/events";
}

/// Routes of the daemon's web page that the control API does not have.
pub mod gui {
    pub const SESSION: &str = "/v1/gui/session";
}

#[cfg(test)]
mod tests {
    use super::{control_socket, state_dir};
    use std::path::Path;

    #[test]
    fn the_socket_is_in_the_runtime_directory_or_beside_the_state() {
        let (home, relative, run) = (Path::new("/users/ann"), Path::new("x"), Path::new("/run/user/7"));
        let socket = |runtime, state| control_socket(runtime, state, home, None).display().to_string();
        assert_eq!(socket(Some(run), Some(Path::new("/s"))), "/run/user/7/hearsay/control.sock");
        assert_eq!(socket(None, Some(Path::new("/s"))), "/s/hearsay/control.sock");
        assert_eq!(socket(Some(relative), None), "/users/ann/.local/state/hearsay/control.sock");
        assert_eq!(state_dir(Some(Path::new("")), home, None), home.join(".local/state/hearsay"));
    }
}
