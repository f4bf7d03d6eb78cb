//! Shares that are added and taken out while the library runs.

use std::{fs, os::unix::fs::symlink};

use protocol::{control::Origin, link::Link};
use tokio_util::sync::CancellationToken;

use super::{Shelf, id, long};
use crate::library::{LibraryError, NoLink, OpenError, PreviewError, ShareError};

impl Shelf {
    /// Makes a folder beside the share, with one file in it.
    fn folder(&self, name: &str, file: &str, content: &[u8]) -> std::path::PathBuf {
        let folder = self.dir.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), content).unwrap();
        folder
    }

    fn origins(&self) -> Vec<(String, Origin, u64, u64)> {
        let shares = self.library().shares().shares.into_iter();
        shares
            .map(|share| {
                let name = share.path.rsplit('/').next().unwrap_or_default().to_owned();
                (name, share.origin, share.files, share.bytes)
            })
            .collect()
    }
}

#[tokio::test]
async fn a_folder_added_at_run_time_is_shared_until_it_is_taken_out() {
    let mut shelf = Shelf::with(&[("song.ogg", b"song")]).await;
    let late = long(0);
    let more = shelf.folder("more", "late song.ogg", &late);
    shelf.library().add_share(&more, None).unwrap();
    shelf.library().add_share(&more, None).expect("adding it again is no error");
    shelf.settled().await;
    assert_eq!(shelf.names("song"), ["song.ogg", "late song.ogg"]);
    let both = [("share".to_owned(), Origin::Flag, 1, 4), ("more".to_owned(), Origin::RunTime, 1, 3_500_000)];
    assert_eq!(shelf.origins(), both);

    shelf.stop().await;
    shelf.start().await;
    assert_eq!(shelf.origins(), both, "it is remembered");

    let open = shelf.open(&id(&late)).await;
    assert!(open.is_unchanged().unwrap());
    shelf.library().remove_share(&more).unwrap();
    assert_eq!(shelf.names("song"), ["song.ogg"], "at once");
    assert!(matches!(shelf.content(&id(&late)).await, Err(OpenError::Gone)));
    assert!(!open.is_unchanged().unwrap(), "what is being sent of it ends");
    drop(open);
    assert!(matches!(shelf.library().remove_share(&more), Err(ShareError::Unknown)));
    shelf.stop().await;
    shelf.start().await;
    assert_eq!(shelf.origins(), both[..1]);
}

#[tokio::test]
async fn a_scan_that_runs_does_not_bring_a_share_back() {
    let shelf = Shelf::with(&[]).await;
    let more = shelf.folder("more", "song 0.ogg", b"song");
    for number in 1..40 {
        fs::write(more.join(format!("song {number}.ogg")), long(number)).unwrap();
    }
    shelf.library().add_share(&more, None).unwrap();
    // In the middle of hashing them.
    while shelf.library().summary().files == 0 {
        tokio::task::yield_now().await;
    }
    shelf.library().remove_share(&more).unwrap();
    assert_eq!(shelf.library().summary().files, 0);
    shelf.settled().await;
    assert_eq!(shelf.library().summary().files, 0);
}

#[tokio::test]
async fn of_a_share_that_is_taken_out_nothing_more_is_read() {
    let shelf = Shelf::with(&[]).await;
    let more = shelf.folder("more", "a song.ogg", b"song");
    // More than can be read before the test's patience ends, and nothing on the disk.
    fs::File::create(more.join("large")).unwrap().set_len(1 << 40).unwrap();
    shelf.library().add_share(&more, None).unwrap();
    // What is ready is published before a large file is read.
    while shelf.library().summary().files == 0 {
        tokio::task::yield_now().await;
    }
    shelf.library().remove_share(&more).unwrap();
    shelf.settled().await;
}

