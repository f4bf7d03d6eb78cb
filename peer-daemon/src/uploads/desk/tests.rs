//! The queue and the slot together: what the one does to the other.

use std::net::SocketAddr;

use protocol::{
    CertificateSha256, MessageKey, Root,
    control::{Route, UploadState},
    introduction::Invitation,
    limits::PLACE_LIFETIME,
};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::{
    introductions::identity::Identity,
    peer_stream::{
        progress::Phase,
        throttle::{Throttle, Throttled},
    },
    state::State,
};

/// Nobody is slow, unless a test says when.
const PATIENCE: Patience = Patience {
    idle: Duration::from_secs(30),
    slow_after: Duration::from_hours(1),
    turn: Duration::from_mins(10),
};

/// A desk, and what stands around it: a library that shares nothing, and a time that is set by hand.
struct Scene {
    desk: Desk,
    now: Instant,
    patience: Patience,
    throttle: Throttle,
    library: Library,
    identity: Arc<Identity>,
    _dir: TempDir,
}

fn id(n: u8) -> IntroductionId {
    IntroductionId::from_bytes([n; 16])
}
fn name(n: u8) -> Username {
    format!("user{n}").parse().unwrap()
}
/// It has `n` bytes.
fn file(n: u8) -> FileId {
    FileId::new(Root::from_bytes([n; 32]), n.into()).unwrap()
}
fn waits(position: u32) -> Sent {
    Sent::Waits(Standing { position, is_approved: true })
}
fn asks(position: u32) -> Sent {
    Sent::Waits(Standing { position, is_approved: false })
}
fn next() -> Sent {
    Sent::Next(Standing { position: 1, is_approved: true })
}

impl Scene {
    /// Needs a runtime, on which the library would look at its shares.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let library = Library::start(state, &[], &TaskTracker::new(), CancellationToken::new()).unwrap();
        let identity = Arc::new(Identity::generate(crate::clock::wall()).unwrap());
        Self {
            desk: Desk::new(),
            now: crate::clock::now(),
            patience: PATIENCE,
            throttle: Throttle::default(),
            library,
            identity,
            _dir: dir,
        }
    }

    /// Introduction `n` is sent, for files `n` and 100.
    fn send_with(&mut self, n: u8, user: u8, key: u8, is_approved: bool, listed_bytes: usize) -> Sent {
        let invitation = Invitation {
            message_key: MessageKey::from_bytes([key; 32]),
            files: vec![file(n), file(100)],
            certificate_sha256: CertificateSha256::from_bytes([3; 32]),
            version: protocol::VERSION,
        };
        let endpoint = SocketAddr::from(([127, 0, 0, 1], 4821));
        let request = Request { invitation, endpoint, identity: Arc::clone(&self.identity), listed_bytes };
        self.desk.send(self.now, id(n), &name(user), request, is_approved)
    }

    /// The same of user `n`, who is approved.
    fn send(&mut self, n: u8) -> Sent {
        self.send_with(n, n, n, true, 0)
    }

    fn begin(&mut self) -> Option<Begun> {
        let steering = Steering {
            stop: CancellationToken::new(),
            wind_up: CancellationToken::new(),
            throttle: self.throttle.clone(),
        };
        self.desk.begin_next(self.now, steering, &self.library)
    }

    /// A desk with introduction 1 in its slot.
    fn serving() -> (Self, Begun) {
        let mut scene = Self::new();
        assert_eq!(scene.send(1), next());
        let begun = scene.begin().unwrap();
        (scene, begun)
    }

    fn settle(&mut self, taken: Taken<Request>, aside: Option<Aside>, listed: Option<Result<(), String>>) {
        self.desk.settle(self.now, taken, Served { aside, listed });
    }

    fn look_after(&mut self, seconds: u64) -> Option<Ending> {
        self.now += Duration::from_secs(seconds);
        self.desk.look(self.now, &self.patience);
        self.ending()
    }

    fn ending(&self) -> Option<Ending> {
        self.desk.ending(self.now).0
    }

    fn kept(&self) -> Vec<IntroductionId> {
        self.desk.kept(self.now).iter().map(|kept| kept.id).collect()
    }

    fn list(&mut self) -> Vec<Upload> {
        self.desk.list(self.now, true, &self.library)
    }
}

