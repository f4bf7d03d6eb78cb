//! The library against real folders: what is found, what is offered, and what is handed out after a change.

mod folders;
mod shares;
mod watching;

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{FileExt as _, PermissionsExt as _, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use protocol::{
    FileId,
    control::Origin,
    match_rule::Query,
    root::FileHasher,
    search::{Match, Subject},
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Library, LibraryError, LibrarySummary, OpenError, OpenFile, Opened};
use crate::state::State;

/// Far longer than anything here takes: a test that hangs fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A share and a state directory, with a daemon's library over them that can be stopped and started again.
struct Shelf {
    dir: TempDir,
    library: Option<Library>,
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Shelf {
    async fn with(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("share")).unwrap();
        let mut shelf =
            Self { dir, library: None, tracker: TaskTracker::new(), token: CancellationToken::new() };
        for (path, content) in files {
            shelf.write(path, content);
        }
        shelf.start().await;
        shelf
    }

    async fn start(&mut self) {
        let state = State::open(&self.dir.path().join("state")).unwrap();
        (self.tracker, self.token) = (TaskTracker::new(), CancellationToken::new());
        let library =
            Library::start(state, &[(self.share(), Origin::Flag)], &self.tracker, self.token.clone())
                .unwrap();
        self.library = Some(library);
        self.settled().await;
    }

    async fn stop(&mut self) {
        self.library = None;
        self.token.cancel();
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.expect("the library did not stop");
    }

    fn library(&self) -> &Library {
        self.library.as_ref().unwrap()
    }

    async fn settled(&self) {
        tokio::time::timeout(PATIENCE, self.library().settled()).await.expect("the scan did not end");
    }

    async fn rescanned(&self) {
        self.library().rescan();
        self.settled().await;
    }

    fn share(&self) -> PathBuf {
        self.dir.path().join("share")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.share().join(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), content).unwrap();
    }

    fn search(&self, query: &str) -> Vec<Match> {
        self.library().search(&Subject::Query(Query::parse(query).unwrap()), 100)
    }

    fn names(&self, query: &str) -> Vec<String> {
        self.search(query).into_iter().map(|found| found.name.as_str().to_owned()).collect()
    }

    /// Opens a file that is large enough to be read as it is sent.
    async fn open(&self, file: &FileId) -> OpenFile {
        match self.library().open(file).await.unwrap() {
            Opened::OnDisk(open) => open,
            Opened::InMemory(_) => panic!("it was read already"),
        }
    }

    async fn content(&self, file: &FileId) -> Result<Vec<u8>, OpenError> {
        let layer = self.library().layer(file).await?;
        assert_eq!(layer.file(), *file);
        let content = match self.library().open(file).await? {
            Opened::InMemory(content) => content.to_vec(),
            Opened::OnDisk(mut open) => {
                let mut content = Vec::new();
                open.file.read_to_end(&mut content)?;
                assert!(open.is_unchanged()?);
                content
            }
        };
        Ok(content)
    }
}

fn id(content: &[u8]) -> FileId {
    let mut tree = FileHasher::new(content.len() as u64);
    tree.update(content);
    tree.finish().unwrap().0
}

/// Content of several pieces.
fn long(seed: u8) -> Vec<u8> {
    (0..3_500_000_u32).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[2] ^ seed).collect()
}

#[tokio::test]
async fn files_are_found_searched_and_opened() {
    let long = long(0);
    let shelf = Shelf::with(&[
        ("music/Summer Rain.flac", &long),
        ("summer rain in may.txt", b"text"),
        ("notes/empty", b""),
        ("copy/Summer Rain.flac", &long),
        (".hidden summer", b"secret"),
        ("summer.part", b"half"),
    ])
    .await;
    symlink("/etc/hostname", shelf.path("summer link")).unwrap();
    shelf.rescanned().await;

    let bytes = long.len() as u64 + 4;
    assert_eq!(shelf.library().summary(), LibrarySummary { files: 3, bytes, scanning: false });
    assert_eq!(shelf.names("summer rain"), ["Summer Rain.flac", "summer rain in may.txt"]);
    assert_eq!(shelf.names("rain summer flac"), ["Summer Rain.flac"]);
    assert_eq!(shelf.names("winter"), [""; 0]);
    let by_root = shelf.library().search(&Subject::File(id(&long)), 100);
    assert_eq!(by_root.len(), 1, "two paths of one file and name are one offer");

    assert_eq!(shelf.content(&id(&long)).await.unwrap(), long);
    assert_eq!(shelf.content(&id(b"")).await.unwrap(), b"");
    assert_eq!(shelf.library().find(&id(b"text")).unwrap().name.as_str(), "summer rain in may.txt");
    let other_size = FileId::new(id(b"text").root, 5).unwrap();
    assert_eq!(shelf.library().find(&other_size), None);
    assert!(matches!(shelf.content(&other_size).await, Err(OpenError::Gone)));
}

