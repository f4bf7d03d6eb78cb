//! What can be read in the memory of a running program, by someone with power over its machine.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    os::unix::fs::FileExt as _,
    path::Path,
};

use memchr::memmem;

/// How much of a mapping is looked at in one go.
const WINDOW_BYTES: usize = 1 << 20;

/// Something that must not be found, with a word for the report.
#[derive(Debug, Clone)]
pub struct Canary {
    pub what: String,
    pub bytes: Vec<u8>,
}

impl Canary {
    pub fn new(what: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { what: what.to_owned(), bytes: bytes.into() }
    }
}

/// Where a canary was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Sighting {
    pub what: String,
    /// The mapping as `/proc/PID/maps` has it: `[heap]`, `[stack]`, a file, or nothing for anonymous memory.
    pub mapping: String,
    /// What stands around it, as far as it is text.
    pub around: String,
}

/// Looks for the canaries in all memory that the process can read. An error when this user may not look.
pub fn look(process: u32, canaries: &[Canary]) -> io::Result<Vec<Sighting>> {
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let maps = BufReader::new(File::open(format!("/proc/{process}/maps"))?);
    let overlap = canaries.iter().map(|canary| canary.bytes.len()).max().unwrap_or(0);
    let mut sightings = Vec::new();
    for line in maps.lines() {
        let line = line?;
        let Some((start, end, mapping)) = readable(&line) else { continue };
        let mut at = start;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES + overlap);
            let mut window = vec![0; wanted];
            // A mapping may be gone by now, and some can't be read by anyone.
            let Ok(read) = memory.read_at(&mut window, at) else { break };
            window.truncate(read);
            sightings.extend(look_into(&window, mapping, canaries));
            at += WINDOW_BYTES as u64;
        }
    }
    Ok(sightings)
}

/// Whether this user may read another process's memory.
pub fn may_look(process: u32) -> io::Result<()> {
    let mut first = [0];
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let start = maps.lines().find_map(readable).map_or(0, |(start, ..)| start);
    File::open(format!("/proc/{process}/mem"))?.read_exact_at(&mut first, start)
}

/// Start, end and name of a readable mapping.
fn readable(line: &str) -> Option<(u64, u64, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_readable = fields.next()?.starts_with('r');
    let name = fields.nth(3).unwrap_or_default();
    is_readable.then_some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?, name))
}

fn look_into<'a>(
    window: &'a [u8],
    mapping: &'a str,
    canaries: &'a [Canary],
) -> impl Iterator<Item = Sighting> + 'a {
    canaries.iter().flat_map(move |canary| {
        let length = canary.bytes.len();
        // The rest of the window belongs to the next one.
        memmem::find_iter(window, &canary.bytes).filter(|at| *at < WINDOW_BYTES).map(move |at| {
            let around = &window[at.saturating_sub(40)..(at + length + 40).min(window.len())];
            Sighting {
                what: canary.what.clone(),
                mapping: mapping.to_owned(),
                around: around.escape_ascii().to_string(),
            }
        })
    })
}

/// Looks for the canaries in all files below a folder.
pub fn look_into_files(folder: &Path, canaries: &[Canary]) -> io::Result<Vec<Sighting>> {
    let mut sightings = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sightings.extend(look_into_files(&path, canaries)?);
        } else {
            sightings.extend(look_into_text(&path.display().to_string(), &fs::read(&path)?, canaries));
        }
    }
    Ok(sightings)
}

/// Looks for the canaries in something that a program wrote.
pub fn look_into_text(what: &str, text: &[u8], canaries: &[Canary]) -> Vec<Sighting> {
    canaries
        .iter()
        .filter(|canary| memmem::find(text, &canary.bytes).is_some())
        .map(|canary| Sighting {
            what: canary.what.clone(),
            mapping: what.to_owned(),
            around: String::from_utf8_lossy(text).into_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_what_is_there() {
        let random: [u8; 24] = rand::random();
        let sightings = look(std::process::id(), &[Canary::new("a secret", random)]).unwrap();
        assert!(!sightings.is_empty());
        assert!(sightings.iter().all(|sighting| sighting.what == "a secret"));
    }

    #[test]
    fn only_what_can_be_read_is_looked_at() {
        assert_eq!(readable("7f00-7f10 ---p 00000000 00:00 0"), None);
        assert_eq!(readable("10-20 rw-p 00000000 00:00 0 [heap]"), Some((16, 32, "[heap]")));
        assert_eq!(readable("10-20 r--p 00000000 00:00 0"), Some((16, 32, "")));
    }
}