#[tokio::test]
async fn whoever_sends_again_while_it_is_served_asks_for_another_stream_if_its_key_is_another() {
    let (mut scene, (taken, _, steering)) = Scene::serving();
    assert_eq!(scene.send(1), Sent::BeingServed);
    assert_eq!(scene.send_with(1, 2, 1, true, 0), waits(1), "a stranger with this id has a place of its own");
    assert_eq!(scene.send_with(2, 1, 2, true, 0), waits(2), "another introduction of the same requester");
    assert_eq!((scene.ending(), steering.stop.is_cancelled()), (None, false));

    assert_eq!(scene.send_with(1, 1, 9, true, 0), waits(3));
    assert_eq!(scene.ending(), Some(Ending::MadeWay(Aside::Lost)));
    assert!(steering.stop.is_cancelled());
    scene.settle(taken, Some(Aside::Lost), None);
    let keys = std::iter::from_fn(|| scene.begin().map(|(taken, ..)| taken.request.invitation.message_key));
    assert_eq!(keys.collect::<Vec<_>>(), [1, 9, 2].map(|key| MessageKey::from_bytes([key; 32])));
}

#[tokio::test]
async fn only_who_is_first_and_approved_is_next_and_only_where_the_slot_is_free() {
    let mut scene = Scene::new();
    assert_eq!(scene.send_with(1, 1, 1, false, 0), asks(1));
    assert_eq!(scene.send(2), waits(2), "it is served as nobody else is ready, and has been told its place");
    assert_eq!(scene.desk.approve(scene.now, id(1)), Some(Standing { position: 1, is_approved: true }));
    assert_eq!(scene.send(1), next());
    let (taken, ..) = scene.begin().unwrap();
    assert_eq!((taken.id, scene.send(2)), (id(1), waits(1)));
    scene.settle(taken, None, Some(Ok(())));
    assert_eq!(scene.send(2), next());
}

/// What is done to the upload in the slot, whether a file was asked for before, then why it ends and whether its
/// place stays.
type Deed = (fn(&mut Desk), bool, Option<Ending>, bool);

#[tokio::test]
async fn what_is_done_to_the_upload_in_the_slot_ends_it_or_not_and_its_first_reason_counts() {
    let cases: &[Deed] = &[
        (|_| {}, false, None, true),
        (Desk::interrupt, false, Some(Ending::MadeWay(Aside::Off)), true),
        (|desk| desk.turn_away(|username| *username == name(1)), true, Some(Ending::Unwanted), false),
        (|desk| desk.turn_away(|username| *username == name(2)), true, None, true),
        (|desk| desk.withdraw(id(1)), false, Some(Ending::TakenBack), false),
        // The requester closes it itself.
        (|desk| desk.withdraw(id(1)), true, None, false),
        (|desk| desk.withdraw(id(2)), false, None, true),
        (
            |desk| {
                desk.interrupt();
                desk.turn_away(|_| true);
            },
            false,
            Some(Ending::MadeWay(Aside::Off)),
            false,
        ),
        (
            |desk| {
                desk.withdraw(id(1));
                desk.interrupt();
            },
            false,
            Some(Ending::TakenBack),
            false,
        ),
    ];
    for (case, (deed, is_in_use, ending, stays)) in cases.iter().enumerate() {
        let (mut scene, (taken, progress, steering)) = Scene::serving();
        progress.advance(if *is_in_use { Phase::Asked } else { Phase::Verified });
        deed(&mut scene.desk);
        assert_eq!(scene.ending(), *ending, "case {case}");
        assert_eq!(steering.stop.is_cancelled(), ending.is_some(), "case {case}");
        assert_eq!(scene.kept(), if *stays { vec![id(1)] } else { vec![] }, "case {case}");
        scene.settle(taken, Some(Aside::Lost), None);
        assert_eq!(scene.kept(), if *stays { vec![id(1)] } else { vec![] }, "case {case}, settled");
    }
}

#[tokio::test]
async fn what_is_taken_back_refused_or_not_wanted_leaves_the_queue() {
    let mut scene = Scene::new();
    for n in 1..=4 {
        scene.send(n);
    }
    scene.send_with(4, 5, 4, true, 0);
    scene.desk.withdraw(id(1));
    scene.desk.turn_away(|username| *username == name(2));
    assert!(scene.desk.refuse(id(3), None));
    assert!(!scene.desk.refuse(id(3), None), "it was not there any more");
    assert!(!scene.desk.refuse(id(4), Some(&name(1))), "the id of another");
    assert_eq!(scene.kept(), [id(4), id(4)]);
    assert!(scene.desk.refuse(id(4), Some(&name(4))));
    assert_eq!(scene.desk.kept(scene.now)[0].username, name(5));
}

