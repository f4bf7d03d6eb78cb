//! Takes up a partial file that an earlier process left: what is recorded counts, what is not is checked.

use std::sync::Arc;

use cap_std::fs::{Dir, MetadataExt as _};
use protocol::{
    FileId, SafeName,
    root::{FileHasher, PieceLayer},
};
use tokio_util::sync::CancellationToken;

use super::{
    assemble::{AssembleError, PartFile},
    plan::Plan,
    store::Remains,
};

/// Bytes read from the disk at a time.
const READ_BYTES: usize = 1024 * 1024;

/// What was found on the disk.
pub(super) enum Found {
    /// A partial file, and the pieces that are in it.
    Part(Arc<PartFile>, Plan),
    /// The process ended between the last rename and its record: the file is whole, under this name.
    Whole(SafeName),
    /// The partial file that this process has in use, and knows the pieces of.
    InUse(Arc<PartFile>),
    /// Nothing that could be used.
    Nothing,
}

/// What is known of a partial file that an earlier process left, or this one had to let go.
pub(super) struct Leftover<'a> {
    pub(super) name: &'a SafeName,
    pub(super) file: &'a FileId,
    pub(super) remains: &'a Remains,
    pub(super) layer: Option<&'a PieceLayer>,
    pub(super) boot_id: &'a str,
    /// Of who waits for it: a large file takes minutes, and whoever stops the download or the daemon does not wait.
    pub(super) token: &'a CancellationToken,
}

impl Leftover<'_> {
    /// Blocks, for as long as it takes to read what has to be checked.
    pub(super) fn look(&self, folder: &Dir) -> Result<Found, AssembleError> {
        let Self { name, file, remains, layer, boot_id, token } = self;
        let part = match PartFile::open(folder, &remains.part, name) {
            Ok(part) if part.is_recorded_as(remains.inode)? => part,
            // Another file has taken the name: it is not ours to write to.
            Ok(_) | Err(AssembleError::Gone(_)) => {
                let whole = find_whole(folder, file, remains.inode, token)?;
                return Ok(whole.map_or(Found::Nothing, Found::Whole));
            }
            Err(error) => return Err(error),
        };
        let Some(layer) = layer else {
            return Ok(Found::Part(Arc::new(part), Plan::new(**file)));
        };
        let mut plan = Plan::restore(**file, &remains.verified_bits);
        let is_same_boot = remains.boot_id == *boot_id;
        let written = part.written()?;
        for index in 0..file.piece_count() {
            if is_same_boot && plan.is_verified(index) {
                continue;
            }
            let is_there = file.piece_range(index).end <= written && is_right(&part, layer, index, token)?;
            if is_there { plan.mark_verified(index) } else { plan.mark_missing(index) }
        }
        Ok(Found::Part(Arc::new(part), plan))
    }
}

fn is_right(
    part: &PartFile,
    layer: &PieceLayer,
    index: u64,
    token: &CancellationToken,
) -> Result<bool, AssembleError> {
    let mut check = layer.piece_check(index);
    let mut offset = layer.file().piece_range(index).start;
    let mut buffer = vec![0; READ_BYTES];
    while check.remaining() > 0 {
        must_be_wanted(token)?;
        let length = usize::try_from(check.remaining()).unwrap_or(READ_BYTES).min(READ_BYTES);
        part.read_at(offset, &mut buffer[..length])?;
        check.update(&buffer[..length]);
        offset += length as u64;
    }
    Ok(check.finish())
}

/// The rename keeps the inode, so a whole file is found under whatever name it got; its content is checked.
fn find_whole(
    folder: &Dir,
    file: &FileId,
    inode: u64,
    token: &CancellationToken,
) -> Result<Option<SafeName>, AssembleError> {
    for entry in folder.entries()? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if !metadata.is_file() || metadata.ino() != inode || metadata.len() != file.size {
            continue;
        }
        let Some(name) = entry.file_name().to_str().and_then(|name| SafeName::parse(name).ok()) else {
            continue;
        };
        if hash(&entry.open()?.into_std(), file.size, token)? == Some(*file) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// What a file of this size is; `None` if it has another size.
pub(super) fn hash(
    mut file: &std::fs::File,
    size: u64,
    token: &CancellationToken,
) -> Result<Option<FileId>, AssembleError> {
    let mut hasher = FileHasher::new(size);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        must_be_wanted(token)?;
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hasher.finish().ok().map(|(file, _)| file)),
            length => hasher.update(&buffer[..length]),
        }
    }
}

