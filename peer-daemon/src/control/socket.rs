//! The socket's file: made for its owner alone, never taken from a daemon that lives.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum SocketError {
    #[error(
        "another peer-daemon answers on {}; stop it with `peerctl stop`, or name another --socket and --state-dir",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("{} is there and is no socket; name another with --socket", path.display())]
    NotASocket { path: PathBuf },
    #[error(
        "others may write to {}, so a socket there is not safe; run `chmod go-w` on it or name another --socket",
        path.display()
    )]
    FolderOpen { path: PathBuf },
    #[error("can't make the control socket {}: {source}; name another with --socket", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A bound control socket; its file is removed when this is dropped, if it was made here.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    is_own: bool,
}

impl ControlSocket {
    /// Binds. A file left by a daemon that crashed is replaced; one that answers is not.
    pub(crate) fn bind(path: &Path) -> Result<Self, SocketError> {
        let io = |source| SocketError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
            check_folder(folder)
                .map_err(io)?
                .map_err(|()| SocketError::FolderOpen { path: folder.to_owned() })?;
        }
        remove_stale(path)?;
        // The umask makes the file 0600 from its first instant; changing it afterwards would leave a gap.
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        let listener = bound.map_err(io)?;
        listener.set_nonblocking(true).map_err(io)?;
        Ok(Self { listener, path: path.to_owned(), is_own: true })
    }

    /// One that a service manager has opened, and keeps. Its folder is to be as safe as for one of our own; `path` is where it was to be, for one that does not tell.
    pub(crate) fn inherited(listener: UnixListener, path: &Path) -> Result<Self, SocketError> {
        let io = |source| SocketError::Io { path: path.to_owned(), source };
        let address = listener.local_addr().map_err(io)?;
        let path = address.as_pathname().unwrap_or(path).to_owned();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            check_folder(folder)
                .map_err(io)?
                .map_err(|()| SocketError::FolderOpen { path: folder.to_owned() })?;
        }
        listener.set_nonblocking(true).map_err(io)?;
        Ok(Self { listener, path, is_own: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.is_own {
            // It may have been removed by hand; then there is nothing left to do.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// The folder is ours, and nobody else may put a socket of his own in our place.
fn check_folder(folder: &Path) -> io::Result<Result<(), ()>> {
    let metadata = fs::metadata(folder)?;
    let is_sticky = metadata.permissions().mode() & 0o1000 != 0;
    let is_open = metadata.permissions().mode() & 0o022 != 0;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    Ok(if (is_ours && !is_open) || is_sticky { Ok(()) } else { Err(()) })
}

/// Whether a socket could be made there now. Nothing is made or removed, also not its folder.
pub(crate) fn could_bind(path: &Path) -> Result<(), SocketError> {
    if let Some(folder) = path.parent().filter(|folder| folder.exists()) {
        let io = |source| SocketError::Io { path: path.to_owned(), source };
        check_folder(folder)
            .map_err(io)?
            .map_err(|()| SocketError::FolderOpen { path: folder.to_owned() })?;
    }
    is_stale(path).map(drop)
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let io = |source| SocketError::Io { path: path.to_owned(), source };
    if is_stale(path)? { fs::remove_file(path).map_err(io) } else { Ok(()) }
}

/// Whether a daemon that crashed has left a file there. An error where something else is.
fn is_stale(path: &Path) -> Result<bool, SocketError> {
    let io = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    // The state directory's lock already tells that no other daemon has our state; another may have our socket.
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
        Err(error) => Err(io(error)),
        Ok(_) => Err(SocketError::InUse { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_its_owners_alone_and_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/control.sock");
        let socket = ControlSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_socket_is_not_stolen_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let alive = ControlSocket::bind(&path).unwrap();
        assert!(matches!(ControlSocket::bind(&path), Err(SocketError::InUse { .. })));
        assert!(UnixStream::connect(&path).is_ok(), "the first one still answers");
        drop(alive);

        drop(UnixListener::bind(dir.path().join("stale.sock")).unwrap());
        assert!(ControlSocket::bind(&dir.path().join("stale.sock")).is_ok());
    }

    #[test]
    fn what_is_no_socket_and_a_folder_open_to_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(ControlSocket::bind(&file), Err(SocketError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(ControlSocket::bind(&open.join("s")), Err(SocketError::FolderOpen { .. })));
    }
}
