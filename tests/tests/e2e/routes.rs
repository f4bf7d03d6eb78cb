//! Both ways to a stream: the target dials back; where that fails, it asks to be dialled.

use std::time::Duration;

use hearsay_tests::{
    black_hole::BlackHole,
    clock,
    content::Folder,
    peer::Peer,
    scene::Scene,
    slow_link::SlowLink,
    wait::{PATIENCE, within},
};
use protocol::{
    control::{Cause, DownloadState, ExitCode},
    introduction::HeardReply,
    paths,
};
use tokio::net::{TcpListener, TcpStream};

const FILE: usize = 3 << 20;
/// From the first word to the sentence that tells what to do.
const VERDICT: Duration = Duration::from_secs(30);

/// A port at which nobody listens; the socket is kept so that nobody else takes it.
struct Refusing {
    port: u16,
    _bound: tokio::net::TcpSocket,
}

impl Refusing {
    fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { port: socket.local_addr().unwrap().port(), _bound: socket }
    }
}

async fn fetch_and_stop(scene: Scene, files: &Folder, anna: Peer, bert: Peer) {
    assert_eq!(bert.search("far").await.results.len(), 1);
    let download = bert.fetch("1").await;
    assert_eq!(download.state, DownloadState::Finished, "{download:?}");
    assert_eq!(bert.digest_of("far.bin"), files.digest("far.bin"));
    assert_eq!(bert.downloaded_names(), ["far.bin"]);
    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_whose_port_refuses_dials_the_target() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("far.bin", FILE, 31);
    let link = SlowLink::start(u32::MAX);
    let anna = scene.peer("anna").sharing(files.path()).argument("--public-upload-port", &link.port());
    let anna = anna.connected().await;
    link.leads_to(([127, 0, 0, 1], anna.status().await.upload_port).into());
    let refusing = Refusing::new();
    let bert = scene.peer("bert").with_public_download_port(refusing.port).connected().await;

    fetch_and_stop(scene, &files, anna, bert).await;
    assert!(link.passed() > FILE as u64, "by the target's upload port");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_behind_a_silent_firewall_dials_the_target() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("far.bin", FILE, 32);
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let silent = BlackHole::open().await;
    let bert = scene.peer("bert").with_public_download_port(silent.port()).connected().await;

    fetch_and_stop(scene, &files, anna, bert).await;
}

/// Something else has the port: it accepts, and is no requester.
#[tokio::test(flavor = "multi_thread")]
async fn a_requester_whose_port_leads_elsewhere_dials_the_target() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("far.bin", FILE, 33);
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let bert = scene.peer("bert").with_public_download_port(port).connected().await;

    fetch_and_stop(scene, &files, anna, bert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_neither_side_can_be_reached_it_is_told_what_to_open() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("far.bin", FILE, 34);
    let (at_anna, at_bert) = (BlackHole::open().await, BlackHole::open().await);
    let anna = scene.peer("anna").sharing(files.path()).argument("--public-upload-port", &at_anna.port());
    let anna = anna.connected().await;
    let bert = scene.peer("bert").with_public_download_port(at_bert.port()).connected().await;

    assert_eq!(bert.search("far").await.results.len(), 1);
    let start = clock::now();
    let output = bert.get(&["1"]).await.expect(ExitCode::Unreachable);
    let took = start.elapsed();
    assert!(took < VERDICT, "the verdict took {took:?}");
    assert!(output.stderr.contains("neither side can be reached"), "{output:#?}");
    assert!(output.stderr.contains("open"), "what to open is not told: {output:#?}");
    assert!(output.stderr.contains(&at_bert.port().to_string()), "which port is not told: {output:#?}");
    let failed = bert.downloads().await.remove(0);
    assert_eq!(failed.cause, Some(Cause::NeitherReachable), "{failed:?}");
    assert_eq!(bert.downloaded_names(), [""; 0]);

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_connections_of_one_requester_one_is_served() {
    let scene = Scene::start().await;
    let files = Folder::new().with("far.txt", "from afar");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mut requester = scene.asker("requester", "far").await;
    let invited = requester.invite().await;
    assert_eq!(requester.word_on(&invited).await, HeardReply::Accepted {});
    drop(within("the dial-back", PATIENCE, requester.listener.accept()).await);
    let HeardReply::DialMe { endpoint } = requester.word_on(&invited).await else { panic!("not to dial") };

    // Two are there before either has shown its certificate; a third comes when one is served.
    let early = [TcpStream::connect(endpoint).await.unwrap(), TcpStream::connect(endpoint).await.unwrap()];
    let [first, second] = early;
    let mut first = requester.peer.start_tls(&requester.source, first).await.unwrap();
    assert_eq!(first.get(paths::peer::INTRODUCTION, "").await.status, 200);
    let third = TcpStream::connect(endpoint).await.unwrap();
    for late in [second, third] {
        within("the target closes it", PATIENCE, async {
            if let Ok(mut late) = requester.peer.start_tls(&requester.source, late).await {
                assert_eq!(late.read(1).await, 0);
            }
        })
        .await;
    }
    assert_eq!(first.get_file(&requester.source.file).await.body, b"from afar");
    drop(first);
    anna.stop().await;
    scene.stop().await;
}
