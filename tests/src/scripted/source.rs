//! A source that is there for as long as a test: it answers searches and introductions by itself, and treats whoever
//! asks for a file as that file's [`Manner`] says.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use protocol::{
    Event, FileId, FolderSummary, MessageKey, SafeName, SearchId,
    folder::{ListedFile, Listing, RelativePath},
    introduction::{DeclineReason, IntroductionProof, Reply},
    root::FileHasher,
    search::{AnswerRequest, Match, Subject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{ScriptedPeer, serving::serve, target::Opened, tls};

/// How many searches and introductions a source hears of at a time, at most.
const POLL_SECONDS: u64 = 5;

/// What becomes of whoever asks for a file.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// No word.
    Mute,
    Declines(DeclineReason),
    /// Declines as a target of this protocol version.
    IsOfVersion(u32),
    /// Could not dial, it says, and wants to be dialled at this port.
    WantsToBeDialled(u16),
    /// Dials back, and shows another key.
    ShowsAnotherKey,
    /// From here on, the stream is established. Every response is right.
    Honest,
    /// Nothing comes after the proof.
    FallsSilent,
    /// Half of a response comes, and then nothing more.
    FallsSilentMidway,
    /// Each response comes byte by byte, and takes its time.
    Dribbles,
    /// Each response ends somewhere in its middle.
    Truncates,
    /// The file has become longer meanwhile, it says.
    Grows,
    /// Sends another version of the file, under the name of the one that is asked for.
    Changes,
    /// The first response ends in its middle; whoever asks for the rest gets the whole file.
    IgnoresRange,
    /// Says that another range comes than the one that was asked for.
    LiesInContentRange,
    /// The list of the pieces' hashes is another file's.
    WrongLayer,
    /// Of so many pieces one is wrong, always the same ones.
    WrongPieces {
        one_in: u32,
        seed: u64,
    },
    /// Of a listing: gives the folder's small files together, too.
    GivesTogether,
    /// 403, whatever is asked of the file.
    Refuses,
    /// The same, but not before a while.
    RefusesLate,
}

/// A file as a scripted source has it.
pub struct Offered {
    pub(super) name: SafeName,
    pub(super) manner: Manner,
    pub(super) file: FileId,
    pub(super) layer: Vec<u8>,
    pub(super) content: Vec<u8>,
    /// It is the listing of a folder, in which there is so much, it says.
    folder: Option<FolderSummary>,
    /// It is in a folder, and not found by itself.
    is_listed: bool,
    /// Ranges that were asked for.
    pub(super) asked: AtomicUsize,
}

impl Offered {
    pub fn new(name: &str, content: Vec<u8>, manner: Manner) -> Self {
        let mut hasher = FileHasher::new(content.len() as u64);
        hasher.update(&content);
        let (file, layer) = hasher.finish().expect("all of the content");
        let name = SafeName::parse(name).expect("a safe name");
        Self {
            name,
            manner,
            file,
            layer: layer.to_bytes(),
            content,
            folder: None,
            is_listed: false,
            asked: AtomicUsize::new(0),
        }
    }

    /// A whole folder with these files, by their paths in it, each with its own manner.
    pub fn folder(name: &str, files: &[(&str, &[u8], Manner)]) -> Vec<Self> {
        let mut listed = Vec::new();
        let mut offers = Vec::new();
        for (path, content, manner) in files {
            let offer = Self { is_listed: true, ..Self::new("listed", content.to_vec(), *manner) };
            let path = RelativePath::parse(path).expect("a path within a folder");
            listed.push(ListedFile { path, size: offer.file.size, root: offer.file.root });
            offers.push(offer);
        }
        let listing = Listing::new(listed).expect("a listing");
        let summary = listing.summary();
        offers.push(Self::listing(name, listing.to_bytes(), summary, Manner::Honest));
        offers
    }

