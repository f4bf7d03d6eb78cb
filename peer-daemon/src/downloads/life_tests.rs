use proptest::{collection::vec, prelude::*};
use protocol::{CertificateSha256, FileId, ReplyKey, Root, SafeName, introduction::DeclineReason};

use super::*;

const GIVE_UP_AFTER: Duration = Duration::from_hours(2);
pub(in crate::downloads) const LOOK_AROUND: BackoffRange =
    BackoffRange { first: Duration::from_mins(2), max: Duration::from_mins(30) };

pub(in crate::downloads) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(24)
}

pub(in crate::downloads) fn source(name: u8) -> Source {
    Source {
        username: format!("peer{name}").parse().unwrap(),
        name: SafeName::parse("song.flac").unwrap(),
        file: FileId::new(Root::from_bytes([1; 32]), 1).unwrap(),
        folder: None,
        reply_key: ReplyKey::from_bytes([name; 32]),
        certificate_sha256: CertificateSha256::from_bytes([name; 32]),
    }
}

pub(in crate::downloads) fn at(now: SystemTime, random: f64) -> Circumstances {
    Circumstances { now, random, give_up_after: GIVE_UP_AFTER, look_around: LOOK_AROUND }
}

fn declined() -> Setback {
    Setback::Declined { reason: DeclineReason::Refused, version: None }
}

#[test]
fn after_a_lost_stream_the_source_is_asked_first_and_under_the_same_introduction() {
    let now = start();
    let mut life = Life::begin(now);
    let id = IntroductionId::random();
    life.introduce(id);
    life.take(now, Step::Transferring);
    assert!(life.meet(&at(now, 1.0), &source(1), Setback::StreamLost, true));
    let due = now + Duration::from_secs(1);
    assert_eq!(life.errand(), Some(Errand { what: What::Ask, due }));
    assert_eq!((life.introduction(), life.state()), (Some(id), DownloadState::Waiting));
    life.set_out();
    life.take(now, Step::Transferring);
    // Lost again, and nothing had come.
    life.meet(&at(now, 1.0), &source(1), Setback::StreamLost, false);
    assert_eq!(life.errand().map(|errand| errand.what), Some(What::Seek));
    assert_eq!(life.introduction(), None);
    assert!(!life.may_ask(&source(1)) && life.may_ask(&source(2)));
}

#[test]
fn a_stream_that_was_ended_politely_is_no_setback_if_something_came() {
    let now = start();
    let mut life = Life::begin(now);
    life.introduce(IntroductionId::random());
    for _ in 0..100 {
        life.take(now, Step::Transferring);
        life.meet(&at(now, 0.5), &source(1), Setback::StreamEnded, true);
        assert_eq!((life.state(), life.errand()), (DownloadState::Queued, None));
    }
    assert!(life.introduction().is_some());
    life.meet(&at(now, 0.5), &source(1), Setback::StreamEnded, false);
    assert_eq!(life.state(), DownloadState::Waiting, "and no loop without a pause if nothing did");
}

#[test]
fn where_neither_side_can_be_reached_it_ends_unless_there_was_a_way_before() {
    let unreachable =
        Setback::NeitherReachable { download_port: 4821, dial: super::super::setback::DialTrouble::Refused };
    for (had_stream, expected) in [(false, DownloadState::Failed), (true, DownloadState::Waiting)] {
        let mut life = Life::begin(start());
        if had_stream {
            life.take(start(), Step::Connected { way: super::super::step::Way::DialBack });
        }
        life.meet(&at(start(), 0.0), &source(1), unreachable.clone(), false);
        life.find_nobody(&at(start(), 0.0));
        assert_eq!(life.state(), expected);
    }
}

#[test]
fn what_is_told_twice_is_no_news() {
    let mut life = Life::begin(start());
    assert!(life.take(start(), Step::Asked));
    assert!(!life.take(start() + Duration::from_secs(1), Step::Asked));
    assert_eq!(life.at(), start());
}

