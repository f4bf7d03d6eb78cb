//! The download folder, found anew by its path for each use.
//!
//! A handle that is kept would keep the folder's disk from being unmounted, and would go on writing into a
//! folder that was removed. But a path may lead elsewhere tomorrow: where a disk was mounted, there is an empty
//! folder of the system's own disk after it was unmounted, and a download would fill that one. So the place
//! where the disk is mounted is remembered, also over restarts, and nothing is written below it while nothing is
//! mounted there. (Device numbers would tell less: a disk that is plugged in again may get another one.)

use std::{
    io,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, MetadataExt as CapMetadataExt},
};
use rusqlite::OptionalExtension as _;
use rustix::fs::{Access, AtFlags};

use super::{
    DownloadsError,
    disk_trouble::{DiskTrouble, Room},
};
use crate::state::{State, StateError};

/// All methods block.
pub(super) struct DownloadFolder {
    path: PathBuf,
    state: State,
    /// `None` on the disk of the system itself. A plain mutex: held for a copy.
    mount_point: Mutex<Option<PathBuf>>,
}

impl DownloadFolder {
    /// Makes the folder where it is missing, unless its disk is: then downloads wait for that.
    pub(super) fn at_start(path: PathBuf, state: State) -> Result<Self, DownloadsError> {
        let mount_point = remembered(&state, &path)?;
        let folder = Self { path, state, mount_point: Mutex::new(mount_point) };
        if folder.must_be_mounted().is_ok() {
            let unusable = |source| DownloadsError::Folder { path: folder.path.clone(), source };
            std::fs::create_dir_all(&folder.path).map_err(unusable)?;
            let dir = open_dir(&folder.path).map_err(unusable)?;
            folder.learn_mount_point(&dir);
        }
        Ok(folder)
    }

    /// The folder as it is now. Every write below it goes through such a handle.
    pub(super) fn open(&self) -> Result<Dir, DiskTrouble> {
        self.must_be_mounted()?;
        open_dir(&self.path).map_err(|error| self.trouble(&error))
    }

    /// Whether files can be made in it, and how much is free.
    pub(super) fn survey(&self) -> Result<Room, DiskTrouble> {
        let dir = self.open()?;
        let access = Access::WRITE_OK | Access::EXEC_OK;
        rustix::fs::accessat(&dir, ".", access, AtFlags::EACCESS)
            .map_err(|error| self.trouble(&error.into()))?;
        let system = rustix::fs::fstatvfs(&dir).map_err(|error| self.trouble(&error.into()))?;
        self.learn_mount_point(&dir);
        // What is available to this user; the system keeps some blocks for itself.
        Ok(Room { free: system.f_bavail.saturating_mul(system.f_frsize), folder: self.path.clone() })
    }

    fn must_be_mounted(&self) -> Result<(), DiskTrouble> {
        match self.mount_point() {
            Some(mount_point) if !is_mounted(&mount_point) && self.is_below(&mount_point) => {
                Err(DiskTrouble::NotMounted { mount_point })
            }
            _ => Ok(()),
        }
    }

    /// A link may lead somewhere else by now; one that leads nowhere leads to the disk that is away.
    fn is_below(&self, mount_point: &Path) -> bool {
        self.path.canonicalize().map_or(true, |path| path.starts_with(mount_point))
    }

    fn trouble(&self, error: &io::Error) -> DiskTrouble {
        use io::ErrorKind as Kind;
        let folder = self.path.clone();
        match error.kind() {
            Kind::ReadOnlyFilesystem => DiskTrouble::ReadOnly { folder },
            Kind::PermissionDenied => DiskTrouble::NotPermitted { folder },
            Kind::NotFound | Kind::NotADirectory | Kind::StaleNetworkFileHandle => {
                DiskTrouble::Removed { folder }
            }
            _ => DiskTrouble::Unusable { folder, error: error.to_string() },
        }
    }

    /// To be called when the folder is there: then so is its disk.
    fn learn_mount_point(&self, dir: &Dir) {
        let Ok(device) = dir.dir_metadata().map(|metadata| CapMetadataExt::dev(&metadata)) else { return };
        let Ok(found) = mount_point_of(&self.path, device) else { return };
        let is_new = std::mem::replace(&mut *self.lock(), found.clone()) != found;
        if is_new && let Err(error) = remember(&self.state, &self.path, found.as_deref()) {
            tracing::warn!(%error, "where the download folder's disk is mounted could not be saved");
        }
    }