    /// What is said to be the listing of a folder with so much in it.
    pub fn listing(name: &str, listing: Vec<u8>, told: FolderSummary, manner: Manner) -> Self {
        Self { folder: Some(told), ..Self::new(name, listing, manner) }
    }

    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The same with another manner.
    #[must_use]
    pub fn behaving(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

/// Goes away with the value.
pub struct ScriptedSource {
    offers: Arc<Vec<Offered>>,
    ended: CancellationToken,
}

impl ScriptedSource {
    /// How often a range of the file with this content was asked for.
    pub fn asked_for_content(&self, content: &[u8]) -> usize {
        let of_content = self.offers.iter().filter(|offer| offer.content == content);
        of_content.map(|offer| offer.asked.load(Ordering::Relaxed)).sum()
    }

    /// How often a range of this file was asked for.
    pub fn asked_for(&self, name: &str) -> usize {
        let of_name = self.offers.iter().filter(|offer| offer.name.as_str() == name);
        of_name.map(|offer| offer.asked.load(Ordering::Relaxed)).sum()
    }
}

impl Drop for ScriptedSource {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl ScriptedPeer {
    /// Offers these files from now on.
    pub fn offering(self, offers: Vec<Offered>) -> ScriptedSource {
        let (offers, ended) = (Arc::new(offers), CancellationToken::new());
        let tasks = TaskTracker::new();
        let attending = attend(self, Arc::clone(&offers), tasks.clone(), ended.clone());
        tasks.spawn(ended.clone().run_until_cancelled_owned(attending));
        ScriptedSource { offers, ended }
    }

    async fn answer(&self, search: SearchId, subject: &Subject, offers: &[Offered]) {
        let is_wanted = |offer: &&Offered| match subject {
            // What does not match, the coordinator leaves out.
            Subject::Query(_) => true,
            Subject::File(file) => *file == offer.file,
        };
        let matches: Vec<_> = offers
            .iter()
            .filter(|offer| !offer.is_listed)
            .filter(is_wanted)
            .map(|offer| Match {
                name: offer.name.clone(),
                size: offer.file.size,
                root: offer.file.root,
                folder: offer.folder,
            })
            .collect();
        if !matches.is_empty() {
            let answer = AnswerRequest {
                reply_key: self.identity.public,
                certificate_sha256: self.identity.certificate_sha256(),
                matches,
            };
            let _over_already = self.session.answer(search, &answer).await;
        }
    }
}

async fn attend(
    mut peer: ScriptedPeer,
    offers: Arc<Vec<Offered>>,
    tasks: TaskTracker,
    ended: CancellationToken,
) {
    loop {
        let answer = peer.session.poll(POLL_SECONDS).await;
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        for event in peer.session.take_heard() {
            match event {
                Event::Search { id, subject, .. } => peer.answer(id, &subject, &offers).await,
                Event::Introduction { id, from, endpoint, sealed } => {
                    let opened = peer.open(id, from, endpoint, &sealed);
                    respond(&peer, opened, &offers, &tasks, &ended).await;
                }
                _ => {}
            }
        }
    }
}

async fn respond(
    peer: &ScriptedPeer,
    introduction: Opened,
    offers: &Arc<Vec<Offered>>,
    tasks: &TaskTracker,
    ended: &CancellationToken,
) {
    let first = introduction.invitation.files.first().expect("an invitation names a file");
    let manner = offers.iter().find(|offer| offer.file == *first).expect("a file that was offered").manner;
    let reply = match manner {
        Manner::Mute => return,
        Manner::Declines(reason) => Reply::Declined { reason, version: None },
        Manner::IsOfVersion(version) => {
            Reply::Declined { reason: DeclineReason::VersionUnsupported, version: Some(version) }
        }
        Manner::WantsToBeDialled(port) => Reply::DialMe { port },
        _ => Reply::Accepted {},
    };
    let _withdrawn_already = peer.session.reply(introduction.id, &reply).await;
    if reply != (Reply::Accepted {}) {
        return;
    }
    let message_key = match manner {
        Manner::ShowsAnotherKey => MessageKey::random(),
        _ => introduction.invitation.message_key,
    };
    let proof = IntroductionProof { id: introduction.id, message_key };
    let tls = tls::server(&peer.identity, introduction.invitation.certificate_sha256);
    let (offers, endpoint) = (Arc::clone(offers), introduction.endpoint);
    tasks.spawn(ended.clone().run_until_cancelled_owned(async move {
        // A requester that went away, or a link that breaks, is what some tests are about.
        let Ok(tcp) = TcpStream::connect(endpoint).await else { return };
        if let Ok(stream) = TlsAcceptor::from(Arc::new(tls)).accept(tcp).await {
            let _broken_off = serve(stream, &proof, &offers).await;
        }
    }));
}
