//! Two peers with an introduction between them, and a shelf whose files can change.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write as _},
    ops::Range,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use peer_daemon::{
    introductions::identity::Identity,
    peer_stream::{
        client::{FileBody, Requester, StreamError},
        limits::StreamLimits,
        offered::Offered,
        progress::ServeProgress,
        server::{Offer, ServeError, Served, Steering, serve},
        shelf::{OnShelf, Shelf, ShelfError, ShelfFile},
    },
};
use protocol::{
    FileId, FolderContent, IntroductionId, MessageKey,
    folder::{ListedFile, Listing, RelativePath, identity},
    root::{FileHasher, PieceLayer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

/// Long enough for any honest step, short enough that a hanging test is seen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// For tests that wait for a limit to strike, on a stream that is there.
pub(crate) const SHORT: StreamLimits = StreamLimits {
    handshake: PATIENCE,
    proof: Duration::from_millis(300),
    idle: Duration::from_millis(300),
    head: Duration::from_millis(600),
    piece_layer: Duration::from_millis(300),
    last_read: Duration::from_millis(300),
};

/// Bytes that differ from piece to piece.
pub(crate) fn content(size: usize) -> Vec<u8> {
    let low_byte = |number: usize| number.to_le_bytes()[0];
    (0..size).map(|at| low_byte(at.wrapping_mul(2_654_435_761) >> 13) ^ low_byte(at >> 20)).collect()
}

pub(crate) fn identify(content: &[u8]) -> (FileId, PieceLayer) {
    let mut hasher = FileHasher::new(content.len() as u64);
    hasher.update(content);
    hasher.finish().unwrap()
}

/// Files on disk, by identity.
#[derive(Default)]
pub(crate) struct TestShelf {
    files: Mutex<HashMap<FileId, Result<TestFile, ShelfError>>>,
    folders: Mutex<HashMap<FileId, FolderContent>>,
    pub(crate) disk: Arc<TestDisk>,
    /// How often readers were given up.
    pub(crate) left: AtomicUsize,
}

#[derive(Clone)]
pub(crate) struct TestFile {
    file: Arc<File>,
    layer: Arc<PieceLayer>,
    is_changed: Arc<AtomicBool>,
    disk: Arc<TestDisk>,
}

/// Answers unless it is told not to.
#[derive(Default)]
pub(crate) struct TestDisk {
    is_silent: Mutex<bool>,
    answers: Condvar,
}

impl TestDisk {
    /// Until what is returned is dropped: a runtime waits for its threads, also after a test that failed.
    pub(crate) fn fall_silent(self: &Arc<Self>) -> Silence {
        *self.is_silent.lock().unwrap() = true;
        Silence(Arc::clone(self))
    }
    /// Blocks until it answers.
    fn wait(&self) {
        let is_silent = self.is_silent.lock().unwrap();
        drop(self.answers.wait_while(is_silent, |is_silent| *is_silent).unwrap());
    }
}

pub(crate) struct Silence(Arc<TestDisk>);

impl Drop for Silence {
    fn drop(&mut self) {
        *self.0.is_silent.lock().unwrap() = false;
        self.0.answers.notify_all();
    }
}

impl TestShelf {
    pub(crate) fn add(&self, content: &[u8]) -> FileId {
        let (id, layer) = identify(content);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let (file, layer, disk) = (Arc::new(file), Arc::new(layer), Arc::clone(&self.disk));
        let file = TestFile { file, layer, is_changed: Arc::default(), disk };
        self.files.lock().unwrap().insert(id, Ok(file));
        id
    }
    /// A folder of files that were added, in this order.
    pub(crate) fn add_folder(&self, files: &[FileId]) -> (FileId, FolderContent) {
        let listed = files.iter().enumerate().map(|(number, file)| ListedFile {
            path: RelativePath::parse(&format!("{number:03}")).unwrap(),
            size: file.size,
            root: file.root,
        });
        let listing = Listing::new(listed.collect()).unwrap();
        let (folder, content) = (identity(&listing.to_bytes()).unwrap(), FolderContent::of(&listing));
        self.folders.lock().unwrap().insert(folder, content.clone());
        (folder, content)
    }
    /// From now on the file can't be opened.
    pub(crate) fn fail(&self, id: FileId, error: ShelfError) {
        self.files.lock().unwrap().insert(id, Err(error));
    }
    /// The file changes, also for those who have it open.
    pub(crate) fn change(&self, id: FileId) {
        if let Some(Ok(file)) = self.files.lock().unwrap().get(&id) {
            file.is_changed.store(true, Ordering::SeqCst);
        }
    }
}

impl Shelf for TestShelf {
    type File = TestFile;
    async fn open(&self, id: &FileId) -> Result<OnShelf<TestFile>, ShelfError> {
        self.files.lock().unwrap().get(id).cloned().unwrap_or(Err(ShelfError::Gone)).map(OnShelf::OnDisk)
    }
    async fn layer(&self, id: &FileId) -> Result<PieceLayer, ShelfError> {
        let file = self.files.lock().unwrap().get(id).cloned().unwrap_or(Err(ShelfError::Gone))?;
        Ok(PieceLayer::clone(&file.layer))
    }
    async fn content(&self, folder: &FileId) -> Result<FolderContent, ShelfError> {
        self.folders.lock().unwrap().get(folder).cloned().ok_or(ShelfError::Gone)
    }
    fn leave_readers(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }
}

impl ShelfFile for TestFile {
    fn file(&self) -> &File {
        &self.file
    }
    fn is_unchanged(&self) -> io::Result<bool> {
        self.disk.wait();
        Ok(!self.is_changed.load(Ordering::SeqCst))
    }
}

/// A requester and a target that have been introduced.
pub(crate) struct Peers {
    pub(crate) requester: Identity,
    pub(crate) target: Arc<Identity>,
    pub(crate) shelf: Arc<TestShelf>,
    pub(crate) offer: Offer,
    pub(crate) offered: Vec<FileId>,
    pub(crate) progress: Arc<ServeProgress>,
    pub(crate) steering: Steering,
    pub(crate) limits: StreamLimits,
}

pub(crate) type Serving = JoinHandle<Result<Served, ServeError>>;

impl Peers {
    pub(crate) fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH;
        let requester = Identity::generate(now).unwrap();
        let offer = Offer {
            id: IntroductionId::random(),
            message_key: MessageKey::random(),
            requester_certificate: requester.requester_certificate_sha256(),
            files: Offered::default(),
        };
        Self {
            requester,
            offered: Vec::new(),
            target: Arc::new(Identity::generate(now).unwrap()),
            shelf: Arc::default(),
            offer,
            progress: Arc::default(),
            steering: Steering::default(),
            limits: StreamLimits::default(),
        }
    }

    pub(crate) fn with_limits(limits: StreamLimits) -> Self {
        Self { limits, ..Self::new() }
    }

    pub(crate) fn offering(content: &[u8]) -> (Self, FileId) {
        let mut peers = Self::new();
        let file = peers.offer(content);
        (peers, file)
    }

    pub(crate) fn offer(&mut self, content: &[u8]) -> FileId {
        let file = self.shelf.add(content);
        self.offered.push(file);
        self.offer.files = Offered::new(&self.offered, []);
        file
    }

    /// The target serves one end of a stream.
    pub(crate) fn serve(&self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Serving {
        self.serve_for(&self.progress, io)
    }

    /// The same for one time of several that it serves.
    pub(crate) fn serve_for(
        &self,
        progress: &Arc<ServeProgress>,
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Serving {
        let (target, files) = (Arc::clone(&self.target), Arc::clone(&self.shelf));
        let (offer, progress) = (self.offer.clone(), Arc::clone(progress));
        let (steering, limits) = (self.steering.clone(), self.limits);
        TaskTracker::new()
            .spawn(async move { serve(limits, io, &target, offer, files, progress, steering).await })
    }

    /// A pipe in memory, its far end served.
    pub(crate) fn pipe(&self) -> (DuplexStream, Serving) {
        let (near, far) = duplex(64 * 1024);
        (near, self.serve(far))
    }

    /// An established stream over a pipe.
    pub(crate) async fn connect(&self) -> (Requester, Serving) {
        let (near, serving) = self.pipe();
        let expected = Some(self.target.certificate_sha256());
        (Requester::establish(self.limits, near, &self.requester, expected).await.unwrap(), serving)
    }
}

/// Waits for the target's end, within patience.
pub(crate) async fn ended(serving: Serving) -> Result<Served, ServeError> {
    tokio::time::timeout(PATIENCE, serving).await.expect("the stream hangs").expect("the stream panicked")
}

/// Reads a whole range.
pub(crate) async fn fetch(
    requester: &mut Requester,
    file: &FileId,
    range: Range<u64>,
) -> Result<Vec<u8>, (Vec<u8>, StreamError)> {
    collect(requester.fetch(file, range).await).await
}

/// The same of the content of a folder.
pub(crate) async fn fetch_run(
    requester: &mut Requester,
    folder: &FileId,
    content: &FolderContent,
    range: Range<u64>,
) -> Result<Vec<u8>, (Vec<u8>, StreamError)> {
    collect(requester.fetch_run(folder, content.size(), range).await).await
}

async fn collect(body: Result<FileBody<'_>, StreamError>) -> Result<Vec<u8>, (Vec<u8>, StreamError)> {
    let mut received = Vec::new();
    let mut body = body.map_err(|error| (Vec::new(), error))?;
    loop {
        match body.chunk().await {
            Ok(Some(bytes)) => received.extend_from_slice(&bytes),
            Ok(None) => return Ok(received),
            Err(error) => return Err((received, error)),
        }
    }
}
