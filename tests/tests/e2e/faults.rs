//! The fault suite: `kill -9` of requester, target and coordinator at random moments of transfers of several
//! files and a whole folder. However it is hit, every file arrives right, at most one piece comes again for each kill, the upload and
//! download slots are free afterwards, and no file stays that should not.
//!
//! A few rounds run with all other tests; `cargo xtask faults` runs many. The seed is shown by a round that fails,
//! and decides who is killed and when.

use std::{fs, path::Path, time::Duration};

use hearsay_tests::{
    content::{Folder, names_in},
    peer::Peer,
    scene::Scene,
    slow_link::SlowLink,
    steering::{PIECE, right_bytes},
    wait::{PATIENCE, until},
};
use protocol::control::{Download, DownloadState, Downloads, ExitCode, UploadState};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Rounds with all other tests, shared by two tests that run beside each other.
const ROUNDS: u32 = 5;
/// How many rounds `cargo xtask faults` wants, and with which seed.
const ROUNDS_VARIABLE: &str = "FAULT_ROUNDS";
const SEED_VARIABLE: &str = "FAULT_SEED";

const BYTES_PER_SECOND: u32 = 12 << 20;
const FILES: [(&str, usize); 3] =
    [("first.bin", 14 * PIECE + 77), ("second.bin", 9 * PIECE), ("small.bin", 5_000)];
/// One more download: a folder with files of its own.
const FOLDER: &str = "set";
const FOLDER_FILES: [(&str, usize); 3] =
    [("set/one.bin", 3 * PIECE + 9), ("set/two.bin", 40_000), ("set/more/three.bin", 70_000)];
/// Kills of one round.
const KILLS_MAX: u32 = 3;
/// Between two kills: a transfer is at its beginning, in its middle or just over.
const MOMENT_MAX: Duration = Duration::from_millis(1_500);
/// A source that gave no word is looked for with growing pauses.
const RECOVERY: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy)]
enum Victim {
    Requester,
    Target,
    Coordinator,
}

/// Of all files.
fn size() -> u64 {
    FILES.iter().chain(&FOLDER_FILES).map(|(_, size)| *size as u64).sum()
}

struct Stage {
    scene: Scene,
    files: Folder,
    links: Vec<String>,
    anna: Peer,
    bert: Peer,
    link: SlowLink,
    account: Account,
}

/// What has to come over the link, from when it had carried so much.
#[derive(Clone, Copy, Default)]
struct Account {
    before: u64,
    missing: u64,
    /// Kills since then.
    stops: u64,
}

impl Stage {
    async fn start(seed: u64) -> Self {
        let scene = Scene::start().await;
        let folder = Folder::new().with("set/more/empty", "");
        let files = FILES
            .iter()
            .chain(&FOLDER_FILES)
            .zip(seed..)
            .fold(folder, |folder, ((name, size), seed)| folder.with_random(name, *size, seed));
        let mut anna = scene.peer("anna").sharing(files.path()).connected().await;
        let path = files.path().display().to_string();
        let _ = anna.peerctl(&["share", "add", "--folders", &path]).await.expect(ExitCode::Done);
        anna.wait_until_scanned().await;
        let link = SlowLink::start(BYTES_PER_SECOND);
        let bert = scene.peer("bert").connected_behind(&link).await;
        let mut links = Vec::new();
        for name in FILES.map(|(name, _)| name).into_iter().chain([FOLDER]) {
            let path = files.path().join(name).display().to_string();
            let output = anna.peerctl(&["link", &path]).await.expect(ExitCode::Done);
            links.push(output.stdout.trim().to_owned());
        }
        Self { scene, files, links, anna, bert, link, account: Account::default() }
    }

    async fn round(mut self, random: &mut StdRng) -> Self {
        self.link.runs_at(BYTES_PER_SECOND);
        self.account = Account { before: self.link.passed(), missing: size(), stops: 0 };
        let begun = self.begin().await;
        let kills = random.random_range(1..=KILLS_MAX);
        for _ in 0..kills {
            // The moment is what is tested: nothing is waited for.
            tokio::time::sleep(MOMENT_MAX.mul_f64(random.random())).await;
            let victims = [Victim::Requester, Victim::Target, Victim::Coordinator];
            self = self.kill(victims[random.random_range(0..victims.len())]).await;
        }
        self.link.runs_at(u32::MAX);
        for download in &begun.downloads {
            self.arrives(download).await;
        }
        let Account { before, missing, stops } = self.account;
        self.link.has_carried(before, missing, stops);
        self.clean_up(&begun.downloads).await;
        self
    }

