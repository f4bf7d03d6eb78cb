//! The uploads' shell over a real link to a fake coordinator, with requesters played by hand over loopback.

use std::{fs, net::Ipv4Addr, sync::mpsc, time::Duration};

use protocol::{
    FileId, MessageKey,
    control::{Origin, Route},
    introduction::{Invitation, QueueReason},
    limits::ROUTE_HOLD,
    root::FileHasher,
};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use super::*;
use crate::{
    config::live::LiveSettings,
    coordinator_link::fake_coordinator::{FakeCoordinator, PATIENCE},
    introductions::seal::seal,
    name_tokens::NameTokens,
    peer_stream::{
        client::Requester as Stream, dial_rules::VAIN_DIALS_MAX, limits::StreamLimits, listen::bind_upload,
    },
};

const TARGET: &str = "target";
const SHARED: &str = "song.txt";
const CONTENT: &[u8] = b"la la la";
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn name(text: &str) -> Username {
    text.parse().unwrap()
}

fn id(n: u8) -> IntroductionId {
    IntroductionId::from_bytes([n; 16])
}

/// It shares one file.
struct Target {
    uploads: Uploads,
    fake: FakeCoordinator,
    state: State,
    library: Library,
    identities: IdentityKeeper,
    file: FileId,
    upload_port: u16,
    tracker: TaskTracker,
    token: CancellationToken,
    dir: TempDir,
}

impl Target {
    /// Whose owner is asked, or not.
    async fn start(policy: Policy) -> Self {
        Self::with_places(policy, &[]).await
    }

    /// With what an earlier process has kept.
    async fn with_places(policy: Policy, kept: &[Kept]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join("share");
        fs::create_dir(&share).unwrap();
        fs::write(share.join(SHARED), CONTENT).unwrap();
        let state = State::open(&dir.path().join("state")).unwrap();
        PlaceStore::new(state.clone()).save(kept, Moment::read()).unwrap();

        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let library =
            Library::start(state.clone(), &[(share, Origin::Flag)], &tracker, token.clone()).unwrap();
        library.settled().await;
        let identities = IdentityKeeper::new(state.clone());
        identities.use_name(&name(TARGET)).unwrap();
        let fake = FakeCoordinator::start().await;
        let names = NameTokens::new(state.clone());
        let (link, _events) = CoordinatorLink::start(fake.config(), names, &tracker, token.clone()).unwrap();
        link.connect(name(TARGET)).await.unwrap();
        let listener = bind_upload(Vec::new(), &[LOCAL.into()], 0).unwrap();
        let upload_port = listener.port();
        let live = Live::default();
        live.follow(LiveSettings { policy, ..LiveSettings::default() });
        let parts = Parts {
            dialler: Arc::new(Dialler::new(upload_port, link.reached(), Vec::new())),
            link,
            library: library.clone(),
            identities: identities.clone(),
            public_port: upload_port,
            live,
            patience: Patience::default(),
            state: state.clone(),
        };
        let uploads = Uploads::start(parts, listener, &tracker, token.clone()).unwrap();
        let mut hasher = FileHasher::new(CONTENT.len() as u64);
        hasher.update(CONTENT);
        let file = hasher.finish().unwrap().0;
        Self { uploads, fake, state, library, identities, file, upload_port, tracker, token, dir }
    }

    /// What it has told a requester so far, when that are so many words.
    async fn words(&self, id: IntroductionId, count: usize) -> Vec<Reply> {
        let call = format!("PUT /v1/introductions/{id}/reply");
        let seen = self.fake.until_seen(&call, count).await;
        seen.into_iter().map(|seen| serde_json::from_value(seen.body).unwrap()).collect()
    }

    fn kept(&self) -> Vec<IntroductionId> {
        let places = PlaceStore::new(self.state.clone()).load(Moment::read()).unwrap();
        places.into_iter().map(|(kept, _)| kept.id).collect()
    }

    async fn ends(&self) {
        self.token.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await.expect("something did not end");
    }
}

struct Requester {
    username: Username,
    identity: Identity,
    /// Where it is dialled.
    endpoint: SocketAddr,
    listener: Option<TcpListener>,
    /// Its port while nobody listens there.
    _closed: Option<TcpSocket>,
}

impl Requester {
    async fn new(username: &str) -> Self {
        let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
        let endpoint = listener.local_addr().unwrap();
        Self { listener: Some(listener), ..Self::at(username, endpoint) }
    }

