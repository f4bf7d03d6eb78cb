//! Folders that are offered as a whole.

use std::fs;

use protocol::{FolderSummary, control::Origin, folder::Listing, link::Link, search::Subject};
use tokio_util::sync::CancellationToken;

use super::{Shelf, id, long};
use crate::library::{NoLink, OpenError, shares};

impl Shelf {
    /// With all of its folders offered as a whole.
    async fn whole(files: &[(&str, &[u8])]) -> Self {
        let shelf = Self::with(files).await;
        shelf.set_whole(true).await;
        shelf
    }

    async fn set_whole(&self, whole: bool) {
        self.library().add_share(&self.share(), Some(whole)).unwrap();
        self.settled().await;
    }

    /// The only folder that is found by this name.
    fn folder_named(&self, name: &str) -> Option<(protocol::FileId, FolderSummary)> {
        let found = self.search(name).into_iter().filter(|found| found.name.as_str() == name);
        let mut folders = found.filter_map(|found| Some((found.file().unwrap(), found.folder?)));
        let folder = folders.next();
        assert_eq!(folders.next(), None);
        folder
    }

    async fn listed(&self, name: &str) -> Result<Vec<(String, u64)>, OpenError> {
        let (file, summary) = self.folder_named(name).expect("it is offered");
        let listing = Listing::from_bytes(&self.content(&file).await?).unwrap();
        assert_eq!(listing.summary(), summary);
        let files = listing.files().iter();
        Ok(files
            .map(|file| {
                assert!(self.library().find(&file.id().unwrap()).is_some());
                (file.path.to_string(), file.size)
            })
            .collect())
    }
}

#[tokio::test]
async fn folders_are_offered_as_a_whole_only_where_their_owner_says_so() {
    let files: [(&str, &[u8]); 5] = [
        ("summer rain/one.ogg", b"1"),
        ("summer rain/disc two/three.ogg", b"333"),
        ("summer rain/disc two/empty.txt", b""),
        ("summer rain/.cover", b"hidden"),
        ("loose.ogg", b"22"),
    ];
    let mut shelf = Shelf::with(&files).await;
    assert_eq!(shelf.folder_named("summer rain"), None);
    assert!(shelf.library().link(&shelf.path("summer rain")) == Err(NoLink::NotWhole));

    shelf.set_whole(true).await;
    let of = |files: &[(&str, u64)]| files.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
    let rain: Vec<_> = of(&[("disc two/empty.txt", 0), ("disc two/three.ogg", 3), ("one.ogg", 1)]);
    assert_eq!(shelf.listed("summer rain").await.unwrap(), rain);
    assert_eq!(shelf.listed("disc two").await.unwrap(), of(&[("empty.txt", 0), ("three.ogg", 3)]) as Vec<_>);
    assert_eq!(shelf.listed("share").await.unwrap().len(), 4, "the share itself, too");
    let (folder, _) = shelf.folder_named("summer rain").unwrap();
    let by_root = shelf.library().search(&Subject::File(folder), 100);
    assert_eq!(by_root.len(), 1);
    assert_eq!(by_root[0].folder, Some(FolderSummary { files: 3, bytes: 4 }));
    assert_eq!(shelf.library().find(&folder).unwrap().folder, by_root[0].folder);

    let link = shelf.library().link(&shelf.path("summer rain")).unwrap();
    assert_eq!(link.folder, by_root[0].folder);
    assert_eq!(link.link.parse::<Link>().unwrap().file, folder);
    assert_eq!(shelf.library().link(&shelf.path("summer rain/.cover")), Err(NoLink::PassedOver));
    let token = CancellationToken::new();
    let preview = shelf.library().preview(&shelf.path("summer rain"), &token).unwrap();
    assert_eq!((preview.folders, preview.whole_folders, preview.too_large_folders), (true, 2, 0));

    shelf.stop().await;
    shelf.start().await;
    assert_eq!(shelf.listed("summer rain").await.unwrap(), rain, "also after a restart");
    let share = shelf.library().shares().shares.remove(0);
    assert_eq!((share.folders, share.whole_folders, share.too_large_folders), (true, 3, 0));
    shelf.library().add_share(&shelf.share(), None).unwrap();
    assert!(shelf.folder_named("summer rain").is_some(), "what is not said stays");

    shelf.library().add_share(&shelf.share(), Some(false)).unwrap();
    assert_eq!(shelf.folder_named("summer rain"), None, "at once");
    assert!(matches!(shelf.content(&folder).await, Err(OpenError::Gone)));
    assert!(!shelf.library().has_changed(&folder), "it is there, and not offered");
    shelf.stop().await;
}

