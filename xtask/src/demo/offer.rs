//! What alice shares, and which of it bob fetches.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use protocol::{FileId, SafeName, match_rule::Query, root::FileHasher};
use sha2::{Digest, Sha256};

use crate::workspace;

const MIB: u64 = 1 << 20;
/// In all, so that the demo fits in a temporary folder twice and yet takes a while to fetch.
const SAMPLES_BYTES_MAX: u64 = 150 * MIB;
const SAMPLES_MAX: usize = 4;
/// A file below this is fetched before its progress is seen.
const SAMPLE_BYTES_MIN: u64 = MIB;
/// Larger files of a person's own folder are left alone: comparing them would take minutes.
const FETCHED_BYTES_MAX: u64 = 4 * 1024 * MIB;
/// As many entries are looked at in all, and as deep: a choice does not need more.
const ENTRIES_MAX: usize = 50_000;
const DEPTH_MAX: usize = 6;
/// Read at once while hashing.
const CHUNK_BYTES: usize = 256 * 1024;

/// The file that bob is to fetch.
pub(super) struct Offered {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) file: FileId,
    /// By another implementation's measure than ours: `sha256sum` prints the same.
    pub(super) sha256: String,
}

/// Copies a few large files that every machine with Rust has into `folder`; returns names and sizes. Copies,
/// so that nothing but them is shared.
pub(super) fn copy_samples(folder: &Path) -> Result<Vec<(String, u64)>> {
    let places = [workspace::sysroot()?.join("lib"), "/usr/lib".into(), "/usr/share".into()];
    let samples =
        places.iter().map(|place| choose_samples(candidates(place))).find(|chosen| !chosen.is_empty());
    let Some(samples) = samples else {
        bail!("no file of 1 to 150 MiB was found to share: name a folder with `--share DIR`");
    };
    let mut copied = Vec::new();
    for Candidate { path, name, size } in samples {
        fs::copy(&path, folder.join(&name)).with_context(|| {
            format!(
                "{} can't be copied: make room in {}, or name another place in TMPDIR",
                name,
                folder.display()
            )
        })?;
        copied.push((name, size));
    }
    Ok(copied)
}

/// The largest file of a folder that a search can find by its name.
pub(super) fn choose_in(folder: &Path) -> Result<Offered> {
    let fits = |candidate: &Candidate| (1..=FETCHED_BYTES_MAX).contains(&candidate.size);
    let largest = candidates(folder).into_iter().filter(fits).max_by_key(|candidate| candidate.size);
    let Some(Candidate { path, name, size }) = largest else {
        bail!(
            "{} has no file of up to 4 GiB whose name can be searched for: share another folder",
            folder.display()
        );
    };
    let (file, sha256) =
        identify(&path, size).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(Offered { path, name, file, sha256 })
}

pub(super) fn sha256(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    read_through(path, |chunk| hasher.update(chunk))
        .with_context(|| format!("{} can't be read", path.display()))?;
    Ok(hex::encode(hasher.finalize()))
}

fn identify(path: &Path, size: u64) -> Result<(FileId, String)> {
    let (mut tree, mut plain) = (FileHasher::new(size), Sha256::new());
    read_through(path, |chunk| {
        tree.update(chunk);
        plain.update(chunk);
    })?;
    let (file, _) = tree.finish()?;
    Ok((file, hex::encode(plain.finalize())))
}

fn read_through(path: &Path, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            read => take(&chunk[..read]),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    path: PathBuf,
    name: String,
    size: u64,
}

/// The largest that fit together, of different names.
fn choose_samples(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    let (mut chosen, mut room) = (Vec::<Candidate>::new(), SAMPLES_BYTES_MAX);
    for candidate in candidates {
        let is_new = chosen.iter().all(|other| other.name != candidate.name);
        if (SAMPLE_BYTES_MIN..=room).contains(&candidate.size) && is_new && chosen.len() < SAMPLES_MAX {
            room -= candidate.size;
            chosen.push(candidate);
        }
    }
    chosen
}

/// Plain files at and below a folder that have a visible, safe name which makes a query. What can't be read
/// is passed over, and links are not followed.
fn candidates(folder: &Path) -> Vec<Candidate> {
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            looked_at += 1;
            if looked_at > ENTRIES_MAX {
                return found;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            if metadata.is_dir() && depth < DEPTH_MAX && !name.starts_with('.') {
                folders.push((entry.path(), depth + 1));
            } else if metadata.is_file() && can_be_asked_for(&name) {
                found.push(Candidate { path: entry.path(), name, size: metadata.len() });
            }
        }
    }
    found
}

/// Whether a name is a query as it stands; one with a dash first would be read as a flag.
fn can_be_asked_for(name: &str) -> bool {
    !name.starts_with(['.', '-']) && SafeName::parse(name).is_ok() && Query::parse(name).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sha2::{Digest, Sha256};

    use super::{Candidate, MIB, candidates, choose_in, choose_samples, sha256};

    #[test]
    fn samples_are_the_largest_that_fit_together() {
        let candidate = |(name, mib): &(&str, u64)| Candidate {
            path: format!("/{name}/{mib}").into(),
            name: (*name).to_owned(),
            size: mib * MIB,
        };
        let all =
            [("small", 0), ("two", 20), ("huge", 151), ("two", 10), ("one", 120), ("four", 2), ("three", 9)];
        let chosen = choose_samples(all.iter().map(candidate).collect());
        let names: Vec<_> = chosen.iter().map(|chosen| (chosen.name.as_str(), chosen.size / MIB)).collect();
        assert_eq!(names, [("one", 120), ("two", 20), ("three", 9)]);
    }

    #[test]
    fn the_largest_file_with_a_searchable_name_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("a", &[1; 9]);
        write(".hidden file", &[1; 9]);
        write("-dashed file", &[1; 9]);
        write("some file", &[1; 2]);
        write("below/other file", &[1; 5]);
        std::os::unix::fs::symlink("a", folder.path().join("linked file")).unwrap();
        assert_eq!(candidates(folder.path()).len(), 2);
        let offered = choose_in(folder.path()).unwrap();
        assert_eq!((offered.name.as_str(), offered.file.size), ("other file", 5));
        assert_eq!(offered.sha256, hex::encode(Sha256::digest([1; 5])));
        assert_eq!(sha256(&offered.path).unwrap(), offered.sha256);
        assert!(choose_in(&folder.path().join("none")).is_err());
    }
}
