//! Whom a target dials: never more often than its budget, never a narrower network than the coordinator's, from its
//! upload port, over either version of IP.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hearsay_tests::{
    api_client::ApiClient,
    content::Folder,
    coordinator::Coordinator,
    namespace,
    peer::Peer,
    proxy::Scheme,
    scene::Scene,
    scripted::ScriptedPeer,
    session::Session,
    wait::{PATIENCE, within},
};
use protocol::{control::DownloadState, introduction::HeardReply};
use tokio::{io::AsyncReadExt as _, net::TcpListener, task::JoinSet, time::timeout};

/// Dials a minute to an address at which no stream is established.
const BUDGET: usize = 6;

/// Counts who comes and what they write, and hangs up on them.
struct Bystander {
    listener: Arc<TcpListener>,
    seen: Arc<Seen>,
    _watch: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    visits: AtomicUsize,
    bytes: AtomicUsize,
}

/// After so long a visitor who says nothing is hung up on.
const HANG_UP: Duration = Duration::from_millis(50);

impl Bystander {
    async fn listen() -> Self {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let seen = Arc::new(Seen::default());
        let mut task = JoinSet::new();
        task.spawn(watch(Arc::clone(&listener), Arc::clone(&seen)));
        Self { listener, seen, _watch: task }
    }

    fn visits(&self) -> usize {
        self.seen.visits.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> usize {
        self.seen.bytes.load(Ordering::Relaxed)
    }
}

async fn watch(listener: Arc<TcpListener>, seen: Arc<Seen>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        seen.visits.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 64];
        if let Ok(Ok(length)) = timeout(HANG_UP, stream.read(&mut bytes)).await {
            seen.bytes.fetch_add(length, Ordering::Relaxed);
        }
    }
}

/// Asks for a file, to be dialled back at the bystander, and waits until the target gives up dialling.
async fn lure(requester: &mut ScriptedPeer, bystander: &Bystander) {
    let source = requester.find("bait").await;
    let invited = requester.invite(&source, &bystander.listener).await;
    loop {
        match requester.word_on(&invited).await {
            HeardReply::DialMe { .. } => break,
            HeardReply::Accepted {} | HeardReply::Queued { .. } => {}
            word => panic!("{word:?}"),
        }
    }
    requester.withdraw(&invited).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bystander_sees_no_more_dials_than_the_budget_and_no_byte() {
    let scene = Scene::configured("limits.searches_burst = 100\n", Scheme::Http).await;
    let files = Folder::new().with("bait.txt", "x");
    let target = scene.peer("target").sharing(files.path()).connected().await;
    let mut requester = scene.scripted_peer("requester").await;
    let bystander = Bystander::listen().await;
    for _ in 0..BUDGET + 3 {
        lure(&mut requester, &bystander).await;
    }
    assert_eq!(bystander.visits(), BUDGET);
    assert_eq!(bystander.bytes(), 0);
    scene.stop_with([target]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_back_leaves_from_the_upload_port() {
    let scene = Scene::start().await;
    let files = Folder::new().with("bait.txt", "x");
    let target = scene.peer("target").sharing(files.path()).connected().await;
    let requester = scene.asker("requester", "bait").await;
    let invited = requester.invite().await;
    let (_stream, from) = within("the dial-back", PATIENCE, requester.listener.accept()).await.unwrap();
    assert_eq!(from.port(), target.status().await.upload_port);
    requester.peer.withdraw(&invited).await;
    scene.stop_with([target]).await;
}

/// A search and a fetch between two peers that reach the coordinator at these addresses.
async fn fetch_between(coordinator: &Coordinator, sharer: IpAddr, fetcher: IpAddr) {
    let url = |ip| format!("http://{}", SocketAddr::new(ip, coordinator.address().port()));
    let files = Folder::new().with_random("across.bin", 3 << 20, 71);
    // Besides 127.0.0.1, where all peers of tests listen.
    let peer = |name, at| Peer::named(name, &url(at)).argument("--listen", &"::1");
    let anna = peer("anna", sharer).sharing(files.path()).connected().await;
    let bert = peer("bert", fetcher).connected().await;
    assert_eq!(bert.search("across").await.results.len(), 1);
    let download = bert.fetch("1").await;
    assert_eq!(download.state, DownloadState::Finished, "{download:?}");
    assert_eq!(bert.digest_of("across.bin"), files.digest("across.bin"));
    anna.stop().await;
    bert.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_of_either_ip_version_fetch_from_each_other() {
    // Both versions on one socket: addresses of the fourth come mapped into the sixth.
    let coordinator = Coordinator::reached_at("[::]:0".parse().unwrap(), "").await;
    let (four, six) = ("127.0.0.1".parse().unwrap(), "::1".parse().unwrap());
    for (sharer, fetcher) in [(four, six), (six, four)] {
        fetch_between(&coordinator, sharer, fetcher).await;
    }
    coordinator.stop().await;
}

/// A coordinator in a private network hands on a loopback address, as one that was lied to might; says how often
/// the target dials it.
async fn visits_by_a_target(dial_allow: &str) -> usize {
    let private = Ipv4Addr::from(namespace::ADDRESS);
    let coordinator = Coordinator::reached_at(SocketAddr::new(private.into(), 0), "").await;
    let url = format!("http://{}", coordinator.address());
    let files = Folder::new().with("bait.txt", "x");
    let target = Peer::named("target", &url).sharing(files.path());
    let target = target.configured(&format!("insecure_coordinator = true\n{dial_allow}")).connected().await;
    let from_loopback = ApiClient::from_address(&url, Ipv4Addr::LOCALHOST.into());
    let mut requester = ScriptedPeer::in_session(Session::connect_by(from_loopback, "requester").await);
    let bystander = Bystander::listen().await;
    lure(&mut requester, &bystander).await;
    let visits = bystander.visits();
    target.stop().await;
    coordinator.stop().await;
    visits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_of_a_wider_network_can_not_point_at_this_machine() {
    if !namespace::enter("dialling::a_coordinator_of_a_wider_network_can_not_point_at_this_machine") {
        return;
    }
    assert_eq!(visits_by_a_target("").await, 0);
    assert_eq!(visits_by_a_target("dial_allow = [\"127.0.0.0/8\"]\n").await, 1, "unless its owner says so");
}