#[tokio::test]
async fn who_has_had_its_turn_in_several_streams_makes_way_once_others_wait() {
    let (mut scene, (taken, progress, _)) = Scene::serving();
    assert_eq!(scene.look_after(1_000), None, "no turn begins before a file is asked for");
    progress.advance(Phase::Asked);
    scene.look_after(0);
    assert_eq!(scene.look_after(400), None);
    scene.settle(taken, Some(Aside::Lost), None);
    scene.send(1);

    let (taken, progress, steering) = scene.begin().unwrap();
    assert_eq!(scene.desk.ending(scene.now), (None, Duration::from_secs(400)));
    progress.advance(Phase::Asked);
    scene.look_after(0);
    assert_eq!(scene.look_after(200), None, "nobody waits");
    scene.send(2);
    assert_eq!(scene.look_after(0), Some(Ending::MadeWay(Aside::TurnOver)));
    assert!(steering.wind_up.is_cancelled() && !steering.stop.is_cancelled());
    assert_eq!(scene.look_after(59), Some(Ending::MadeWay(Aside::TurnOver)));
    assert!(!steering.stop.is_cancelled(), "its response may go on for a while");
    scene.look_after(1);
    assert!(steering.stop.is_cancelled());
    assert_eq!(scene.desk.ending(scene.now).1, Duration::from_mins(11));
    scene.settle(taken, Some(Aside::TurnOver), None);
    assert_eq!(scene.send(1), waits(2));
}

#[tokio::test]
async fn what_earlier_streams_took_makes_nobody_faster() {
    let mut scene = Scene::new();
    scene.patience.slow_after = Duration::from_mins(1);
    let mut earlier = Throttled::writing(tokio::io::sink(), scene.throttle.clone());
    earlier.write_all(&vec![0; 1 << 20]).await.unwrap();
    scene.send(1);
    let (_, progress, _) = scene.begin().unwrap();
    scene.send(2);
    progress.advance(Phase::Asked);
    scene.look_after(0);
    assert_eq!(scene.look_after(59), None);
    assert_eq!(scene.look_after(1), Some(Ending::MadeWay(Aside::Slow)));
}

#[tokio::test]
async fn who_asks_for_no_file_is_ended_as_who_takes_nothing_and_that_counts_from_its_certificate_on() {
    let (mut scene, (_, progress, steering)) = Scene::serving();
    scene.look_after(0);
    assert_eq!(scene.look_after(1_000), None, "the ways to a stream have times of their own");
    progress.advance(Phase::Verified);
    scene.look_after(0);
    assert_eq!(scene.look_after(29), None);
    assert_eq!(scene.look_after(1), Some(Ending::MadeWay(Aside::Idle)));
    assert!(steering.stop.is_cancelled());
}

#[tokio::test]
async fn as_much_waits_for_a_persons_word_as_can_be_shown() {
    const MUCH: usize = 1_200_000;
    let mut scene = Scene::new();
    assert_eq!(scene.send_with(1, 1, 1, false, MUCH), asks(1));
    assert_eq!(scene.send_with(1, 1, 1, false, MUCH), asks(1), "it is not in its own way");
    assert_eq!(scene.send_with(1, 1, 1, false, 2 * MUCH), Sent::Full, "but it has no more than others");
    assert_eq!(scene.send_with(2, 1, 2, false, MUCH), Sent::Full);
    assert_eq!(scene.send_with(1, 2, 2, false, MUCH), asks(2), "another with the same id is another");
    assert_eq!(scene.send_with(3, 1, 3, true, MUCH), waits(3), "no word is needed");
    assert_eq!(scene.send_with(4, 4, 4, false, 0), asks(3));
    let asking = scene.desk.requests(scene.now, &scene.library);
    let asking: Vec<_> = asking.iter().map(|request| (request.id.clone(), request.files.len())).collect();
    assert_eq!(asking, [1, 1, 4].map(|n| (id(n).to_string(), 2)));

    // What was approved takes no room, and what it is sent again for has what it needs.
    assert!(scene.desk.approve(scene.now, id(1)).is_some());
    assert_eq!(scene.send_with(2, 1, 2, false, MUCH), asks(5));
    assert_eq!(scene.send_with(1, 1, 9, false, 2 * MUCH), next());
    assert_eq!(scene.send_with(1, 3, 1, false, 2 * MUCH), Sent::Full, "it is not the stranger's that was");
    scene.desk.approve_all();
    assert!(scene.desk.requests(scene.now, &scene.library).is_empty());
}