#[tokio::test]
async fn what_can_not_be_shared_is_refused_with_its_reason() {
    let mut shelf = Shelf::with(&[("song.ogg", b"song")]).await;
    let library = shelf.library().clone();
    let refused = |path: &str| match library.add_share(&shelf.dir.path().join(path), None) {
        Err(ShareError::Unusable(error)) => error,
        other => panic!("{path}: {other:?}"),
    };
    assert!(matches!(refused("nothing"), LibraryError::Missing { .. }));
    assert!(matches!(refused("share/song.ogg"), LibraryError::NotAFolder { .. }));
    // The keys of this peer are in it.
    for path in ["", "state", "share/../state"] {
        assert!(matches!(refused(path), LibraryError::HoldsState { .. }), "{path}");
    }
    assert!(matches!(
        shelf.library().remove_share(&shelf.share()),
        Err(ShareError::Configured(Origin::Flag))
    ));
    drop(library);

    // A disk that is away does not keep the daemon from starting.
    let more = shelf.folder("more", "late song.ogg", b"late song");
    shelf.library().add_share(&more, None).unwrap();
    shelf.stop().await;
    fs::remove_dir_all(&more).unwrap();
    shelf.start().await;
    let shares = shelf.library().shares().shares;
    assert_eq!(shares[0].problem, None);
    assert!(shares[1].problem.as_ref().is_some_and(|problem| problem.contains("not there")), "{shares:?}");
    shelf.library().remove_share(&more).unwrap();
    assert_eq!(shelf.origins().len(), 1);
}

#[tokio::test]
async fn a_preview_shows_what_others_would_see_and_shares_nothing() {
    let shelf = Shelf::with(&[]).await;
    let folder = shelf.folder("private", "b.txt", b"bb");
    shelf.folder("private/deep", "a.txt", b"a");
    shelf.folder("private/.ssh", "id", b"secret");
    fs::write(folder.join(".profile"), "hidden").unwrap();
    fs::write(folder.join("film.part"), "half").unwrap();
    symlink("/etc", folder.join("etc")).unwrap();

    let preview = shelf.library().preview(&folder, &CancellationToken::new()).unwrap();
    let first: Vec<_> = preview.first.iter().map(|file| (file.name.as_str(), file.size)).collect();
    assert_eq!(first, [("b.txt", 2), ("a.txt", 1)]);
    assert_eq!((preview.files, preview.bytes), (2, 3));
    assert_eq!((preview.hidden, preview.links, preview.others), (2, 1, 1));
    assert_eq!((preview.unreadable, preview.beyond_limits), (0, 0));
    assert_eq!(shelf.library().summary().files, 0);

    let ended = CancellationToken::new();
    ended.cancel();
    assert!(matches!(shelf.library().preview(&folder, &ended), Err(PreviewError::TooLong)));
    let missing = shelf.library().preview(&folder.join("x"), &ended);
    assert!(matches!(missing, Err(PreviewError::Unusable(LibraryError::Missing { .. }))));
}

#[tokio::test]
async fn a_shared_file_has_a_link_and_others_have_a_reason() {
    let shelf = Shelf::with(&[("music/Ä song.ogg", b"song"), (".hidden song", b"hidden")]).await;
    let document = shelf.library().link(&shelf.path("music/Ä song.ogg")).unwrap();
    let link: Link = document.link.parse().unwrap();
    assert_eq!((link.file, link.name.as_str()), (id(b"song"), "Ä song.ogg"));
    symlink(shelf.path("music/Ä song.ogg"), shelf.path("other name")).unwrap();
    assert_eq!(shelf.library().link(&shelf.path("other name")), Ok(document), "of the file behind it");

    let no_link = |path: &str| shelf.library().link(&shelf.path(path)).unwrap_err();
    assert_eq!(no_link("nothing"), NoLink::Missing);
    assert_eq!(no_link("music"), NoLink::NotWhole);
    assert_eq!(no_link(".hidden song"), NoLink::PassedOver);
    assert_eq!(no_link("../state/state.db"), NoLink::Outside);
    shelf.write("music/Ä song.ogg", b"another song");
    assert_eq!(no_link("music/Ä song.ogg"), NoLink::NotRead, "the link would be to what it was");
    shelf.settled().await;
    assert!(shelf.library().link(&shelf.path("music/Ä song.ogg")).is_ok());
}