    /// One that nobody can dial.
    fn unreachable(username: &str) -> Self {
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind((LOCAL, 0).into()).unwrap();
        let endpoint = closed.local_addr().unwrap();
        Self { _closed: Some(closed), ..Self::at(username, endpoint) }
    }

    fn at(username: &str, endpoint: SocketAddr) -> Self {
        let identity = Identity::generate(clock::wall()).unwrap();
        Self { username: name(username), identity, endpoint, listener: None, _closed: None }
    }

    /// Asks for the target's file under introduction `n`.
    fn asks(&self, target: &Target, n: u8) {
        let invitation = Invitation {
            message_key: MessageKey::from_bytes([n; 32]),
            files: vec![target.file],
            certificate_sha256: self.identity.requester_certificate_sha256(),
            version: protocol::VERSION,
        };
        let (of, identity) = target.identities.current().unwrap();
        let sealed = seal(&invitation, &identity.reply_key(), id(n), &self.username, &of).unwrap();
        target.uploads.on_introduction(id(n), &self.username, self.endpoint, &sealed);
    }

    async fn accepts(&self) -> TcpStream {
        let listener = self.listener.as_ref().unwrap();
        timeout(PATIENCE, listener.accept()).await.expect("a dial-back").unwrap().0
    }

    async fn establishes(&self, stream: TcpStream, n: u8) -> Stream {
        let stream = Stream::establish(StreamLimits::default(), stream, &self.identity, None).await;
        let mut stream = stream.unwrap().naming(id(n));
        assert_eq!(stream.proof().await.unwrap().message_key, MessageKey::from_bytes([n; 32]));
        stream
    }

    /// Is dialled back for introduction `n`, and takes the file.
    async fn is_served(&self, target: &Target, n: u8) {
        let mut stream = self.establishes(self.accepts().await, n).await;
        takes(&mut stream, target).await;
        stream.close().await;
    }
}

async fn takes(stream: &mut Stream, target: &Target) {
    let mut body = stream.fetch(&target.file, 0..target.file.size).await.unwrap();
    let mut received = Vec::new();
    while let Some(bytes) = body.chunk().await.unwrap() {
        received.extend_from_slice(&bytes);
    }
    assert_eq!(received, CONTENT);
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: in vain"));
}

fn asking() -> Reply {
    Reply::Queued { position: 1, reason: QueueReason::Asking }
}

