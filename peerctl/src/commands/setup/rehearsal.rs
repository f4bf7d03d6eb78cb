//! Asks the daemon's own program what a start would meet, with the file as it would be written: it knows TLS, names
//! and folders, and peerctl need not.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use protocol::control::{ExitCode, SharePreview};
use tokio::process::Command;

use super::answers::Answers;
use crate::{error::Error, paths};

/// The file while it is being answered, beside where it will be: so renaming it writes it whole or not at all. It
/// may hold a secret, so it is its owner's.
pub(super) struct Draft {
    path: PathBuf,
}

/// What came of asking the coordinator.
pub(super) enum Asked {
    Welcome,
    Taken,
    /// It wants a join key, or another one.
    Closed,
    /// With the reason, in a sentence.
    Trouble(String),
}

impl Draft {
    pub(super) fn beside(file: &Path) -> Result<Self, Error> {
        let written = |error| Error::NotWritten { path: file.to_owned(), error };
        if let Some(dir) = file.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(written)?;
        }
        let mut path = file.as_os_str().to_owned();
        path.push(".draft");
        let draft = Self { path: path.into() };
        // Of a setup that was cut short.
        let _gone = std::fs::remove_file(&draft.path);
        Ok(draft)
    }

    /// Whether this peer could connect as it is answered so far.
    pub(super) async fn ask_coordinator(&self, answers: &Answers) -> Result<Asked, Error> {
        self.write(answers)?;
        let (code, _, words) = self.run(&["--check-coordinator".as_ref()]).await?;
        Ok(match code {
            code if code == ExitCode::Done as i32 => Asked::Welcome,
            code if code == ExitCode::Conflict as i32 => Asked::Taken,
            code if code == ExitCode::Permission as i32 => Asked::Closed,
            _ => Asked::Trouble(words),
        })
    }

    /// What others would see of a folder, or why it can't be shared.
    pub(super) async fn preview(
        &self,
        answers: &Answers,
        folder: &Path,
    ) -> Result<Result<SharePreview, String>, Error> {
        self.write(answers)?;
        let (code, document, words) = self.run(&["--preview".as_ref(), folder.as_os_str()]).await?;
        if code != ExitCode::Done as i32 {
            return Ok(Err(words));
        }
        serde_json::from_str(&document).map(Ok).map_err(|error| Error::Unreadable(error.to_string()))
    }

    /// The daemon's last word on the file.
    pub(super) async fn check(&self, answers: &Answers) -> Result<(), Error> {
        self.write(answers)?;
        let (code, _, words) = self.run(&["--check-config".as_ref()]).await?;
        if code == ExitCode::Done as i32 { Ok(()) } else { Err(Error::ConfigWrong(words)) }
    }

    /// In place of whatever was there.
    pub(super) fn put(&self, file: &Path) -> Result<(), Error> {
        std::fs::rename(&self.path, file).map_err(|error| Error::NotWritten { path: file.to_owned(), error })
    }

    fn write(&self, answers: &Answers) -> Result<(), Error> {
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path);
        open.and_then(|mut file| file.write_all(answers.file().as_bytes()))
            .map_err(|error| Error::NotWritten { path: self.path.clone(), error })
    }

    async fn run(&self, arguments: &[&std::ffi::OsStr]) -> Result<(i32, String, String), Error> {
        let mut command = Command::new(paths::program_beside("peer-daemon"));
        command.arg("--config").arg(&self.path).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        let ran = command.output().await.map_err(Error::StartFailed)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok((ran.status.code().unwrap_or(1), text(&ran.stdout), text(&ran.stderr)))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