#[test]
fn a_pause_that_the_coordinator_wants_is_kept_at_least() {
    let mut life = Life::begin(start());
    let limited = Setback::RateLimited { retry_after_seconds: 77 };
    life.meet(&at(start(), 0.0), &source(1), limited, false);
    let errand = Errand { what: What::Ask, due: start() + Duration::from_secs(77) };
    assert_eq!(life.errand(), Some(errand));
}

#[test]
fn another_trouble_with_the_disk_is_news_and_other_numbers_are_none() {
    let mut life = Life::begin(start());
    assert!(life.hold(start(), "needs 2 MiB".to_owned(), Cause::NoSpace));
    assert!(!life.hold(start(), "needs 1 MiB".to_owned(), Cause::NoSpace));
    assert!(life.hold(start(), "it is gone".to_owned(), Cause::FolderGone));
    assert!(life.is_held() && life.cause() == Some(Cause::FolderGone));
    assert!(life.take(start(), Step::Resumed) && life.take(start(), Step::Paused));
    assert!(!life.is_held(), "a person has paused it");
    life.introduce(IntroductionId::random());
    assert!(life.take(start(), Step::Resumed) && life.take(start(), Step::Paused));
    assert_eq!(life.introduction(), None, "its place is given up");
}

#[test]
fn who_does_not_want_to_wait_has_the_next_try_at_once() {
    let mut life = Life::begin(start());
    assert!(!life.hurry(start()), "nothing waits");
    life.meet(&at(start(), 1.0), &source(1), Setback::StreamLost, false);
    assert_eq!(life.cause(), None, "it has not failed");
    assert!(life.hurry(start()));
    assert_eq!(life.errand(), Some(Errand { what: What::Ask, due: start() }));
}

#[test]
fn what_leaves_its_batch_is_asked_for_under_an_introduction_of_its_own() {
    let mut life = Life::begin(start());
    life.introduce(IntroductionId::random());
    assert!(life.leave_batch(start()));
    assert_eq!(life.introduction(), None);
}

#[test]
fn what_goes_by_while_no_daemon_runs_is_no_reason_to_give_up() {
    let mut life = Life::begin(start());
    let away = || Setback::CoordinatorAway { problem: "it is away".to_owned() };
    life.lack_coordinator(&at(start(), 0.0), away());
    let stopped = start() + GIVE_UP_AFTER / 2;
    life.meet(&at(stopped, 0.0), &source(1), Setback::NoWord, false);

    let holidays = 100 * GIVE_UP_AFTER;
    for (started, left) in [(stopped + holidays, GIVE_UP_AFTER / 2), (start(), GIVE_UP_AFTER / 2)] {
        let mut life = life.clone();
        life.restart(started);
        life.lack_coordinator(&at(started + left - Duration::from_secs(1), 0.0), away());
        assert!(!life.state().has_ended(), "{life:?}");
        life.lack_coordinator(&at(started + left, 0.0), away());
        assert!(life.state().has_ended(), "{life:?}");
    }
}

#[test]
fn for_lack_of_a_coordinator_it_is_given_up_at_last_and_told_once_before() {
    let mut life = Life::begin(start());
    let away = || Setback::CoordinatorAway { problem: "it is away".to_owned() };
    assert!(life.lack_coordinator(&at(start(), 0.0), away()));
    assert!(!life.lack_coordinator(&at(start() + GIVE_UP_AFTER / 2, 0.0), away()));
    assert_eq!(life.state(), DownloadState::Waiting);
    assert!(life.lack_coordinator(&at(start() + GIVE_UP_AFTER, 0.0), away()));
    assert_eq!((life.state(), life.cause()), (DownloadState::Failed, Some(Cause::CoordinatorUnreachable)));
}

#[test]
fn another_source_is_asked_under_an_introduction_of_its_own_and_the_last_one_again_in_the_next_round() {
    let mut life = Life::begin(start());
    life.meet(&at(start(), 0.0), &source(1), Setback::NoWord, false);
    assert!(!life.may_ask(&source(1)));
    assert!(life.find_nobody(&at(start(), 0.0)));
    assert!(life.may_ask(&source(1)), "another time it may be there");
    life.introduce(IntroductionId::random());
    assert!(life.find(start()));
    assert_eq!((life.introduction(), life.errand()), (None, None));
    assert!(!life.find(start()), "nobody was looked for");
}

