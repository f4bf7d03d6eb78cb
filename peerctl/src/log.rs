//! The log of a daemon in the background. The daemon writes it, sets it aside when it is full, and has a few old ones
//! beside it; here it is read as one text, whatever the files are called by then.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use protocol::paths::{LOGS_SET_ASIDE, log_set_aside};

use crate::error::Error;

/// Read at most of a file's end: more than a person asks for.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;
/// Tries to find the next file while files are being set aside, which takes the daemon no time.
const NEXT_TRIES: usize = 8;

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
}

/// How far the log was read. It holds the file open, which so stays the same one whatever its name becomes.
#[derive(Debug)]
pub(crate) struct Place {
    file: File,
    offset: u64,
}

/// Whether a line that has no end yet counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    Counts,
    Waits,
}

impl Log {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What a daemon may write its last words to, and where they will begin.
    pub(crate) fn begin(&self) -> Result<(File, Place), Error> {
        let open = || -> io::Result<(File, Place)> {
            if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let options = OpenOptions::new().read(true).append(true).create(true).mode(0o600).clone();
            let file = options.open(&self.path)?;
            let offset = file.metadata()?.len();
            Ok((file.try_clone()?, Place { file, offset }))
        };
        open().map_err(|error| self.unusable(error))
    }

    /// So many of the last lines, and where they end. A line that is just being written waits where somebody reads on from
    /// there: it would come in two parts.
    pub(crate) fn tail(
        &self,
        lines_max: usize,
        unfinished: Unfinished,
    ) -> Result<(Vec<String>, Place), Error> {
        let mut newest = None;
        let mut lines: Vec<String> = Vec::new();
        for path in self.paths() {
            let Some(mut place) = Place::at_end_of(&path).map_err(|error| self.unusable(error))? else {
                continue;
            };
            let end = place.offset;
            place.offset = end.saturating_sub(TAIL_BYTES);
            // What was set aside is written no more.
            let unfinished = if newest.is_none() { unfinished } else { Unfinished::Counts };
            let mut older = place.read(unfinished).map_err(|error| self.unusable(error))?;
            older.append(&mut lines);
            lines = older;
            newest.get_or_insert(place);
            if lines.len() >= lines_max || end > TAIL_BYTES {
                break;
            }
        }
        let newest = newest.ok_or_else(|| Error::NoLog(self.path.clone()))?;
        Ok((lines.split_off(lines.len().saturating_sub(lines_max)), newest))
    }

    /// The whole lines that were written since.
    pub(crate) fn since(&self, place: &mut Place) -> Result<Vec<String>, Error> {
        self.read_on(place, Unfinished::Waits).map_err(|error| self.unusable(error))
    }

    /// All that was written since, by one that writes no more.
    pub(crate) fn rest(&self, place: &mut Place) -> Result<Vec<String>, Error> {
        self.read_on(place, Unfinished::Counts).map_err(|error| self.unusable(error))
    }

    fn read_on(&self, place: &mut Place, unfinished: Unfinished) -> io::Result<Vec<String>> {
        let mut lines = place.read(unfinished)?;
        while let Some(next) = self.after(place)? {
            // A file that was set aside is written no more; what came before that and after the last look is there.
            lines.extend(place.read(Unfinished::Counts)?);
            *place = next;
            lines.extend(place.read(unfinished)?);
        }
        Ok(lines)
    }