fn must_be_wanted(token: &CancellationToken) -> Result<(), AssembleError> {
    if token.is_cancelled() { Err(AssembleError::Stopped) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;

    use super::*;
    use crate::downloads::assemble::ANNOUNCED;

    const MIB: usize = 1024 * 1024;

    struct Left {
        folder: tempfile::TempDir,
        dir: Dir,
        name: SafeName,
        content: Vec<u8>,
        file: FileId,
        layer: PieceLayer,
    }

    /// Three and a half pieces of content, of which the first two were written and one was recorded.
    fn left_behind() -> (Left, Remains) {
        let content: Vec<u8> = (0..=250).cycle().take(7 * MIB / 2).collect();
        let mut hasher = FileHasher::new(content.len() as u64);
        hasher.update(&content);
        let (file, layer) = hasher.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let name = SafeName::parse("film.mkv").unwrap();
        let part = PartFile::create(&dir, &name).unwrap();
        part.write_at(0, &content[..2 * MIB + 100]).unwrap();
        let remains = Remains {
            part: part.part_name().clone(),
            inode: part.inode().unwrap(),
            verified_bits: vec![0b0001],
            boot_id: "this boot".to_owned(),
        };
        (Left { folder, dir, name, content, file, layer }, remains)
    }

    impl Left {
        fn look(&self, remains: &Remains, boot_id: &str) -> Result<Found, AssembleError> {
            self.look_while(&CancellationToken::new(), remains, boot_id)
        }

        fn look_while(
            &self,
            token: &CancellationToken,
            remains: &Remains,
            boot_id: &str,
        ) -> Result<Found, AssembleError> {
            let Self { dir, name, file, layer, .. } = self;
            Leftover { name, file, remains, layer: Some(layer), boot_id, token }.look(dir)
        }
    }

    fn received(left: &Left, remains: &Remains, boot_id: &str) -> u64 {
        match left.look(remains, boot_id).unwrap() {
            Found::Part(_, plan) => plan.received(),
            Found::Whole(_) | Found::InUse(_) | Found::Nothing => panic!("the partial file was not found"),
        }
    }

    #[test]
    fn what_was_written_and_not_recorded_is_checked_and_counts() {
        let (left, remains) = left_behind();
        assert_eq!(received(&left, &remains, "this boot"), 2 * MIB as u64);
    }

    #[test]
    fn after_another_boot_what_was_recorded_is_checked_too() {
        let (left, remains) = left_behind();
        let part = PartFile::open(&left.dir, &remains.part, &left.name).unwrap();
        part.write_at(0, &[0; 10]).unwrap();
        assert_eq!(received(&left, &remains, "this boot"), 2 * MIB as u64, "recorded pieces count");
        assert_eq!(received(&left, &remains, "another boot"), MIB as u64, "a torn piece was taken for right");
    }

    #[test]
    fn a_file_that_was_finished_just_before_the_crash_is_found() {
        let (left, remains) = left_behind();
        let part = PartFile::open(&left.dir, &remains.part, &left.name).unwrap();
        part.write_at(0, &left.content).unwrap();
        let name = part.finish(protocol::Conflict::Rename).unwrap();
        let found = left.look(&remains, "x").unwrap();
        assert!(matches!(found, Found::Whole(found) if found == name));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_not_read_to_its_end() {
        let (left, remains) = left_behind();
        let token = CancellationToken::new();
        token.cancel();
        let is_stopped = |boot_id| {
            let looked = left.look_while(&token, &remains, boot_id);
            matches!(looked, Err(AssembleError::Stopped))
        };
        assert!(is_stopped("this boot") && is_stopped("another boot"));
        let part = PartFile::open(&left.dir, &remains.part, &left.name).unwrap();
        part.write_at(0, &left.content).unwrap();
        part.finish(protocol::Conflict::Rename).unwrap();
        assert!(is_stopped("this boot"), "found under its name");
    }

    #[test]
    fn a_file_that_was_created_just_before_the_crash_is_taken_up_unless_somebody_wrote_to_it() {
        let (left, remains) = left_behind();
        let announced = Remains { inode: ANNOUNCED, verified_bits: Vec::new(), ..remains };
        let found = || {
            let (Left { dir, name, file, .. }, token) = (&left, CancellationToken::new());
            Leftover { name, file, remains: &announced, layer: None, boot_id: "x", token: &token }
                .look(dir)
                .unwrap()
        };
        assert!(matches!(found(), Found::Nothing), "somebody else's content");
        let path = left.folder.path().join(announced.part.as_str());
        std::fs::write(&path, "").unwrap();
        assert!(matches!(found(), Found::Part(..)));
        std::fs::remove_file(path).unwrap();
        assert!(matches!(found(), Found::Nothing));
    }

    #[test]
    fn another_file_in_its_place_is_left_alone() {
        let (left, remains) = left_behind();
        let path = left.folder.path().join(remains.part.as_str());
        std::fs::write(left.folder.path().join("kept"), b"so that the inode is not given again").unwrap();
        std::fs::rename(left.folder.path().join("kept"), &path).unwrap();
        let found = left.look(&remains, "x").unwrap();
        assert!(matches!(found, Found::Nothing));
    }
}