    fn mount_point(&self) -> Option<PathBuf> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<PathBuf>> {
        self.mount_point.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_dir(path: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(path, ambient_authority())
}

/// The highest folder above this one, or itself, that is on its device; `None` if all are. An error where the
/// folder is on another device by now.
fn mount_point_of(folder: &Path, device: u64) -> io::Result<Option<PathBuf>> {
    let folder = folder.canonicalize()?;
    let mut highest = None;
    for above in folder.ancestors() {
        if above.metadata()?.dev() != device {
            return highest
                .map(|highest: &Path| Some(highest.to_owned()))
                .ok_or(io::ErrorKind::NotFound.into());
        }
        highest = Some(above);
    }
    Ok(None)
}

fn is_mounted(mount_point: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    let there = device(mount_point);
    there.is_some() && there != mount_point.parent().and_then(device)
}

fn remembered(state: &State, folder: &Path) -> Result<Option<PathBuf>, StateError> {
    let bytes: Option<Vec<u8>> = state.with(|connection| {
        let sql = "SELECT mount_point FROM download_folder WHERE path = ?1";
        connection.query_row(sql, [folder.as_os_str().as_bytes()], |row| row.get(0)).optional()
    })?;
    Ok(bytes.map(|bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes))))
}

/// Of one folder only: whoever names another one begins anew.
fn remember(state: &State, folder: &Path, mount_point: Option<&Path>) -> Result<(), StateError> {
    state.with(|connection| {
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM download_folder", [])?;
        if let Some(mount_point) = mount_point {
            transaction.execute(
                "INSERT INTO download_folder (path, mount_point) VALUES (?1, ?2)",
                [folder.as_os_str().as_bytes(), mount_point.as_os_str().as_bytes()],
            )?;
        }
        transaction.commit()
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::downloads::mounted::Mounted;

    fn state() -> (tempfile::TempDir, State) {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        (dir, state)
    }

    #[test]
    fn a_missing_folder_is_made_at_the_start_and_never_again() {
        let (dir, state) = state();
        let path = dir.path().join("down/loads");
        let folder = DownloadFolder::at_start(path.clone(), state).unwrap();
        assert!(folder.survey().is_ok());
        fs::remove_dir(&path).unwrap();
        assert_eq!(folder.survey(), Err(DiskTrouble::Removed { folder: path.clone() }));
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        assert!(folder.survey().is_ok());
    }

    #[test]
    fn a_disk_that_is_away_is_known_from_an_empty_folder_also_after_a_restart() {
        let (_dir, state) = state();
        let Some(disk) = Mounted::tmpfs("size=64m") else { return };
        let mount_point = disk.0.path().to_owned();
        let path = mount_point.join("downloads");
        let away = Err(DiskTrouble::NotMounted { mount_point: mount_point.clone() });
        let folder = DownloadFolder::at_start(path.clone(), state.clone()).unwrap();
        assert!(folder.survey().is_ok());
        disk.unmount();
        assert_eq!(folder.survey(), away);
        let folder = DownloadFolder::at_start(path.clone(), state).unwrap();
        assert_eq!(folder.survey(), away);
        assert!(!path.exists(), "a folder was made on the system's own disk");
    }

    #[test]
    fn a_link_that_leads_to_another_disk_by_now_is_followed_there() {
        let (dir, state) = state();
        let Some(disk) = Mounted::tmpfs("size=64m") else { return };
        let link = dir.path().join("link");
        symlink(disk.0.path(), &link).unwrap();
        let folder = DownloadFolder::at_start(link.clone(), state).unwrap();
        disk.unmount();
        assert!(folder.survey().is_err());
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&other, &link).unwrap();
        assert!(folder.survey().is_ok());
    }

    #[test]
    fn a_read_only_disk_is_told() {
        let (_dir, state) = state();
        let Some(disk) = Mounted::tmpfs("size=64m,ro") else { return };
        let path = disk.0.path().to_owned();
        let folder = DownloadFolder::at_start(path.clone(), state).unwrap();
        assert_eq!(folder.survey(), Err(DiskTrouble::ReadOnly { folder: path }));
    }
}
