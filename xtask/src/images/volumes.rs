//! What is mounted into a container before it runs, as an engine does it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{compose::Service, image::User};
use crate::workspace::output;

/// What programs find in `/dev`.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// A volume of a service: `SOURCE:/PLACE` or `SOURCE:/PLACE:ro`.
struct Volume<'a> {
    source: &'a str,
    place: &'a str,
    is_read_only: bool,
}

impl<'a> Volume<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        match text.split(':').collect::<Vec<_>>()[..] {
            [source, place] => Ok(Self { source, place, is_read_only: false }),
            [source, place, "ro"] => Ok(Self { source, place, is_read_only: true }),
            _ => bail!("a volume is SOURCE:PLACE or SOURCE:PLACE:ro, and not {text}"),
        }
    }
}

/// Where named volumes are kept.
pub(super) struct Volumes {
    pub(super) folder: PathBuf,
    /// From where a service's relative paths are told.
    pub(super) docker: PathBuf,
}

impl Volumes {
    /// The folder of a named volume.
    pub(super) fn named(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Mounts what a service is given below `root`, and closes the rest where it says so.
    pub(super) fn mount(&self, service: &Service, root: &Path) -> Result<()> {
        bind(root, root, false)?;
        for volume in &service.volumes {
            let Volume { source, place, is_read_only } = Volume::parse(volume)?;
            let place = root.join(place.trim_start_matches('/'));
            let is_named = !source.starts_with('.');
            let source = if is_named { self.filled(source, &place)? } else { self.docker.join(source) };
            make_place(&source, &place)?;
            bind(&source, &place, is_read_only)?;
        }
        for tmpfs in &service.tmpfs {
            let (place, options) = tmpfs.split_once(':').context("a tmpfs is PLACE:OPTIONS")?;
            let place = root.join(place.trim_start_matches('/'));
            fs::create_dir_all(&place)?;
            output(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place))?;
        }
        let devices = root.join("dev");
        output(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "tmpfs"]).arg(&devices))?;
        for device in DEVICES {
            let (source, place) = (Path::new("/dev").join(device), devices.join(device));
            make_place(&source, &place)?;
            bind(&source, &place, false)?;
        }
        if service.read_only {
            output(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(root))?;
        }
        Ok(())
    }

    /// A named volume; a new one begins with what the image has in its place, owner and mode included.
    fn filled(&self, name: &str, place: &Path) -> Result<PathBuf> {
        let folder = self.named(name);
        if !folder.exists() {
            fs::create_dir_all(&self.folder)?;
            if place.exists() {
                output(
                    Command::new("cp").args(["--archive", "--no-target-directory"]).arg(place).arg(&folder),
                )?;
            } else {
                fs::create_dir(&folder)?;
            }
        }
        Ok(folder)
    }
}

/// Something to mount over.
fn make_place(source: &Path, place: &Path) -> Result<()> {
    if place.exists() {
        return Ok(());
    }
    if source.is_dir() {
        return Ok(fs::create_dir_all(place)?);
    }
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(place, "")?)
}

fn bind(source: &Path, place: &Path, is_read_only: bool) -> Result<()> {
    let options = if is_read_only { "bind,ro" } else { "bind" };
    output(Command::new("mount").args(["-o", options]).arg(source).arg(place)).map(drop)
}

/// That all in a folder belongs to one user.
pub(super) fn check_owner(folder: &Path, user: User) -> Result<usize> {
    let (mut folders, mut count) = (vec![folder.to_owned()], 0);
    while let Some(next) = folders.pop() {
        let found = fs::symlink_metadata(&next)?;
        let owner = User { id: found.uid(), group: found.gid() };
        ensure!(owner == user, "{} belongs to {}:{}", next.display(), owner.id, owner.group);
        count += 1;
        if found.is_dir() {
            let entries: io::Result<Vec<_>> = fs::read_dir(&next)?.map(|entry| Ok(entry?.path())).collect();
            folders.extend(entries?);
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::lchown;

    use super::*;

    #[test]
    fn a_file_of_somebody_else_is_found_however_deep() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        let found = fs::metadata(folder.path()).unwrap();
        let own = User { id: found.uid(), group: found.gid() };
        assert_eq!(check_owner(folder.path(), own).unwrap(), 4);
        // Only root may give a file away.
        if lchown(deep.join("file"), Some(own.id + 1), None).is_ok() {
            let error = check_owner(folder.path(), own).unwrap_err().to_string();
            assert!(error.contains("a/b/file belongs to"), "{error}");
        }
    }

    #[test]
    fn volumes_are_read_as_they_are_written() {
        let Volume { source, place, is_read_only } = Volume::parse("./a:/b:ro").unwrap();
        assert_eq!((source, place, is_read_only), ("./a", "/b", true));
        assert!(!Volume::parse("name:/b").unwrap().is_read_only);
        assert!(Volume::parse("name").is_err() && Volume::parse("a:/b:rw,z").is_err());
    }
}
