//! A reverse proxy is reloaded for a new certificate and restarted for a new version, and so is the coordinator behind
//! it. Whatever peers are at meanwhile, every introduction that was begun comes through, once, and every file is right.
//!
//! "Once" is counted where it matters to people, at real daemons: an introduction that was acted on twice would be two
//! uploads at its target, and two streams in what the requester tells of the download. One that was lost would be a
//! source that gave no word.

use std::{
    fs,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use hearsay_tests::{
    content::Folder,
    coordinator::Coordinator,
    peer::{Peer, PeerBuilder},
    proxy::{Kind, Proxy, Scheme},
    wait::{PATIENCE, until},
};
use protocol::control::{Download, DownloadState, ExitCode, Search, UploadState};

/// Each begins one introduction a round; several files would go into one. The first three begin before something is
/// restarted, and wait at the target, which gives one file at a time; the others begin while it is away.
const SEEKERS: [&str; 5] = ["bert", "carl", "dora", "emma", "finn"];
const BEFORE: usize = 3;
const FILE: &str = "evergreen.bin";
const FILE_BYTES: usize = 600_000;
/// So that the files of a round take a second or two, which is when a restart meets them.
const TARGET: &str = "upload_rate = \"2M\"\n";
/// Peers come back sooner than after a real drain.
const COORDINATOR: &str = "lifetimes.drain_spread_seconds = 2\n";
/// All that is told of a download whose introduction got through, if it has to: the coordinator is away at first, or
/// another one has the target's slot.
const STEPS: [&str; 9] = [
    "added",
    "asked",
    "coordinator_away",
    "queued",
    "accepted",
    "connected",
    "transferring",
    "verifying",
    "finished",
];

/// The peers that notice as little as possible.
struct Crowd {
    files: Folder,
    target: Peer,
    seekers: Vec<Peer>,
}

impl Crowd {
    async fn connected_through(proxy: &Proxy) -> Self {
        let files = Folder::new().with_random(FILE, FILE_BYTES, 1);
        let target = peer("anna", proxy).configured(TARGET).sharing(files.path()).connected().await;
        let mut seekers = Vec::new();
        for username in SEEKERS {
            let seeker = peer(username, proxy).connected().await;
            until("the file is found", PATIENCE, async || find(&seeker).await).await;
            seekers.push(seeker);
        }
        Self { files, target, seekers }
    }

    async fn begin(&self, seekers: Range<usize>) -> Vec<Download> {
        let mut downloads = Vec::new();
        for seeker in &self.seekers[seekers] {
            downloads.push(seeker.begin_result("1").await);
        }
        downloads
    }

    /// Some begin, and one of them is through: the others are under way or in the queue.
    async fn begin_before(&self) -> Vec<Download> {
        let downloads = self.begin(0..BEFORE).await;
        self.seekers[0].finish(&downloads[0]).await;
        downloads
    }

    /// Others begin while something is away.
    async fn begin_meanwhile(&self) -> Vec<Download> {
        self.begin(BEFORE..SEEKERS.len()).await
    }

    async fn notice_an_outage(&self) {
        until("a peer is told that the coordinator is away", PATIENCE, async || {
            self.seekers[0].status().await.connection_problem
        })
        .await;
    }

    /// All that was begun ends right, by one stream each.
    async fn arrive(&self, downloads: Vec<Download>) {
        for (peer, download) in self.seekers.iter().zip(downloads) {
            let ended =
                peer.wait_for_download(&download, "ends", 2 * PATIENCE, |now| now.state.has_ended()).await;
            let why = peer.why(&download).await;
            assert_eq!(ended.state, DownloadState::Finished, "{why:#?}");
            let steps: Vec<&str> = why.steps.iter().map(|step| step.step.as_str()).collect();
            assert!(steps.iter().all(|step| STEPS.contains(step)), "a setback: {why:#?}");
            assert_eq!(steps.iter().filter(|step| **step == "connected").count(), 1, "{why:#?}");
            assert_eq!(peer.digest_of(FILE), self.files.digest(FILE));
            peer.change("rm", &download).await;
            fs::remove_file(peer.downloaded(FILE)).unwrap();
        }
    }

    /// The target has given so many times, and no more.
    async fn stop(self, begun: usize) {
        let uploads = until("all uploads have ended", PATIENCE, async || {
            let uploads = self.target.uploads().await;
            let have_ended = |state| matches!(state, UploadState::Finished | UploadState::Failed);
            uploads.iter().all(|upload| have_ended(upload.state)).then_some(uploads)
        })
        .await;
        let finished = uploads.iter().filter(|upload| upload.state == UploadState::Finished).count();
        assert_eq!((uploads.len(), finished), (begun, begun), "{uploads:#?}");
        for peer in self.seekers.into_iter().chain([self.target]) {
            peer.stop().await;
        }
    }
}

fn peer(username: &str, proxy: &Proxy) -> PeerBuilder {
    Peer::named(username, &proxy.url()).configured(&format!("ca = \"{}\"\n", proxy.authority().display()))
}

async fn find(peer: &Peer) -> Option<()> {
    let output = peer.peerctl(&["--json", "search", "--wait", "1", "evergreen"]).await;
    if [ExitCode::Unreachable, ExitCode::NotFound].iter().any(|code| output.code == *code as i32) {
        return None;
    }
    let found: Search = output.expect(ExitCode::Done).document();
    assert_eq!(found.results.len(), 1, "{found:#?}");
    Some(())
}

/// Searches on and on. While the coordinator can't be reached a person is told so, and right afterwards others may not
/// be back yet; a search that begins when all is over finds the file.
async fn search_on(searcher: &Peer, is_over: &AtomicBool) {
    loop {
        let is_last = is_over.load(Ordering::Relaxed);
        let found = find(searcher).await;
        if is_last {
            assert!(found.is_some(), "all are back, and a search finds nothing");
            return;
        }
    }
}

async fn nothing_is_lost_behind(kind: Kind) {
    let coordinator = Coordinator::configured(COORDINATOR).await;
    let proxy = Proxy::in_front_of(kind, coordinator.address(), Scheme::Https).await;
    let crowd = Crowd::connected_through(&proxy).await;
    let searcher = peer("nora", &proxy).connected().await;
    let is_over = AtomicBool::new(false);

    let restarts = async {
        let mut downloads = crowd.begin_before().await;
        // Caddy is steered by nobody, and only restarted.
        proxy.reload().await;
        downloads.extend(crowd.begin_meanwhile().await);
        crowd.arrive(downloads).await;

        let mut downloads = crowd.begin_before().await;
        let stopped = proxy.stop_for_a_while().await;
        crowd.notice_an_outage().await;
        downloads.extend(crowd.begin_meanwhile().await);
        let proxy = stopped.start_again().await;
        crowd.arrive(downloads).await;

        let mut downloads = crowd.begin_before().await;
        let stopped = coordinator.stop_for_a_while().await;
        downloads.extend(crowd.begin_meanwhile().await);
        let coordinator = stopped.start_again().await;
        crowd.arrive(downloads).await;

        is_over.store(true, Ordering::Relaxed);
        (proxy, coordinator)
    };
    let ((proxy, coordinator), ()) = tokio::join!(restarts, search_on(&searcher, &is_over));

    searcher.stop().await;
    crowd.stop(3 * SEEKERS.len()).await;
    coordinator.stop().await;
    proxy.stop_in_silence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_nginx_or_what_is_behind_it_is_restarted() {
    nothing_is_lost_behind(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_caddy_or_what_is_behind_it_is_restarted() {
    nothing_is_lost_behind(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_haproxy_or_what_is_behind_it_is_restarted() {
    nothing_is_lost_behind(Kind::Haproxy).await;
}
