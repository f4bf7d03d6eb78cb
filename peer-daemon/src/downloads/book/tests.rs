use std::{path::PathBuf, time::Duration};

use protocol::{CertificateSha256, FileId, ReplyKey, Root, SafeName, control::Cause};

use super::*;
use crate::{
    backoff::BackoffRange,
    downloads::{
        errand::{Circumstances, Errand},
        setback::Setback,
        step::Step,
    },
};

fn wanted(number: usize) -> Wanted {
    wanted_of("alice", 1, number)
}

fn wanted_of(username: &str, key: u8, number: usize) -> Wanted {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&number.to_le_bytes());
    let source = Source {
        username: username.parse().unwrap(),
        name: SafeName::parse("song").unwrap(),
        file: FileId::new(Root::from_bytes(root), 1).unwrap(),
        folder: None,
        reply_key: ReplyKey::from_bytes([key; 32]),
        certificate_sha256: CertificateSha256::from_bytes([key; 32]),
    };
    Wanted { source, conflict: Conflict::Rename, token: CancellationToken::new() }
}

fn add(book: &mut Book, number: usize) -> Result<DownloadId, BookFull> {
    book.add(wanted(number), false, &mut Names::default(), Path::new("/x"))
}

/// Under a name apart from those of all others.
fn add_wanted(book: &mut Book, wanted: Wanted) -> Result<DownloadId, BookFull> {
    let mut names = book.names_under_way();
    book.add(wanted, false, &mut names, Path::new("/x"))
}

fn at(seconds: u64) -> Circumstances {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let look_around = BackoffRange { first: Duration::from_mins(2), max: Duration::from_mins(30) };
    Circumstances { now, random: 1.0, give_up_after: Duration::from_hours(24), look_around }
}

fn meet(book: &mut Book, id: DownloadId, seconds: u64, setback: Setback) {
    let entry = book.get_mut(id).unwrap();
    let source = entry.source.clone();
    entry.live(|life, _| life.meet(&at(seconds), &source, setback, false));
}

/// Its source has gone, and nobody else has the file.
fn find_nobody(book: &mut Book, id: DownloadId, seconds: u64) {
    meet(book, id, seconds, Setback::NoWord);
    book.get_mut(id).unwrap().live(|life, _| life.find_nobody(&at(seconds)));
}

fn errand(book: &Book, id: DownloadId) -> Option<Errand> {
    book.entries[&id].life().errand()
}

#[test]
fn a_list_that_is_full_forgets_the_oldest_that_ended_also_on_the_disk() {
    let mut book = Book::default();
    let ids: Vec<_> = (1..=LISTED_MAX as u64).map(DownloadId).collect();
    for (number, id) in ids.iter().enumerate() {
        book.entries.insert(*id, Entry::new(*id, wanted(number), PathBuf::new()));
    }
    book.last_id = LISTED_MAX as u64;
    let _saved = book.take_unsaved();
    assert_eq!(add(&mut book, LISTED_MAX), Err(BookFull));
    for id in &ids[5..7] {
        drop(book.get_mut(*id).unwrap().cancel());
    }
    let newest = add(&mut book, LISTED_MAX).unwrap();
    let unsaved = book.take_unsaved();
    assert_eq!((unsaved.forgotten, book.entries.len()), (vec![ids[5]], LISTED_MAX));
    let saved: Vec<_> = unsaved.records.iter().map(|record| record.id).collect();
    assert_eq!(saved, [ids[6], newest]);
}

#[test]
fn what_could_not_be_saved_is_saved_with_what_changes_next() {
    let mut book = Book::default();
    let [first, second] = [1, 2].map(|number| add(&mut book, number).unwrap());
    book.remove(second);
    let lost = book.take_unsaved();
    assert!(book.take_unsaved().is_empty());
    book.get_mut(first).unwrap().take(Step::Asked);
    book.take_back(&lost);
    let again = book.take_unsaved();
    assert_eq!((again.records.len(), again.forgotten), (1, vec![second]));
    let steps: Vec<_> = again.records[0].changes.iter().map(|change| change.step.clone()).collect();
    assert_eq!(steps, [Step::Added, Step::Asked], "in their order");
    assert!(book.take_unsaved().is_empty());
}

#[test]
fn who_has_just_lost_its_source_is_searched_for_first_and_then_who_has_waited_for_longest() {
    let mut book = Book::default();
    let [later, earlier, lost] = [1, 2, 3].map(|number| add(&mut book, number).unwrap());
    assert_eq!(book.next_to_seek(at(0).now).unwrap_err(), None);
    find_nobody(&mut book, later, 100);
    find_nobody(&mut book, earlier, 50);
    let due = errand(&book, earlier).unwrap().due;
    assert_eq!(book.next_to_seek(at(50).now).unwrap_err(), Some(due));
    assert_eq!(book.next_to_seek(due).unwrap().id, earlier);
    meet(&mut book, lost, 1_000, Setback::NoWord);
    for expected in [lost, earlier, later] {
        assert_eq!(book.next_to_seek(at(2_000).now).unwrap().id, expected);
        book.get_mut(expected).unwrap().pause();
    }
    assert_eq!(book.next_to_seek(at(2_000).now).unwrap_err(), None);
}