#[tokio::test]
async fn an_unchanged_share_is_not_read_again_after_a_restart() {
    let (long, other) = (long(0), long(1));
    let mut shelf = Shelf::with(&[("long", &long), ("short", b"short"), ("empty", b"")]).await;
    assert_eq!(shelf.library().hashed_bytes(), long.len() as u64 + 5);
    shelf.stop().await;
    shelf.start().await;
    assert_eq!(shelf.library().hashed_bytes(), 0);
    assert_eq!(shelf.content(&id(&long)).await.unwrap(), long);
    shelf.rescanned().await;
    assert_eq!(shelf.library().hashed_bytes(), 0);
    shelf.write("other", &other);
    shelf.rescanned().await;
    assert_eq!(shelf.library().hashed_bytes(), other.len() as u64, "only what is new is hashed");
    shelf.stop().await;
}

#[tokio::test]
async fn a_changed_file_is_refused_and_found_again_as_what_it_became() {
    let (before, after) = (long(0), long(1));
    let shelf = Shelf::with(&[("file.bin", &before)]).await;
    shelf.write("file.bin", &after);
    assert!(matches!(shelf.content(&id(&before)).await, Err(OpenError::Changed)));
    // The refusal itself asked for a look at the file.
    shelf.settled().await;
    assert_eq!(shelf.content(&id(&after)).await.unwrap(), after);
    assert_eq!(shelf.search("file.bin").len(), 1);
    // Who asks for what it was still learns that it has changed, until it is offered again.
    assert!(shelf.library().has_changed(&id(&before)));
    assert!(matches!(shelf.content(&id(&before)).await, Err(OpenError::Changed)));
    shelf.write("again.bin", &before);
    shelf.rescanned().await;
    assert_eq!(shelf.content(&id(&before)).await.unwrap(), before);
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_a_new_one_is_found() {
    let shelf = Shelf::with(&[("old", b"old content"), ("kept", b"kept content")]).await;
    fs::remove_file(shelf.path("old")).unwrap();
    assert!(matches!(shelf.content(&id(b"old content")).await, Err(OpenError::Gone)));
    shelf.settled().await;
    assert!(!shelf.library().has_changed(&id(b"old content")));
    assert_eq!(shelf.library().summary().files, 1);
    shelf.write("deep/er/new", b"new content");
    fs::rename(shelf.path("kept"), shelf.path("moved")).unwrap();
    shelf.rescanned().await;
    assert_eq!(shelf.content(&id(b"new content")).await.unwrap(), b"new content");
    assert_eq!(shelf.library().find(&id(b"kept content")).unwrap().name.as_str(), "moved");
    assert_eq!(shelf.library().summary().files, 2);
}

#[tokio::test]
async fn another_path_of_the_same_file_steps_in() {
    let long = long(0);
    let shelf = Shelf::with(&[("a.bin", &long), ("b.bin", &long)]).await;
    shelf.write("a.bin", b"something else");
    assert_eq!(shelf.content(&id(&long)).await.unwrap(), long);
    shelf.settled().await;
    assert_eq!(shelf.names("bin"), ["a.bin", "b.bin"]);
    assert_eq!(shelf.library().find(&id(&long)).unwrap().name.as_str(), "b.bin");
}

#[tokio::test]
async fn a_symlink_swapped_in_is_refused_wherever_it_is() {
    let secret = tempfile::tempdir().unwrap();
    let content = b"the very same content";
    fs::write(secret.path().join("file"), content).unwrap();

    let shelf = Shelf::with(&[("folder/file", content)]).await;
    fs::remove_file(shelf.path("folder/file")).unwrap();
    symlink(secret.path().join("file"), shelf.path("folder/file")).unwrap();
    assert!(matches!(shelf.content(&id(content)).await, Err(OpenError::Changed)));
    shelf.settled().await;
    assert_eq!(shelf.library().summary().files, 0);

    let shelf = Shelf::with(&[("folder/file", content)]).await;
    fs::rename(shelf.path("folder"), shelf.path("aside")).unwrap();
    symlink(shelf.path("aside"), shelf.path("folder")).unwrap();
    assert!(matches!(shelf.content(&id(content)).await, Err(OpenError::Changed)));
    shelf.rescanned().await;
    assert_eq!(shelf.content(&id(content)).await.unwrap(), content, "from where it was moved to");
}

#[tokio::test]
async fn a_change_while_a_file_is_read_shows_before_its_bytes_are_sent() {
    let [written, replaced, cut] = [0, 1, 2].map(long);
    let shelf = Shelf::with(&[("written", &written), ("replaced", &replaced), ("cut", &cut)]).await;

    let open = shelf.open(&id(&written)).await;
    assert!(open.is_unchanged().unwrap());
    let writer = fs::OpenOptions::new().write(true).open(shelf.path("written")).unwrap();
    writer.write_all_at(b"!", 2_000_000).unwrap();
    assert!(!open.is_unchanged().unwrap());
    shelf.settled().await;
    let written = fs::read(shelf.path("written")).unwrap();
    assert_eq!(shelf.content(&id(&written)).await.unwrap(), written, "found again by itself");

    let open = shelf.open(&id(&cut)).await;
    fs::OpenOptions::new().write(true).open(shelf.path("cut")).unwrap().set_len(3).unwrap();
    assert!(!open.is_unchanged().unwrap());

    // What is open stays the old file; whether or not it counts as changed, other bytes never come.
    let mut open = shelf.open(&id(&replaced)).await;
    shelf.write("new", b"the new content!");
    fs::rename(shelf.path("new"), shelf.path("replaced")).unwrap();
    let mut read = Vec::new();
    open.file.read_to_end(&mut read).unwrap();
    assert!(read == replaced || !open.is_unchanged().unwrap());

    shelf.library().note_changed(&id(&replaced));
    shelf.settled().await;
    assert_eq!(shelf.content(&id(b"the new content!")).await.unwrap(), b"the new content!");
}

#[tokio::test]
async fn a_damaged_record_is_made_anew() {
    let long = long(0);
    let shelf = Shelf::with(&[("file", &long)]).await;
    let damage = "UPDATE hash_cache SET layer = zeroblob(128)";
    shelf.library().shared.cache.state().with(|connection| connection.execute(damage, [])).unwrap();
    assert!(matches!(shelf.content(&id(&long)).await, Err(OpenError::Changed)));
    shelf.rescanned().await;
    assert_eq!(shelf.content(&id(&long)).await.unwrap(), long);
}

#[tokio::test]
async fn a_file_that_is_still_growing_is_shared_once_it_rests() {
    let shelf = Shelf::with(&[]).await;
    let mut writer = fs::File::create(shelf.path("growing")).unwrap();
    for _ in 0..4 {
        writer.write_all(&long(0)).unwrap();
        shelf.library().rescan();
        writer.write_all(&long(1)).unwrap();
    }
    let whole = [long(0), long(1)].concat().repeat(4);
    shelf.rescanned().await;
    assert_eq!(shelf.content(&id(&whole)).await.unwrap(), whole);
}

#[tokio::test]
async fn a_share_that_is_not_there_stops_the_start_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let start = |share: &Path| {
        let state = State::open(&dir.path().join("state")).unwrap();
        let shares = [(share.to_owned(), Origin::File)];
        match Library::start(state, &shares, &TaskTracker::new(), CancellationToken::new()) {
            Err(error) => error,
            Ok(_) => panic!("started"),
        }
    };
    let error = start(&dir.path().join("nothing"));
    assert!(matches!(error, LibraryError::Missing { .. }) && error.to_string().contains("nothing"));
    assert!(matches!(start(&file), LibraryError::NotAFolder { .. }));
}

