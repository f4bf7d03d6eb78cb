//! The log in a file of the daemon's own, bounded while the daemon runs: a file that is full is set aside, and the
//! oldest of those goes.
//!
//! ```text
//!   daemon.log ──full──▶ daemon.log.1 ──▶ … ──▶ daemon.log.3 ──▶ gone
//! ```
//!
//! `peerctl logs` reads across this: a file that it has open stays what it was, whatever its name is by then.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use protocol::paths::{LOGS_SET_ASIDE, log_set_aside};

/// One process writes it. Each write is a line.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    bytes_max: u64,
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Goes on with the file that is there. The folder is made for its owner alone, and so is the file.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), bytes_max, file, bytes })
    }

    /// Whether both write to the same file.
    pub(crate) fn is_also(&self, other: &fs::Metadata) -> bool {
        self.file.metadata().is_ok_and(|own| is_same(&own, other))
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        // Somebody else may have set it aside already; then the name is another file's.
        let is_in_place = self
            .file
            .metadata()
            .is_ok_and(|own| fs::symlink_metadata(&self.path).is_ok_and(|in_place| is_same(&own, &in_place)));
        if is_in_place && set_aside(&self.path).is_err() {
            // The bound is kept where no name can be changed, too.
            self.file.set_len(0)?;
            self.bytes = 0;
            return Ok(());
        }
        self.file = open(&self.path)?;
        self.bytes = self.file.metadata()?.len();
        Ok(())
    }
}

impl io::Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.bytes_max {
            self.begin_anew()?;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The oldest first, so that each finds its new name free.
fn set_aside(path: &Path) -> io::Result<()> {
    for number in (1..LOGS_SET_ASIDE).rev() {
        match fs::rename(log_set_aside(path, number), log_set_aside(path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, log_set_aside(path, 1))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write as _,
        os::unix::fs::PermissionsExt as _,
        path::{Path, PathBuf},
    };

    use proptest::prelude::*;
    use protocol::paths::{LOGS_SET_ASIDE, log_set_aside};

    use super::LogFile;

    /// All that is kept, the oldest first.
    fn files(path: &Path) -> Vec<(PathBuf, String)> {
        let names = (1..=LOGS_SET_ASIDE).rev().map(|number| log_set_aside(path, number));
        names
            .chain([path.to_owned()])
            .filter_map(|name| Some((name.clone(), fs::read_to_string(name).ok()?)))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_end_of_what_was_written_and_no_file_is_too_long(
            lengths in prop::collection::vec(1_usize..40, 0..120),
            bytes_max in 20_u64..60,
            reopened_every in 1_usize..50,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("daemon.log");
            let mut written = String::new();
            let mut log = LogFile::open(&path, bytes_max).unwrap();
            for (number, (length, letter)) in lengths.iter().zip(('a'..='z').cycle()).enumerate() {
                if number % reopened_every == 0 {
                    log = LogFile::open(&path, bytes_max).unwrap();
                }
                let line = format!("{}\n", letter.to_string().repeat(*length));
                log.write_all(line.as_bytes()).unwrap();
                written.push_str(&line);
            }
            let files = files(&path);
            let kept: String = files.iter().map(|(_, text)| text.as_str()).collect();
            prop_assert!(written.ends_with(&kept));
            for (name, text) in &files {
                // A line longer than a file has a file of its own.
                prop_assert!(text.len() as u64 <= bytes_max || text.matches('\n').count() == 1, "{name:?}");
                prop_assert!(text.is_empty() || text.ends_with('\n'), "{name:?}");
            }
            prop_assert!(kept == written || files.len() > LOGS_SET_ASIDE as usize);
        }
    }

    #[test]
    fn it_is_its_owners_alone_and_begins_where_there_was_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/daemon.log");
        let mut log = LogFile::open(&path, 4).unwrap();
        log.write_all(b"one\n").unwrap();
        log.write_all(b"two\n").unwrap();
        for (path, mode) in
            [(path.parent().unwrap(), 0o700), (path.as_path(), 0o600), (&log_set_aside(&path, 1), 0o600)]
        {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{path:?}");
        }
    }

    #[test]
    fn what_somebody_else_set_aside_stays_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.log");
        let mut log = LogFile::open(&path, 4).unwrap();
        log.write_all(b"one\n").unwrap();
        fs::rename(&path, dir.path().join("mine")).unwrap();
        fs::write(&path, "theirs\n").unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(files(&path), [(path.clone(), "theirs\ntwo\n".to_owned())]);
    }

    #[test]
    fn the_bound_is_kept_where_no_name_can_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.log");
        let mut log = LogFile::open(&path, 4).unwrap();
        log.write_all(b"one\n").unwrap();
        // A folder that is not empty, in the way.
        fs::create_dir_all(log_set_aside(&path, 1).join("full")).unwrap();
        fs::create_dir_all(log_set_aside(&path, 2).join("full")).unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }
}