#[tokio::test]
async fn a_folder_that_is_another_one_by_now_is_said_to_have_changed() {
    let long = long(0);
    let shelf = Shelf::whole(&[("album/one", &long), ("album/two", b"2"), ("other/three", b"3")]).await;
    let (before, _) = shelf.folder_named("album").unwrap();
    let (other, _) = shelf.folder_named("other").unwrap();

    // Before anybody has looked, only the disk knows.
    shelf.write("album/two", b"changed");
    assert!(matches!(shelf.content(&before).await, Err(OpenError::Changed)));
    shelf.settled().await;
    let (changed, _) = shelf.folder_named("album").unwrap();
    assert_ne!(changed, before);
    assert!(shelf.library().has_changed(&before) && shelf.library().find(&before).is_none());
    assert_eq!(shelf.content(&id(&long)).await.unwrap(), long, "a file that did not is had as before");

    shelf.write("album/three", b"added");
    shelf.rescanned().await;
    assert!(shelf.library().has_changed(&changed));
    fs::remove_file(shelf.path("album/three")).unwrap();
    shelf.rescanned().await;
    assert_eq!(shelf.folder_named("album").unwrap().0, changed, "as it was");

    fs::remove_dir_all(shelf.path("album")).unwrap();
    assert!(matches!(shelf.content(&changed).await, Err(OpenError::Gone)));
    shelf.rescanned().await;
    assert!(!shelf.library().has_changed(&other) && shelf.folder_named("other").is_some());
    assert_eq!(shelf.folder_named("album"), None);
}

#[tokio::test]
async fn a_folder_is_not_offered_as_a_whole_before_all_of_it_is_read() {
    let shelf = Shelf::whole(&[("other/first", b"1")]).await;
    for number in 0..40 {
        shelf.write(&format!("album/{number}"), &long(number));
    }
    shelf.library().rescan();
    let mut seen = 0;
    // While it is being read.
    while shelf.library().summary().scanning {
        if let Some((_, summary)) = shelf.folder_named("album") {
            assert_eq!(summary.files, 40);
        }
        seen = shelf.library().summary().files.max(seen);
        tokio::task::yield_now().await;
    }
    assert_eq!((seen, shelf.folder_named("album").unwrap().1.files), (41, 40));
}

#[tokio::test]
async fn a_share_that_is_taken_out_is_offered_by_its_files_only_when_it_comes_back() {
    let mut shelf = Shelf::with(&[]).await;
    let more = shelf.dir.path().join("more");
    fs::create_dir(&more).unwrap();
    fs::write(more.join("late song.ogg"), "late").unwrap();
    shelf.library().add_share(&more, Some(true)).unwrap();
    shelf.settled().await;
    assert!(shelf.folder_named("more").is_some());
    shelf.library().remove_share(&more).unwrap();
    assert_eq!(shelf.folder_named("more"), None);
    let configured = [(more.clone(), Origin::File)];
    let at_next_start = shares::at_start(&shelf.library().shared.state, &configured).unwrap();
    assert!(!at_next_start[0].is_whole, "nor where the configuration has it by then");
    shelf.library().add_share(&more, None).unwrap();
    shelf.settled().await;
    assert_eq!(shelf.folder_named("more"), None);
    let origins = shelf.library().shares().shares;
    assert_eq!((origins[1].origin, origins[1].folders), (Origin::RunTime, false));
    shelf.stop().await;
}