#[tokio::test]
async fn a_place_is_kept_before_it_is_told() {
    let target = Target::start(Policy::Ask).await;
    let bert = Requester::new("bert").await;
    let (holds, is_held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let state = target.state.clone();
    let busy = std::thread::spawn(move || {
        state.with(|_| {
            holds.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        })
    });
    is_held.recv().unwrap();
    bert.asks(&target, 1);
    let told = timeout(Duration::from_millis(200), target.words(id(1), 1)).await;
    assert!(told.is_err(), "it was told before it could be kept: {told:?}");
    release.send(()).unwrap();
    busy.join().unwrap().unwrap();
    assert_eq!(target.words(id(1), 1).await, [asking()]);
    assert_eq!(target.kept(), [id(1)]);
    target.ends().await;
}

#[tokio::test]
async fn what_is_taken_back_is_forgotten_without_a_word() {
    let target = Target::start(Policy::Ask).await;
    let bert = Requester::new("bert").await;
    bert.asks(&target, 1);
    target.words(id(1), 1).await;
    target.uploads.on_withdrawn(id(1));
    until("nothing is kept", || target.kept().is_empty()).await;
    target.ends().await;
}

#[tokio::test]
async fn what_changes_as_the_daemon_ends_is_kept_too() {
    let target = Target::start(Policy::Ask).await;
    let bert = Requester::new("bert").await;
    bert.asks(&target, 1);
    target.words(id(1), 1).await;
    assert_eq!(target.kept(), [id(1)]);
    target.uploads.on_withdrawn(id(1));
    target.ends().await;
    assert_eq!(target.kept(), []);
}

#[tokio::test]
async fn a_place_that_lapses_is_forgotten_and_looked_at_no_more() {
    let until_soon = Some(clock::now() + Duration::from_millis(300));
    let kept = Kept { id: id(1), username: name("bert"), is_approved: true, until: until_soon };
    let target = Target::with_places(Policy::Auto, &[kept]).await;
    until("nothing is left that lapses", || target.uploads.desk().next_lapse().is_none()).await;
    target.ends().await;
}

#[tokio::test]
async fn a_dial_that_led_to_a_stream_does_not_count() {
    let target = Target::start(Policy::Auto).await;
    let bert = Requester::new("bert").await;
    for n in 0..=u8::try_from(VAIN_DIALS_MAX).unwrap() {
        bert.asks(&target, n);
        bert.is_served(&target, n).await;
    }
    target.ends().await;
}

#[tokio::test]
async fn who_can_not_be_dialled_dials_and_that_is_shown() {
    let target = Target::start(Policy::Auto).await;
    let bert = Requester::unreachable("bert");
    bert.asks(&target, 1);
    let port = target.upload_port;
    assert_eq!(target.words(id(1), 2).await, [Reply::Accepted {}, Reply::DialMe { port }]);
    assert!(!target.uploads.was_dialled());
    let stream = TcpStream::connect((LOCAL, port)).await.unwrap();
    let mut stream = bert.establishes(stream, 1).await;
    takes(&mut stream, &target).await;
    assert_eq!(target.uploads.current().unwrap().route, Some(Route::DialMe));

    // The one stream is there: who comes now is closed, and not kept waiting for its end.
    let mut late = TcpStream::connect((LOCAL, port)).await.unwrap();
    let heard = timeout(PATIENCE, late.read_to_end(&mut Vec::new())).await.expect("it is kept");
    assert!(heard.is_err() || heard.is_ok_and(|bytes| bytes == 0), "not a byte for a stranger");
    stream.close().await;
    until("it is known that the port is reached", || target.uploads.was_dialled()).await;
    target.ends().await;
}

#[tokio::test]
async fn who_takes_back_what_is_dialled_is_not_asked_to_dial() {
    let target = Target::start(Policy::Auto).await;
    let (bert, carl) = (Requester::new("bert").await, Requester::new("carl").await);
    bert.asks(&target, 1);
    let _silent = bert.accepts().await;
    target.uploads.on_withdrawn(id(1));
    carl.asks(&target, 2);
    carl.is_served(&target, 2).await;
    // Words go out one after the other.
    target.words(id(2), 1).await;
    assert_eq!(target.words(id(1), 1).await, [Reply::Accepted {}]);
    target.ends().await;
}

#[tokio::test]
async fn who_takes_back_what_it_is_to_dial_for_holds_nobody_up() {
    let target = Target::start(Policy::Auto).await;
    let (bert, carl) = (Requester::unreachable("bert"), Requester::new("carl").await);
    bert.asks(&target, 1);
    target.words(id(1), 2).await;
    target.uploads.on_withdrawn(id(1));
    carl.asks(&target, 2);
    timeout(ROUTE_HOLD / 2, carl.is_served(&target, 2)).await.expect("the dial is waited for all the same");
    target.ends().await;
}

#[tokio::test]
async fn a_persons_word_is_passed_on_at_once() {
    let target = Target::start(Policy::Ask).await;
    let bert = Requester::new("bert").await;
    bert.asks(&target, 1);
    target.words(id(1), 1).await;
    assert!(target.uploads.accept(id(1)));
    let accepted = Reply::Queued { position: 1, reason: QueueReason::Busy };
    assert_eq!(target.words(id(1), 3).await, [asking(), accepted, Reply::Accepted {}]);
    bert.is_served(&target, 1).await;
    assert!(!target.uploads.accept(id(1)), "it does not wait any more");

    bert.asks(&target, 2);
    target.words(id(2), 1).await;
    assert!(target.uploads.decline(id(2)));
    assert_eq!(target.words(id(2), 2).await, [asking(), Reply::declined(DeclineReason::Refused)]);
    assert!(!target.uploads.decline(id(2)), "it does not wait any more");
    target.ends().await;
}

#[tokio::test]
async fn a_place_for_what_is_gone_goes_when_it_is_asked_for_again() {
    let target = Target::start(Policy::Ask).await;
    let bert = Requester::new("bert").await;
    bert.asks(&target, 1);
    assert_eq!(target.uploads.requests().len(), 1);
    fs::remove_file(target.dir.path().join("share").join(SHARED)).unwrap();
    target.library.rescan();
    target.library.settled().await;
    bert.asks(&target, 1);
    let gone = Reply::declined(DeclineReason::FileGone);
    assert_eq!(target.words(id(1), 2).await, [asking(), gone]);
    assert_eq!(target.uploads.requests(), []);
    target.ends().await;
    assert_eq!(target.kept(), []);
}
