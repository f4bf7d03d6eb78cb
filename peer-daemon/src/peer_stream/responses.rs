//! The target's routes: what one request comes to.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use http_body_util::{Either, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Incoming},
    header::{
        ACCEPT_RANGES, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
    },
    http::response::Builder,
};
use protocol::{
    Code, FileId, FolderContent, Problem,
    byte_range::{ByteRange, unsatisfied_content_range},
    introduction::IntroductionProof,
    paths::{INTRODUCTION_HEADER, peer},
};
use tokio_util::task::TaskTracker;

use super::{
    file_bytes::{FileBytes, read_unchanged},
    preconditions::{Decision, decide},
    progress::{Phase, ServeProgress},
    server::Offer,
    shelf::{OnShelf, Shelf, ShelfError},
};

pub(super) type ResponseBody = Either<Full<Bytes>, FileBytes>;
type Answer = Result<Response<ResponseBody>, Code>;

const OCTETS: &str = "application/octet-stream";

/// What the answers of one stream are made from.
pub(super) struct Answers<S> {
    pub(super) offer: Offer,
    pub(super) shelf: Arc<S>,
    pub(super) progress: Arc<ServeProgress>,
    /// Where files are read; the stream waits for it before it is over.
    pub(super) readers: TaskTracker,
    /// What is in the folder of which files were asked for last. A plain mutex: held for a copy.
    pub(super) content: Mutex<Option<(FileId, Arc<FolderContent>)>>,
}

/// What a path names.
enum Route {
    Introduction,
    File(FileId),
    Pieces(FileId),
    /// All files of a folder, one after the other.
    Content(FileId),
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        if path == peer::INTRODUCTION {
            return Some(Self::Introduction);
        }
        let mut parts = path.strip_prefix(peer::FILES)?.strip_prefix('/')?.split('/');
        let (root, size) = (parts.next()?.parse().ok()?, parts.next()?);
        let file = FileId::new(root, size.parse().ok()?).ok()?;
        match (parts.next(), parts.next()) {
            // One spelling for one number.
            _ if file.size.to_string() != size => None,
            (None, _) => Some(Self::File(file)),
            (Some("pieces"), None) => Some(Self::Pieces(file)),
            (Some("content"), None) => Some(Self::Content(file)),
            _ => None,
        }
    }
}

impl<S: Shelf> Answers<S> {
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, io::Error> {
        match self.route(&request).await {
            Ok(response) => Ok(response),
            // Another time it may: a stream that breaks off says so, and a refusal would not.
            Err(_) if self.progress.is_disk_silent() => Err(io::Error::other(ShelfError::Silent)),
            Err(code) => problem(code),
        }
    }

    async fn route(&self, request: &Request<Incoming>) -> Answer {
        // No request here has a body, and what can't be read would stand before the next request.
        if !request.body().is_end_stream() {
            return Err(Code::BodyTooLarge);
        }
        let route = Route::of(request.uri().path()).ok_or(Code::RouteUnknown)?;
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Code::MethodNotAllowed);
        }
        match route {
            Route::Introduction => self.introduction(request.headers()),
            Route::File(file) => self.file(request, file).await,
            Route::Pieces(file) => self.pieces(file).await,
            Route::Content(folder) => self.content(request, folder).await,
        }
    }

    /// The proof that the seal was opened.
    fn introduction(&self, headers: &HeaderMap) -> Answer {
        let id = self.offer.id;
        // A requester that dialled names the introduction that it means.
        let named = headers.get(INTRODUCTION_HEADER).map(HeaderValue::as_bytes);
        if named.is_some_and(|named| named != id.to_string().as_bytes()) {
            return Err(Code::IntroductionOver);
        }
        let proof = IntroductionProof { id, message_key: self.offer.message_key.clone() };
        let json = serde_json::to_vec(&proof).map_err(|_| Code::Internal)?;
        let head = Response::builder().header(CONTENT_TYPE, "application/json");
        finish(head, Either::Left(Full::from(json)))
    }

    async fn file(&self, request: &Request<Incoming>, file: FileId) -> Answer {
        let opened = self.open(file).await?;
        let (head, part) = match begin(request, &file, file.size)? {
            Begun::Part(head, part) => (head, part),
            Begun::Done(response) => return Ok(response),
        };
        let progress = Arc::clone(&self.progress);
        let bytes = match opened {
            OnShelf::InMemory(content) => FileBytes::within(&content, part, progress),
            OnShelf::OnDisk(file) => FileBytes::read(file, part, progress, &self.readers),
        };
        finish(head, Either::Right(bytes))
    }

    /// Small files of a folder. All of them are read before any is sent, for there is no word in a response's middle
    /// for one that is not there any more.
    async fn content(&self, request: &Request<Incoming>, folder: FileId) -> Answer {
        self.turn_to(folder)?;
        let content = self.content_of(folder).await?;
        let (head, part) = match begin(request, &folder, content.size())? {
            Begun::Part(head, part) => (head, part),
            Begun::Done(response) => return Ok(response),
        };
        let Some(files) = content.files_at(&part.exclusive()) else {
            return unsatisfiable(Response::builder(), content.size());
        };
        let mut bytes = Vec::new();
        for file in files {
            bytes.extend_from_slice(&self.whole(file).await?);
        }
        finish(head, Either::Right(FileBytes::of(bytes.into(), Arc::clone(&self.progress))))
    }

    async fn content_of(&self, folder: FileId) -> Result<Arc<FolderContent>, Code> {
        let known = self.content.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, content)) = known.filter(|(known, _)| *known == folder) {
            return Ok(content);
        }
        let content = Arc::new(self.shelf.content(&folder).await.map_err(code)?);
        *self.content.lock().unwrap_or_else(PoisonError::into_inner) = Some((folder, Arc::clone(&content)));
        Ok(content)
    }

    async fn whole(&self, file: &FileId) -> Result<Bytes, Code> {
        let opened = match self.open_on_shelf(*file).await? {
            OnShelf::InMemory(content) => return Ok(content),
            OnShelf::OnDisk(opened) => opened,
        };
        let length = usize::try_from(file.size).map_err(|_| Code::Internal)?;
        let reading = self.readers.spawn_blocking(move || read_unchanged(&opened, 0, length));
        let read = reading.await.map_err(|_| Code::Internal)?;
        read.map_err(|_| Code::Internal)?.ok_or(Code::SourceChanged)
    }

    async fn pieces(&self, file: FileId) -> Answer {
        self.turn_to(file)?;
        let from = Arc::clone(&self.shelf);
        let layer = self.reading(async move { from.layer(&file).await }).await?;
        let head = Response::builder().header(CONTENT_TYPE, OCTETS);
        finish(head, Either::Left(Full::from(layer.to_bytes())))
    }

    async fn open(&self, file: FileId) -> Result<OnShelf<S::File>, Code> {
        self.turn_to(file)?;
        self.open_on_shelf(file).await
    }

    async fn open_on_shelf(&self, file: FileId) -> Result<OnShelf<S::File>, Code> {
        let from = Arc::clone(&self.shelf);
        self.reading(async move { from.open(&file).await }).await
    }

    /// By a task of its own, which goes on if the stream ends meanwhile: so the stream knows of it.
    async fn reading<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ShelfError>> + Send + 'static,
    ) -> Result<T, Code> {
        let read = self.readers.spawn(work).await.unwrap_or(Err(ShelfError::Unreadable));
        if matches!(read, Err(ShelfError::Silent)) {
            self.progress.note_silent_disk();
        }
        read.map_err(code)
    }

    /// Only to what belongs to this introduction.
    fn turn_to(&self, file: FileId) -> Result<(), Code> {
        let item = self.offer.files.item_of(&file).ok_or(Code::FileNotOffered)?;
        self.progress.advance(Phase::Asked);
        self.progress.turn_to(item);
        Ok(())
    }
}