    /// Begins to fetch all files. Whoever was hit last in the round before may still be on the way back: then
    /// nobody offers them yet, and a person would try again, too.
    async fn begin(&self) -> Downloads {
        let mut arguments = vec!["--json", "get", "--detach"];
        arguments.extend(self.links.iter().map(String::as_str));
        until("the files are offered", RECOVERY, async || {
            let output = self.bert.peerctl(&arguments).await;
            let is_too_early =
                [ExitCode::NotFound, ExitCode::Unreachable, ExitCode::Conflict, ExitCode::RateLimited]
                    .iter()
                    .any(|code| output.code == *code as i32);
            (!is_too_early).then(|| output.expect(ExitCode::Done).document())
        })
        .await
    }

    async fn kill(mut self, victim: Victim) -> Self {
        self.account.stops += 1;
        match victim {
            Victim::Requester => {
                let folder = self.bert.downloaded("");
                let killed = self.bert.kill().await;
                // However much it had not taken from the system yet: what is on the disk does not come again.
                let missing = size() - right_bytes_in(&folder, &self.files);
                self.account = Account { before: self.link.passed(), missing, stops: 0 };
                Self { bert: killed.start_again().await, ..self }
            }
            Victim::Target => Self { anna: self.anna.kill_and_start_again().await, ..self },
            Victim::Coordinator => {
                Self { scene: self.scene.kill_coordinator_and_start_again().await, ..self }
            }
        }
    }

    async fn arrives(&self, download: &Download) {
        let ended =
            self.bert.wait_for_download(download, "arrives", RECOVERY, |now| now.state.has_ended()).await;
        if ended.state != DownloadState::Finished {
            let why = self.bert.peerctl(&["why", &download.id]).await;
            panic!("{ended:?}\n{}", why.stdout);
        }
        let arrived: Vec<&str> = match ended.folder {
            Some(_) => FOLDER_FILES.iter().map(|(path, _)| *path).collect(),
            None => vec![ended.name.as_str()],
        };
        for path in arrived {
            assert_eq!(self.bert.digest_of(path), self.files.digest(path), "{path}");
        }
    }

    /// Nothing is under way any more, nothing is left over, and all is as before the round.
    async fn clean_up(&self, downloads: &[Download]) {
        let mut names: Vec<&str> = FILES.iter().map(|(name, _)| *name).chain([FOLDER]).collect();
        names.sort_unstable();
        assert_eq!(self.bert.downloaded_names(), names, "files that should not be there");
        let is_over = |state| matches!(state, UploadState::Finished | UploadState::Failed);
        until("the slots are free", PATIENCE, async || {
            let uploads = self.anna.uploads().await;
            let is_free = uploads.iter().all(|upload| is_over(upload.state)) && !self.link.is_in_use();
            (is_free && self.bert.status().await.download.is_none()).then_some(())
        })
        .await;
        for download in downloads {
            self.bert.change("rm", download).await;
            let path = self.bert.downloaded(download.name.as_str());
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        assert_eq!(names_in(&self.bert.downloaded("")), [""; 0]);
    }

    async fn stop(self) {
        self.scene.stop_with([self.anna, self.bert]).await;
    }
}

/// Of all files, whole or on their way.
fn right_bytes_in(folder: &Path, originals: &Folder) -> u64 {
    let right = |(path, _): &(&str, usize)| {
        let on_its_way = path.replace("set/", "set.part/");
        let places = [path.to_string(), format!("{path}.part"), on_its_way.clone(), on_its_way + ".part"];
        let there = places.iter().find_map(|place| fs::read(folder.join(place)).ok());
        there.map_or(0, |there| right_bytes(&originals.read(path), &there))
    };
    FILES.iter().chain(&FOLDER_FILES).map(right).sum()
}

#[allow(
    clippy::print_stderr,
    reason = "what a failed round needs to be run again, and how far a long run is"
)]
async fn run(rounds: u32, seed: u64) {
    let mut stage = Stage::start(seed).await;
    for round in 0..rounds {
        // Each round has a seed of its own, so that one that fails can be the first.
        let seed = seed + u64::from(round);
        eprintln!("round {} of {rounds}, {SEED_VARIABLE}={seed}", round + 1);
        stage = stage.round(&mut StdRng::seed_from_u64(seed)).await;
    }
    stage.stop().await;
}

fn from_environment<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_arrives_whoever_is_killed() {
    let seed = from_environment(SEED_VARIABLE).unwrap_or_else(rand::random);
    run(from_environment(ROUNDS_VARIABLE).unwrap_or(ROUNDS), seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_arrives_whoever_is_killed_in_another_order() {
    // A long run is one of the above.
    if from_environment::<u32>(ROUNDS_VARIABLE).is_none() {
        run(ROUNDS, rand::random()).await;
    }
}