/// A machine without a clock of its own starts with any date, until it has asked for the right one.
#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    let years = 3_600 * 24 * 365 * 10;
    let mut book = Book::default();
    let [asks, seeks] = [1, 2].map(|number| add(&mut book, number).unwrap());
    meet(&mut book, asks, years, Setback::StreamLost);
    find_nobody(&mut book, seeks, years);
    let now = at(1_000).now;
    assert_eq!(book.set_out(now), (vec![wanted(1).source.username], None));
    assert_eq!(book.next_to_seek(now).unwrap().id, seeks);
}

#[test]
fn who_is_to_be_asked_again_is_set_out_when_it_is_time() {
    let mut book = Book::default();
    let [seeks, second, third, first] = [1, 2, 3, 4].map(|number| add(&mut book, number).unwrap());
    meet(&mut book, seeks, 0, Setback::NoWord);
    for (id, seconds) in [(second, 100), (third, 200), (first, 0)] {
        meet(&mut book, id, seconds, Setback::StreamLost);
    }
    let [due, next] = [first, second].map(|id| errand(&book, id).unwrap().due);
    assert_eq!(book.set_out(due), (vec![wanted(4).source.username], Some(next)));
    let states = [first, second, third].map(|id| book.entries[&id].state());
    assert_eq!(states, [DownloadState::Queued, DownloadState::Waiting, DownloadState::Waiting]);
    assert_eq!(errand(&book, seeks).map(|errand| errand.what), Some(What::Seek));
}

#[test]
fn a_source_that_is_back_for_one_is_back_for_all_that_search_for_it() {
    let mut book = Book::default();
    let [lost, waits, deceived, asks] = [1, 2, 3, 4].map(|number| add(&mut book, number).unwrap());
    let of_another = add_wanted(&mut book, wanted_of("bert", 7, 5)).unwrap();
    meet(&mut book, lost, 0, Setback::NoWord);
    find_nobody(&mut book, waits, 0);
    meet(&mut book, deceived, 0, Setback::WrongPiece);
    meet(&mut book, asks, 0, Setback::StreamLost);
    meet(&mut book, of_another, 0, Setback::NoWord);
    let untouched = [deceived, asks, of_another].map(|id| (id, errand(&book, id)));
    let back = wanted_of("alice", 2, 9).source;
    book.find_again(&back);
    for (id, number) in [(lost, 1), (waits, 2)] {
        let source = &book.entries[&id].source;
        assert_eq!((errand(&book, id), book.entries[&id].state()), (None, DownloadState::Queued));
        assert_eq!((source.file, source.reply_key), (wanted(number).source.file, back.reply_key));
    }
    for (id, before) in untouched {
        assert!(before.is_some() && errand(&book, id) == before, "{id:?}");
    }
}

#[test]
fn a_batch_is_what_one_introduction_asks_for() {
    let mut book = Book::default();
    let alice = wanted(0).source.username;
    let plain = FILES_PER_INTRODUCTION_MAX + 1;
    let ids: Vec<_> = (0..plain + 3).map(|number| add(&mut book, number).unwrap()).collect();
    add_wanted(&mut book, wanted_of("bert", 7, plain + 3)).unwrap();
    let introduction = IntroductionId::random();
    book.get_mut(ids[plain]).unwrap().introduce(introduction);
    ids[plain + 1..].iter().for_each(|id| book.get_mut(*id).unwrap().ask_alone());
    assert!(book.begin_asking(&alice) && !book.begin_asking(&alice));
    let mut batches = Vec::new();
    while let Some((items, id)) = book.next_batch(&alice) {
        for item in &items {
            book.get_mut(item.id).unwrap().pause();
        }
        batches.push((items.len(), id));
    }
    let most = FILES_PER_INTRODUCTION_MAX;
    assert_eq!(batches, [(most, None), (1, None), (1, Some(introduction)), (1, None), (1, None)]);
    assert!(book.begin_asking(&alice), "the task is over");
}

#[test]
fn a_file_that_is_under_way_is_not_fetched_twice() {
    let mut book = Book::default();
    let id = add(&mut book, 1).unwrap();
    assert_eq!(add(&mut book, 1), Ok(id));
    meet(&mut book, id, 0, Setback::WrongPiece);
    assert_eq!(add(&mut book, 1), Ok(id));
    assert!(errand(&book, id).is_some(), "its source has sent something else");
    assert_eq!(add_wanted(&mut book, wanted_of("bert", 2, 1)), Ok(id));
    assert_eq!((errand(&book, id), book.entries[&id].state()), (None, DownloadState::Queued));
    drop(book.get_mut(id).unwrap().cancel());
    let again = add(&mut book, 1).unwrap();
    assert_ne!(again, id);
    // Another file, whose name is taken by that one.
    let left_out = add_wanted(&mut book, Wanted { conflict: Conflict::Skip, ..wanted(2) }).unwrap();
    assert_eq!(book.entries[&left_out].life().cause(), Some(Cause::NameTaken));
}
