//! What a start would meet, tried before there is one: for `peerctl setup`, `--check-coordinator` asks whether this peer
//! could connect, and `--preview` what others would see of a folder; for `peerctl doctor`, `--check-start` asks what is
//! wrong. None leaves anything behind.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
};

use clap::ArgMatches;
use protocol::control::{ExitCode, SharePreview};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{
        Config, ConfigError, Sources,
        join_key::{JoinKey, JoinKeyError},
        settings::RunTime,
    },
    coordinator_link::{ConnectError, LinkConfig, LinkConfigError, could_connect},
    doctor::before_start,
    library::{self, PreviewError},
    telemetry,
};

#[derive(Debug, Error)]
enum RehearsalError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    JoinKey(#[from] JoinKeyError),
    #[error(transparent)]
    Link(#[from] LinkConfigError),
    #[error("no coordinator is named: --coordinator URL")]
    NoCoordinator,
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Preview(#[from] PreviewError),
}

impl RehearsalError {
    /// The exit codes are peerctl's: it hands them on.
    fn exit_code(&self) -> u8 {
        let code = match self {
            Self::Config(_) | Self::JoinKey(_) | Self::Link(_) | Self::NoCoordinator | Self::Preview(_) => {
                ExitCode::Usage
            }
            Self::Connect(error) => match error {
                ConnectError::UsernameTaken => ExitCode::Conflict,
                ConnectError::UsernameInvalid => ExitCode::Usage,
                ConnectError::JoinKeyWrong => ExitCode::Permission,
                ConnectError::VersionUnsupported { .. } => ExitCode::VersionMismatch,
                ConnectError::RateLimited { .. } => ExitCode::RateLimited,
                ConnectError::Unreachable(_) => ExitCode::Unreachable,
                ConnectError::Refused(_) | ConnectError::GivenUp => ExitCode::Other,
            },
        };
        code as u8
    }
}

/// Does what was asked for in place of a start; `None` where a start was.
pub async fn rehearse(matches: &ArgMatches, sources: &Sources) -> Option<process::ExitCode> {
    if matches.get_flag("check_config") {
        // Read without a mistake.
        return Some(process::ExitCode::SUCCESS);
    }
    if matches.get_flag("check_coordinator") {
        telemetry::to_stderr();
    }
    let answer = if let Some(folder) = matches.get_one::<PathBuf>("preview") {
        preview(folder, sources).map(|preview| serde_json::to_string(&preview).unwrap_or_default())
    } else if matches.get_flag("check_coordinator") {
        check_coordinator(sources).await.map(|()| String::new())
    } else {
        return None;
    };
    // For whoever asked, so it goes out without the log's time and level.
    let (said, code) = match answer {
        Ok(answer) => (io::stdout().write_all(answer.as_bytes()), process::ExitCode::SUCCESS),
        Err(problem) => (writeln!(io::stderr(), "{problem}"), process::ExitCode::from(problem.exit_code())),
    };
    Some(if said.is_ok() { code } else { process::ExitCode::FAILURE })
}

/// What would keep the daemon from starting, mistakes in its configuration among it.
pub(crate) async fn tell_of_start(sources: &Result<Sources, ConfigError>) -> process::ExitCode {
    let found = serde_json::to_string(&before_start(sources).await).unwrap_or_default();
    match writeln!(io::stdout(), "{found}") {
        Ok(()) => process::ExitCode::SUCCESS,
        Err(_) => process::ExitCode::FAILURE,
    }
}

async fn check_coordinator(sources: &Sources) -> Result<(), RehearsalError> {
    let config = sources.resolve(&RunTime::default())?;
    let link_config = link_config(&config)?.ok_or(RehearsalError::NoCoordinator)?;
    could_connect(&link_config, config.username.as_ref()).await??;
    Ok(())
}

fn preview(folder: &Path, sources: &Sources) -> Result<SharePreview, RehearsalError> {
    let state_dir = sources.state_dir().map_err(ConfigError::from)?;
    Ok(library::preview(folder, &state_dir, &CancellationToken::new())?)
}

/// `None` where no coordinator is configured. Blocks for a look at the join key's file.
pub(crate) fn link_config(config: &Config) -> Result<Option<LinkConfig>, JoinKeyError> {
    let Some(coordinator) = &config.coordinator else { return Ok(None) };
    let in_file = || config.join_key_file.as_deref().map(JoinKey::read).transpose();
    let join_key = config.join_key.clone().map_or_else(in_file, |said| Ok(Some(said)))?;
    let mut link_config = LinkConfig::new(coordinator.url().clone());
    link_config.insecure = config.insecure_coordinator;
    link_config.ca.clone_from(&config.ca);
    link_config.join_key = join_key.map(|key| key.reveal().clone());
    Ok(Some(link_config))
}