#[test]
fn a_later_process_takes_up_what_was_under_way_and_leaves_alone_what_waits_for_its_time() {
    let now = start();
    let mut life = Life::begin(now);
    life.introduce(IntroductionId::random());
    life.take(now, Step::Asked);
    let mut asked = life.clone();
    assert!(asked.restart(now));
    assert!(!asked.restart(now), "it waits to go on already");
    assert_eq!((asked.state(), asked.introduction()), (DownloadState::Queued, life.introduction()));
    life.meet(&at(now, 0.0), &source(1), Setback::NoWord, false);
    life.take(now, Step::Seeking);
    let mut seeking = life.clone();
    assert!(!seeking.restart(now));
    assert_eq!(seeking, life);
    life.find_nobody(&at(now, 0.0));
    assert!(!life.clone().restart(now));
    let kept = serde_json::to_string(&life).unwrap();
    assert_eq!(serde_json::from_str::<Life>(&kept).unwrap(), life, "{kept}");
}

#[test]
fn a_try_after_the_end_is_one_with_all_sources_and_resuming_forgives_no_lie() {
    let mut life = Life::begin(start());
    life.meet(&at(start(), 0.0), &source(1), Setback::WrongPiece, false);
    life.take(start(), Step::Paused);
    life.go_on(start(), &source(1));
    assert!(!life.may_ask(&source(1)));
    assert_eq!(life.errand().map(|errand| errand.what), Some(What::Seek));
    life.find(start());
    life.meet(&at(start(), 0.0), &source(2), declined(), false);
    life.find_nobody(&at(start(), 0.0));
    assert_eq!((life.state(), life.cause()), (DownloadState::Failed, Some(Cause::Declined)));
    life.go_on(start(), &source(2));
    assert!(life.may_ask(&source(1)));
}

#[derive(Debug, Clone)]
enum Event {
    /// By the source that is asked.
    Gone,
    Lost {
        has_progress: bool,
    },
    Declined,
    Lied,
    RateLimited,
    Stream,
    /// The search that is due finds these.
    Search(Vec<u8>),
    NoCoordinator,
    Pause,
    Pass(Duration),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Gone),
        2 => any::<bool>().prop_map(|has_progress| Event::Lost { has_progress }),
        2 => Just(Event::Declined),
        1 => Just(Event::Lied),
        1 => Just(Event::RateLimited),
        1 => Just(Event::Stream),
        6 => vec(0..4_u8, 0..3).prop_map(Event::Search),
        1 => Just(Event::NoCoordinator),
        1 => Just(Event::Pause),
        3 => (0..4_000_u64).prop_map(|seconds| Event::Pass(Duration::from_secs(seconds))),
    ]
}

/// The simple model: who refused, who lied, whether anybody gave hope, and since when nothing has come.
#[derive(Default)]
struct Model {
    refused: Vec<u8>,
    hopeful: Vec<u8>,
    stuck_since: Option<SystemTime>,
}

impl Model {
    fn note(&mut self, asked: u8, is_hopeful: bool, now: SystemTime) {
        self.stuck_since.get_or_insert(now);
        self.hopeful.retain(|name| *name != asked);
        if is_hopeful { self.hopeful.push(asked) } else { self.refused.push(asked) }
    }
}

/// What the shell around a life does, with a model beside it.
struct Game {
    life: Life,
    model: Model,
    now: SystemTime,
    asked: u8,
}

impl Game {
    fn setback(&mut self, random: f64, setback: Setback, has_progress: bool, is_hopeful: Option<bool>) {
        if has_progress {
            self.model.stuck_since = None;
        }
        let was_first = self.life.setbacks == 0 || has_progress;
        let before = self.life.state();
        self.life.meet(&at(self.now, random), &source(self.asked), setback, has_progress);
        assert_ne!(before, DownloadState::Paused);
        match is_hopeful {
            Some(is_hopeful) => self.model.note(self.asked, is_hopeful, self.now),
            // A first lost stream is nothing to hold against anybody.
            None if was_first => drop(self.model.stuck_since.get_or_insert(self.now)),
            None => self.model.note(self.asked, true, self.now),
        }
    }

