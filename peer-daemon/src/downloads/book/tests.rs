use std::path::PathBuf;

use protocol::{CertificateSha256, FileId, ReplyKey, Root, SafeName};

use super::*;
use crate::downloads::step::Step;

fn wanted(number: usize) -> Wanted {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&number.to_le_bytes());
    let source = Source {
        username: "alice".parse().unwrap(),
        name: SafeName::parse("song").unwrap(),
        file: FileId::new(Root::from_bytes(root), 1).unwrap(),
        folder: None,
        reply_key: ReplyKey::from_bytes([1; 32]),
        certificate_sha256: CertificateSha256::from_bytes([1; 32]),
    };
    Wanted { source, conflict: Conflict::Rename, token: CancellationToken::new() }
}

fn add(book: &mut Book, number: usize) -> Result<DownloadId, BookFull> {
    book.add(wanted(number), false, &mut Names::default(), Path::new("/x"))
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
