//! What the person sets while the daemon runs: kept in the state, and read before anything else at the next
//! start. Some of it counts at once. The configuration file is the person's and is never written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use protocol::{
    Profile,
    control::{Configuration, NextValue, SCHEMA, Setting},
};
use thiserror::Error;

use super::{
    Config, ConfigError, Sources, Told,
    layer::{Layer, SETTABLE},
    live::{AT_ONCE, Live},
};
use crate::{
    coordinator_link::check_url,
    state::{State, StateError},
};

/// Text of a value: longer than any path or list that makes sense.
const VALUE_BYTES_MAX: usize = 4_096;

/// Why a setting can't be set.
#[derive(Debug, Error)]
pub(crate) enum SettingError {
    #[error("there is no such setting")]
    Unknown,
    #[error("{0} is set in the configuration file or by a flag only")]
    NotSettable(String),
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    State(#[from] StateError),
}

/// The settings of the state, read.
#[derive(Debug, Default)]
pub(crate) struct RunTime {
    layer: Layer,
}

impl RunTime {
    /// What a later version has set is passed over, as is what this one takes for wrong: a start must be possible.
    pub(crate) fn load(state: &State) -> Result<Self, StateError> {
        let mut layer = Layer::default();
        for (name, text) in stored(state)? {
            if let Err(reason) = layer.set(&name, &text) {
                tracing::warn!(name, reason, "a setting that was made at run time is passed over");
            }
        }
        Ok(Self { layer })
    }

    pub(super) fn layer(&self) -> &Layer {
        &self.layer
    }
}

/// The running daemon's settings, and where to keep others. Its methods block.
#[derive(Clone)]
pub(crate) struct Settings {
    state: State,
    sources: Arc<Sources>,
    /// As of the start.
    config: Arc<Config>,
    live: Live,
    /// Held by a change from its record to its effect, so that the last one recorded is the one that counts.
    changing: Arc<Mutex<()>>,
}

impl Settings {
    pub(crate) fn new(state: State, sources: Sources, config: Config) -> Self {
        let live = Live::default();
        live.follow(config.live);
        Self { state, sources: Arc::new(sources), config: Arc::new(config), live, changing: Arc::default() }
    }

    /// What counts at once, as it is now.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// The configuration file, if one was read.
    pub(crate) fn file(&self) -> Option<String> {
        self.sources.file_path().map(|path| path.display().to_string())
    }

    pub(crate) fn state_dir(&self) -> &Path {
        self.state.dir()
    }

    /// What is in these, the web page may share, and have downloads put into.
    pub(crate) fn gui_folders(&self) -> &[PathBuf] {
        &self.config.gui_folders
    }

    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.sources.profile()
    }

    pub(crate) fn show(&self) -> Result<Configuration, SettingError> {
        let next = self.told_next()?.told;
        let settings = self.config.told.iter().map(|at_start| {
            let next = next.iter().find(|next| next.name == at_start.name).unwrap_or(at_start);
            let now = if AT_ONCE.contains(&at_start.name) { next } else { at_start };
            document(now, next)
        });
        Ok(Configuration { schema: SCHEMA, file: self.file(), settings: settings.collect() })
    }

    /// Checks the value and keeps it; those that count at once do so when this returns.
    pub(crate) fn set(&self, name: &str, text: &str) -> Result<(), SettingError> {
        self.must_be_settable(name)?;
        if text.len() > VALUE_BYTES_MAX {
            return Err(SettingError::Invalid("the value is too long".to_owned()));
        }
        let mut layer = Layer::default();
        layer.set(name, text).map_err(SettingError::Invalid)?;
        // The next start would refuse it, and without a daemon nobody could take it back.
        if let Some(coordinator) = &layer.coordinator {
            check_url(coordinator.url(), self.config.insecure_coordinator)
                .map_err(|error| SettingError::Invalid(error.to_string()))?;
        }
        self.change(|state| store(state, name, text))
    }

    /// Forgets a value that was set at run time; it is no error if there is none.
    pub(crate) fn unset(&self, name: &str) -> Result<(), SettingError> {
        self.must_be_settable(name)?;
        self.change(|state| forget(state, name))
    }

    /// What the next start would be told.
    fn told_next(&self) -> Result<Config, SettingError> {
        Ok(self.sources.resolve(&RunTime::load(&self.state)?)?)
    }

    fn change(&self, record: impl FnOnce(&State) -> Result<(), StateError>) -> Result<(), SettingError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        record(&self.state)?;
        self.live.follow(self.told_next()?.live);
        Ok(())
    }

    fn must_be_settable(&self, name: &str) -> Result<(), SettingError> {
        if SETTABLE.contains(&name) {
            return Ok(());
        }
        let is_known = self.config.told.iter().any(|told| told.name == name);
        Err(if is_known { SettingError::NotSettable(name.to_owned()) } else { SettingError::Unknown })
    }
}

fn document(now: &Told, next: &Told) -> Setting {
    Setting {
        name: now.name.to_owned(),
        value: now.value.clone(),
        origin: now.origin,
        settable: SETTABLE.contains(&now.name),
        at_once: AT_ONCE.contains(&now.name),
        at_next_start: (next != now).then(|| NextValue { value: next.value.clone(), origin: next.origin }),
    }
}

fn stored(state: &State) -> Result<BTreeMap<String, String>, StateError> {
    state.with(|connection| {
        let mut statement = connection.prepare_cached("SELECT name, value FROM settings")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    })
}

pub(super) fn store(state: &State, name: &str, text: &str) -> Result<(), StateError> {
    state.with(|connection| {
        connection
            .prepare_cached("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)")?
            .execute([name, text])
            .map(drop)
    })
}

fn forget(state: &State, name: &str) -> Result<(), StateError> {
    state.with(|connection| {
        connection.prepare_cached("DELETE FROM settings WHERE name = ?1")?.execute([name]).map(drop)
    })
}
