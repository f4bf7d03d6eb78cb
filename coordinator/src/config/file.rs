//! Reading the file. A mistake is told by its place and in words of the reader: the line itself stays untold, for
//! it may hold a secret, and what is told here reaches a log.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{Config, secrets::SecretError};

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("the configuration file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the configuration file {path}, line {line}, column {column}: {reason}")]
    Parse { path: PathBuf, line: usize, column: usize, reason: String },
}

pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    let text =
        fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        let (line, column) = place(&text, error.span().map_or(0, |span| span.start));
        // The reader's message can go over several lines.
        let reason = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError::Parse { path: path.to_owned(), line, column, reason }
    })
}

/// Line and column, counted from 1, of a byte in a text.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