#[tokio::test]
async fn what_is_kept_comes_back_in_its_order_and_lapses() {
    let (mut scene, _) = Scene::serving();
    scene.send(2);
    scene.send_with(3, 3, 3, false, 0);
    let until = scene.now + PLACE_LIFETIME;
    let kept = scene.desk.kept(scene.now);
    let told: Vec<_> = kept.iter().map(|kept| (kept.id, kept.is_approved, kept.until)).collect();
    assert_eq!(told, [(id(1), true, None), (id(2), true, Some(until)), (id(3), false, Some(until))]);

    let mut later = Scene::new();
    for (seconds, kept) in (1..).zip(&kept) {
        later.desk.restore(kept, later.now + Duration::from_secs(seconds));
    }
    assert_eq!(later.list()[0].reason.as_deref(), Some(Aside::Restarted.sentence()));
    assert_eq!(later.desk.requests(later.now, &later.library)[0].id, id(3).to_string());
    assert_eq!(later.desk.next_lapse(), Some(later.now + Duration::from_secs(1)));
    later.desk.expire(later.now + Duration::from_secs(2));
    assert_eq!(later.kept(), [id(3)]);
    assert_eq!(later.desk.next_lapse(), Some(later.now + Duration::from_secs(3)));
}

#[tokio::test]
async fn the_list_has_the_running_one_then_those_that_wait_then_those_that_ended_last() {
    let (mut scene, (taken, progress, _)) = Scene::serving();
    scene.send(2);
    scene.send_with(3, 3, 3, false, 0);
    let running = &scene.list()[0];
    assert_eq!((running.state, running.size, running.route), (UploadState::Dialling, 1, None));
    progress.advance(Phase::Asked);
    scene.desk.await_dial();
    progress.turn_to(file(100));
    progress.add_sent(101);
    scene.now += Duration::from_secs(1);
    let [running, waiting @ ..] = &scene.list()[..] else { panic!("nothing is listed") };
    assert_eq!((running.state, running.route), (UploadState::Transferring, Some(Route::DialMe)));
    assert_eq!((running.size, running.bytes_per_second), (100, 101));
    assert_eq!(running.sent, 100, "a listing's bytes are no part of a folder's");
    let waiting: Vec<_> = waiting.iter().map(|other| (other.position, other.size)).collect();
    assert_eq!(waiting, [(Some(1), 2), (Some(2), 3)]);
    for (is_on, reasons) in
        [(true, ["slot is taken", "your word"]), (false, ["uploads are off", "your word"])]
    {
        let list = scene.desk.list(scene.now, is_on, &scene.library);
        for (upload, reason) in list[1..].iter().zip(reasons) {
            assert!(upload.reason.as_ref().unwrap().contains(reason), "{upload:?}");
        }
    }
    scene.desk.withdraw(id(3));

    scene.settle(taken, None, Some(Err("it broke".to_owned())));
    let ended = &scene.list()[1];
    assert_eq!((ended.state, ended.reason.as_deref()), (UploadState::Failed, Some("it broke")));
    assert_eq!((ended.route, ended.sent, ended.bytes_per_second), (None, 100, 0));
    for _ in 0..ENDED_KEPT {
        scene.send(2);
        let (taken, ..) = scene.begin().unwrap();
        scene.settle(taken, None, Some(Ok(())));
    }
    assert_eq!(scene.list().len(), ENDED_KEPT);
    assert!(scene.list().iter().all(|ended| ended.state == UploadState::Finished));

    scene.send(2);
    let (taken, ..) = scene.begin().unwrap();
    scene.settle(taken, Some(Aside::Deferred), None);
    assert_eq!(scene.list().len(), 1 + ENDED_KEPT, "what goes on later is listed as waiting only");
}