#[tokio::test]
async fn a_running_scan_ends_when_the_daemon_stops() {
    let mut shelf = Shelf::with(&[]).await;
    for number in 0..50 {
        shelf.write(&number.to_string(), &long(number));
    }
    let library = shelf.library().clone();
    library.rescan();
    shelf.stop().await;
    // Nobody waits for a library that has stopped.
    tokio::time::timeout(PATIENCE, library.settled()).await.unwrap();
}

/// Root reads everything, so the test runs itself again as another user.
#[test]
fn what_this_user_may_not_read_is_passed_over() {
    const NAME: &str = "library::tests::what_this_user_may_not_read_is_passed_over";
    const NOBODY: u32 = 65_534;
    if rustix::process::geteuid().is_root() {
        let exe = tempfile::tempdir().unwrap();
        fs::set_permissions(exe.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = exe.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let again =
            Command::new(copy).args(["--exact", NAME]).current_dir("/").uid(NOBODY).gid(NOBODY).output();
        let again = again.unwrap();
        let told = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shelf =
            Shelf::with(&[("closed/file", b"in a closed folder"), ("shut", b"shut"), ("open", b"open")])
                .await;
        for path in ["closed", "shut"] {
            fs::set_permissions(shelf.path(path), fs::Permissions::from_mode(0o000)).unwrap();
        }
        assert!(matches!(shelf.content(&id(b"in a closed folder")).await, Err(OpenError::Io(_))));
        shelf.rescanned().await;
        assert_eq!(shelf.library().summary().files, 1);
        assert_eq!(shelf.content(&id(b"open")).await.unwrap(), b"open");
        fs::set_permissions(shelf.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        shelf.rescanned().await;
        assert_eq!(shelf.library().summary().files, 2);
    });
}