    fn search(&mut self, random: f64, found: &[u8]) {
        let chosen = found.iter().copied().find(|name| self.life.may_ask(&source(*name)));
        if let Some(name) = chosen {
            assert!(!self.model.refused.contains(&name), "{name} had refused, or lied");
            assert!(self.life.find(self.now));
            self.asked = name;
            return;
        }
        self.life.find_nobody(&at(self.now, random));
        let is_over = self.model.stuck_since.is_some_and(|since| self.now >= since + GIVE_UP_AFTER);
        let expected = if self.model.hopeful.is_empty() || is_over {
            DownloadState::Failed
        } else {
            DownloadState::Waiting
        };
        assert_eq!(self.life.state(), expected, "{:?}", self.life);
        self.model.stuck_since.get_or_insert(self.now);
    }

    fn play(&mut self, event: &Event, random: f64) {
        let errand = self.life.errand().map(|errand| errand.what);
        let is_with_source = errand.is_none();
        match event {
            Event::Pass(time) => self.now += *time,
            Event::Pause => {
                self.life.take(self.now, Step::Paused);
                assert_eq!(self.life.errand(), None, "nothing happens by itself while it is paused");
                self.life.go_on(self.now, &source(self.asked));
                self.model.stuck_since = None;
            }
            Event::Search(found) if errand == Some(What::Seek) => {
                self.life.take(self.now, Step::Seeking);
                self.search(random, found);
            }
            Event::NoCoordinator if errand == Some(What::Seek) => {
                let away = Setback::CoordinatorAway { problem: "away".to_owned() };
                self.life.lack_coordinator(&at(self.now, random), away);
                self.model.stuck_since.get_or_insert(self.now);
            }
            Event::Gone if is_with_source => self.setback(random, Setback::NoWord, false, Some(true)),
            Event::Lost { has_progress } if is_with_source => {
                self.setback(random, Setback::StreamLost, *has_progress, None);
            }
            Event::Declined if is_with_source => self.setback(random, declined(), false, Some(false)),
            Event::Lied if is_with_source => self.setback(random, Setback::WrongPiece, false, Some(false)),
            Event::RateLimited if is_with_source => {
                let setback = Setback::RateLimited { retry_after_seconds: 7 };
                self.life.meet(&at(self.now, random), &source(self.asked), setback, false);
                self.model.stuck_since.get_or_insert(self.now);
            }
            Event::Stream if is_with_source => {
                self.life.take(self.now, Step::Transferring);
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_life_goes_on_while_there_is_hope_and_asks_nobody_who_refused(
        events in vec((any_event(), 0.0..=1.0_f64), 1..80),
    ) {
        let mut game = Game { life: Life::begin(start()), model: Model::default(), now: start(), asked: 0 };
        for (event, random) in events {
            game.play(&event, random);
            if game.life.state().has_ended() {
                prop_assert!(game.life.errand().is_none() && game.life.introduction().is_none());
                prop_assert!(game.life.cause().is_some());
                let ended = game.life.clone();
                game.life.take(game.now, Step::Asked);
                game.life.meet(&at(game.now, random), &source(1), Setback::StreamLost, true);
                prop_assert!(!game.life.find(game.now) && !game.life.find_nobody(&at(game.now, random)));
                prop_assert_eq!(&game.life, &ended);
                return Ok(());
            }
            if let Some(errand) = game.life.errand() {
                prop_assert_eq!(game.life.stuck_since, game.model.stuck_since);
                if let Some(since) = game.life.stuck_since {
                    prop_assert!(errand.due <= (since + GIVE_UP_AFTER).max(game.now), "it waits beyond its end");
                }
                prop_assert!(errand.due <= game.now + SEEK_AGAIN.max);
                // What waits for its time is set out when the time has come.
                game.now = game.now.max(errand.due);
                if errand.what == What::Ask {
                    game.life.set_out();
                }
            }
        }
    }
}