    /// The beginning of the file that was begun after this one.
    fn after(&self, place: &Place) -> io::Result<Option<Place>> {
        let paths: Vec<_> = self.paths().collect();
        for _ in 0..NEXT_TRIES {
            let found = paths.iter().position(|path| place.is_of(path));
            let next = match found {
                Some(0) => return Ok(None),
                Some(older) => &paths[older - 1],
                // So many were begun meanwhile that it is gone: the oldest that is left comes next.
                None => match paths.iter().rev().find(|path| path.exists()) {
                    Some(oldest) => oldest,
                    None => return Ok(None),
                },
            };
            let Some(mut next) = Place::at_end_of(next)? else { return Ok(None) };
            next.offset = 0;
            // The names may have moved on between the two looks.
            if paths.iter().position(|path| place.is_of(path)) == found {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// The youngest first.
    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let set_aside = (1..=LOGS_SET_ASIDE).map(|number| log_set_aside(&self.path, number));
        std::iter::once(self.path.clone()).chain(set_aside)
    }

    fn unusable(&self, error: io::Error) -> Error {
        Error::Log { path: self.path.clone(), error }
    }
}

impl Place {
    /// `None` where there is no file.
    fn at_end_of(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => {
                let offset = file.metadata()?.len();
                Ok(Some(Self { file, offset }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_of(&self, path: &Path) -> bool {
        let (own, other) = (self.file.metadata(), fs::metadata(path));
        own.is_ok_and(|own| other.is_ok_and(|other| (own.dev(), own.ino()) == (other.dev(), other.ino())))
    }

    /// The lines from here on, to which it moves on. A file that became shorter begins anew.
    fn read(&mut self, unfinished: Unfinished) -> io::Result<Vec<String>> {
        if self.file.metadata()?.len() < self.offset {
            self.offset = 0;
        }
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut lines = Vec::new();
        loop {
            let mut bytes = Vec::new();
            (&self.file).take(TAIL_BYTES).read_to_end(&mut bytes)?;
            let is_full = bytes.len() as u64 == TAIL_BYTES;
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
            let taken =
                if unfinished == Unfinished::Counts || (is_full && whole == 0) { bytes.len() } else { whole };
            lines.extend(text(&bytes[..taken]).lines().map(str::to_owned));
            self.offset += taken as u64;
            if !is_full {
                return Ok(lines);
            }
            self.file.seek(SeekFrom::Start(self.offset))?;
        }
    }
}

/// A line that is cut, or not of this program, may hold anything.
fn text(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .flat_map(|chunk| [chunk.valid().to_owned(), "?".repeat(chunk.invalid().len())])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, path::Path};

    use proptest::prelude::*;
    use protocol::paths::{LOGS_SET_ASIDE, log_set_aside};

    use super::{Log, Unfinished};

    /// As the daemon does it.
    fn set_aside(path: &Path) {
        for number in (1..LOGS_SET_ASIDE).rev() {
            let _not_there = fs::rename(log_set_aside(path, number), log_set_aside(path, number + 1));
        }
        let _not_there = fs::rename(path, log_set_aside(path, 1));
    }

    fn write(path: &Path, bytes: &[u8]) {
        fs::File::options().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn only_what_was_written_since_counts_and_only_whole_lines_follow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.log");
        fs::write(&path, "before\n").unwrap();
        let log = Log::at(path.clone());
        let (mut writer, mut begin) = log.begin().unwrap();
        writer.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(log.rest(&mut begin).unwrap(), ["one", "two", "thr"]);
        assert_eq!(log.tail(2, Unfinished::Counts).unwrap().0, ["two", "thr"]);

        let (lines, mut place) = log.tail(9, Unfinished::Waits).unwrap();
        assert_eq!(lines, ["before", "one", "two"], "the third one is not whole");
        writer.write_all(b"ee\nfour \xff\nfi").unwrap();
        assert_eq!(log.since(&mut place).unwrap(), ["three", "four ?"]);
        writer.set_len(0).unwrap();
        writer.write_all(b"anew\n").unwrap();
        assert_eq!(log.since(&mut place).unwrap(), ["anew"]);
    }

    #[test]
    fn the_end_of_the_log_goes_back_into_what_was_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.log");
        for line in ["one\n", "two\n", "three\n"] {
            write(&path, line.as_bytes());
            set_aside(&path);
        }
        let log = Log::at(path.clone());
        assert_eq!(
            log.tail(2, Unfinished::Counts).unwrap().0,
            ["two", "three"],
            "nothing was written since it was set aside"
        );
        write(&path, b"four\n");
        assert_eq!(log.tail(3, Unfinished::Counts).unwrap().0, ["two", "three", "four"]);
        assert_eq!(log.tail(9, Unfinished::Counts).unwrap().0, ["one", "two", "three", "four"]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Write,
        SetAside,
        Look,
    }

    proptest! {
        /// Not more set aside between two looks than are kept: what is gone can't be read.
        #[test]
        fn who_follows_sees_every_line_once_and_in_order(
            steps in prop::collection::vec(prop_oneof![
                4 => Just(Step::Write), 1 => Just(Step::SetAside), 2 => Just(Step::Look),
            ], 1..80),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("daemon.log");
            write(&path, b"");
            let log = Log::at(path.clone());
            let (_, mut place) = log.tail(0, Unfinished::Waits).unwrap();
            let (mut written, mut seen, mut set_aside_since) = (Vec::new(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Write => {
                        written.push(format!("line {}", written.len()));
                        write(&path, format!("{}\n", written.last().unwrap()).as_bytes());
                    }
                    Step::SetAside if set_aside_since < LOGS_SET_ASIDE => {
                        set_aside_since += 1;
                        set_aside(&path);
                        write(&path, b"");
                    }
                    Step::SetAside => {}
                    Step::Look => {
                        set_aside_since = 0;
                        seen.extend(log.since(&mut place).unwrap());
                        prop_assert_eq!(&seen, &written);
                    }
                }
            }
            seen.extend(log.since(&mut place).unwrap());
            prop_assert_eq!(seen, written);
        }
    }
}
