//! Downloads as earlier versions of the program kept them go on in this one.

use protocol::{
    Conflict, FileId, Root,
    control::{Cause, DownloadState},
    root::FileHasher,
};

use super::{
    entry::DownloadId,
    store::{DownloadStore, Loaded},
};
use crate::state::State;

/// Enough for two pieces, so that there is a layer.
const SIZE: u64 = (1 << 20) + 1;

/// The first version that kept downloads: with sentences, and the layer in the same table.
const SENTENCES: usize = 3;
/// With steps in place of sentences.
const STEPS: usize = 4;
/// With layers in a table of their own, and with what is done where a name is taken.
const LAYERS: usize = 5;

/// What steps were, as they were written.
const FAILED: &str = r#"{"state":"failed","step":{"step":"told","sentence":"it's \"gone\"","cause":"file_gone"},
    "at":{"secs_since_epoch":2,"nanos_since_epoch":0}}"#;
const WAITING: &str = r#"{"state":"waiting","step":{"step":"queued","position":2,"reason":"busy"},
    "at":{"secs_since_epoch":3,"nanos_since_epoch":0},"errand":null,"setbacks":1,"stuck_since":null,"setback":null,
    "had_stream":true,"tried":{"sources":[],"round":0},"introduction":null}"#;
const TOLD: &str = r#"{"step":"told","sentence":"it's \"gone\"","cause":null}"#;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn zeros() -> (FileId, Vec<u8>) {
    let mut hasher = FileHasher::new(SIZE);
    hasher.update(&vec![0; usize::try_from(SIZE).unwrap()]);
    let (file, layer) = hasher.finish().unwrap();
    (file, layer.to_bytes())
}

/// A download that failed (1) and one that waits (4), of which one piece was there, in a version's own form.
fn rows(version: usize) -> String {
    let (file, layer) = zeros();
    let (root, layer) = (hex::encode(file.root.as_bytes()), hex::encode(layer));
    let source = format!("'song.flac', x'{root}', {SIZE}, 'alice', zeroblob(32), zeroblob(32)");
    let path = "CAST('/x/song.flac' AS BLOB)";
    let remains = "'song.flac.part', 7, x'01', 'b'";
    let columns = "id, name, root, size, username, reply_key, certificate_sha256";
    let (failed, waiting, told) = (quoted(FAILED), quoted(WAITING), quoted(TOLD));
    let with_steps = format!(
        "INSERT INTO downloads ({columns}, path, life) VALUES (1, {source}, {path}, {failed});
         INSERT INTO downloads ({columns}, path, life, part, inode, verified, boot_id)
             VALUES (4, {source}, {path}, {waiting}, {remains});
         INSERT INTO download_changes (download, at_ms, state, step) VALUES (1, 1000, 'queued', '{{\"step\":\"added\"}}');
         INSERT INTO download_changes (download, at_ms, state, step) VALUES (1, 2000, 'failed', {told});"
    );
    match version {
        SENTENCES => format!(
            "INSERT INTO downloads VALUES (1, {source}, 'failed', 'it''s \"gone\"', 'file_gone', {path}, 0,
                 NULL, NULL, NULL, NULL, NULL);
             INSERT INTO downloads VALUES (4, {source}, 'waiting', NULL, NULL, {path}, 2, {remains}, x'{layer}');
             INSERT INTO download_changes VALUES (1, 1000, 'queued', NULL);
             INSERT INTO download_changes VALUES (1, 2000, 'failed', 'it''s \"gone\"');"
        ),
        STEPS => format!("{with_steps} UPDATE downloads SET layer = x'{layer}' WHERE id = 4;"),
        _ => format!("{with_steps} INSERT INTO download_layers VALUES (4, x'{layer}');"),
    }
}

#[test]
fn downloads_of_any_earlier_version_go_on_with_what_was_told_of_them() {
    let (file, layer) = zeros();
    assert_ne!(file.root, Root::from_bytes([0; 32]));
    for version in [SENTENCES, STEPS, LAYERS] {
        let dir = tempfile::tempdir().unwrap();
        State::leave_earlier_version(dir.path(), version, &rows(version));
        let store = DownloadStore::new(State::open(dir.path()).unwrap());
        let Loaded { records, last_id } = store.load().unwrap();
        let [(failed, None), (waiting, Some(remains))] = &records[..] else {
            panic!("of version {version}: {records:?}")
        };
        assert_eq!((last_id, failed.life.state()), (4, DownloadState::Failed), "of version {version}");
        assert_eq!(failed.life.step().reason().as_deref(), Some("it's \"gone\""), "of version {version}");
        assert_eq!(failed.life.cause(), Some(Cause::FileGone), "of version {version}");
        assert_eq!(
            (waiting.life.state(), remains.inode, waiting.conflict),
            (DownloadState::Waiting, 7, Conflict::Rename),
            "of version {version}"
        );
        assert!(format!("{waiting:?}").contains("had_stream: true"), "of version {version}: {waiting:?}");
        let kept = store.layer(DownloadId(4), &file).unwrap().map(|layer| layer.to_bytes());
        assert_eq!(kept.as_deref(), Some(&layer[..]), "of version {version}");
        let told: Vec<_> =
            store.changes(DownloadId(1)).unwrap().iter().map(|change| change.step.reason()).collect();
        assert_eq!(told, [None, Some("it's \"gone\"".to_owned())], "of version {version}");
    }
}
