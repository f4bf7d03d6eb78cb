//! The log of a daemon that `peerctl start` has started: what it writes to stdout and stderr, in its state directory.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::error::Error;

const NAME: &str = "daemon.log";
/// A log that has grown beyond this is set aside at the next start, in place of the one that was set aside before.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
const SET_ASIDE: &str = "daemon.log.1";
/// Read at most of its end: more than a person asks for.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    file: File,
    /// What was written before does not count.
    begin: u64,
}

impl Log {
    /// To write to. What was there before this start does not count.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(NAME);
        let open = || -> io::Result<(File, u64)> {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            if path.metadata().is_ok_and(|metadata| metadata.len() > BYTES_MAX) {
                std::fs::rename(&path, dir.join(SET_ASIDE))?;
            }
            let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
            let begin = file.metadata()?.len();
            Ok((file, begin))
        };
        let (file, begin) = open().map_err(|error| Error::Log { path: path.clone(), error })?;
        Ok(Self { path, file, begin })
    }

    /// To read from.
    pub(crate) fn of(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(NAME);
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, begin: 0 }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoLog(path)),
            Err(error) => Err(Error::Log { path, error }),
        }
    }

    pub(crate) fn writer(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(Error::System)
    }

    /// So many of the last lines, and where they end.
    pub(crate) fn tail(&self, lines_max: usize) -> Result<(Vec<String>, u64), Error> {
        let end = self.file.metadata().map_err(Error::System)?.len();
        let begin = self.begin.max(end.saturating_sub(TAIL_BYTES));
        let text = self.read(begin, end - begin)?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let kept = lines.len().saturating_sub(lines_max);
        Ok((lines.into_iter().skip(kept).collect(), end))
    }

    /// The whole lines that were written since, and where they end. A log that became shorter begins anew.
    pub(crate) fn since(&self, place: u64) -> Result<(Vec<String>, u64), Error> {
        let end = self.file.metadata().map_err(Error::System)?.len();
        let begin = if end < place { 0 } else { place };
        let text = self.read(begin, (end - begin).min(TAIL_BYTES))?;
        let Some(whole) = text.rfind('\n') else { return Ok((Vec::new(), begin)) };
        let lines = text[..whole].lines().map(str::to_owned).collect();
        Ok((lines, begin + whole as u64 + 1))
    }

    fn read(&self, begin: u64, length: u64) -> Result<String, Error> {
        let mut file = self.writer()?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(begin)).map_err(Error::System)?;
        file.take(length).read_to_end(&mut bytes).map_err(Error::System)?;
        // A line that is cut, or not of this program, may hold anything; a replaced byte keeps its length.
        Ok(bytes
            .utf8_chunks()
            .flat_map(|chunk| [chunk.valid().to_owned(), "?".repeat(chunk.invalid().len())])
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{BYTES_MAX, Log, SET_ASIDE};

    #[test]
    fn only_what_was_written_since_counts_and_only_whole_lines_follow() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("daemon.log"), "before\n").unwrap();
        let log = Log::open(dir.path()).unwrap();
        let mut writer = log.writer().unwrap();
        writer.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(log.tail(2).unwrap().0, ["two", "thr"]);
        assert_eq!(log.tail(9).unwrap().0, ["one", "two", "thr"]);

        let read = Log::of(dir.path()).unwrap();
        assert_eq!(read.tail(9).unwrap().0[0], "before");
        let (lines, place) = read.since("before\none\n".len() as u64).unwrap();
        assert_eq!(lines, ["two"]);
        writer.write_all(b"ee \xff\n").unwrap();
        let (lines, place) = read.since(place).unwrap();
        assert_eq!(lines, ["three ?"]);
        writer.set_len(0).unwrap();
        writer.write_all(b"anew\n").unwrap();
        assert_eq!(read.since(place).unwrap(), (vec!["anew".to_owned()], 5));
    }

    #[test]
    fn a_log_that_has_grown_is_set_aside_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let first = Log::open(dir.path()).unwrap();
        first.writer().unwrap().set_len(BYTES_MAX + 1).unwrap();
        let second = Log::open(dir.path()).unwrap();
        assert_eq!(second.writer().unwrap().metadata().unwrap().len(), 0);
        assert_eq!(dir.path().join(SET_ASIDE).metadata().unwrap().len(), BYTES_MAX + 1);
    }
}