/// What the preconditions and the range of a request come to.
enum Begun {
    Part(Builder, ByteRange),
    Done(Response<ResponseBody>),
}

/// Begins the answer to a request for `size` bytes that this root stands for.
fn begin(request: &Request<Incoming>, id: &FileId, size: u64) -> Result<Begun, Code> {
    let tag = id.root.to_string();
    let head = Response::builder().header(ETAG, format!("\"{tag}\"")).header(ACCEPT_RANGES, "bytes");
    let (head, part) = match decide(request.method(), request.headers(), &tag, size) {
        Decision::NotModified => return done(head.status(StatusCode::NOT_MODIFIED)),
        Decision::Failed => return done(head.status(StatusCode::PRECONDITION_FAILED)),
        Decision::Unsatisfiable => return unsatisfiable(head, size).map(Begun::Done),
        Decision::Whole => (head, ByteRange::from_exclusive(0..size)),
        Decision::Part(part) => {
            let head = head.status(StatusCode::PARTIAL_CONTENT);
            (head.header(CONTENT_RANGE, part.to_content_range(size)), Some(part))
        }
    };
    let head = head.header(CONTENT_TYPE, OCTETS);
    match part {
        _ if request.method() == Method::HEAD => done(head.header(CONTENT_LENGTH, size)),
        None => done(head),
        Some(part) => Ok(Begun::Part(head, part)),
    }
}

fn unsatisfiable(head: Builder, size: u64) -> Answer {
    let head = head.status(StatusCode::RANGE_NOT_SATISFIABLE);
    finish(head.header(CONTENT_RANGE, unsatisfied_content_range(size)), empty())
}

fn done(head: Builder) -> Result<Begun, Code> {
    finish(head, empty()).map(Begun::Done)
}

fn code(error: ShelfError) -> Code {
    match error {
        ShelfError::Gone => Code::FileGone,
        ShelfError::Changed => Code::SourceChanged,
        ShelfError::Unreadable | ShelfError::Silent => Code::Internal,
    }
}

fn empty() -> ResponseBody {
    Either::Left(Full::default())
}

fn finish(head: Builder, body: ResponseBody) -> Answer {
    head.body(body).map_err(|_| Code::Internal)
}

fn problem(code: Code) -> Result<Response<ResponseBody>, io::Error> {
    let json = serde_json::to_vec(&Problem::new(code)).map_err(io::Error::other)?;
    let mut head = Response::builder().status(code.status()).header(CONTENT_TYPE, Problem::CONTENT_TYPE);
    match code {
        Code::MethodNotAllowed => head = head.header(ALLOW, "GET, HEAD"),
        Code::BodyTooLarge => head = head.header(CONNECTION, "close"),
        _ => {}
    }
    head.body(Either::Left(Full::from(json))).map_err(io::Error::other)
}
