//! Both sides honest: proof, piece layer, ranges, progress, and every way to end.

use std::{
    net::Ipv4Addr,
    sync::{Arc, atomic::Ordering},
};

use peer_daemon::{
    introductions::identity::Identity,
    peer_stream::{
        client::{Requester, StreamError},
        dial::dial,
        dial_rules::{DialRules, Scope},
        limits::StreamLimits,
        listen::{bind_download, bind_upload},
        offered::Offered,
        progress::{CurrentItem, Phase},
        server::{Ended, ServeError, Steering},
        shelf::ShelfError,
        tls::TlsError,
    },
};
use protocol::{Code, FileId, Root};

use crate::harness::{PATIENCE, Peers, SHORT, content, ended, fetch, fetch_run};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_dial_back_brings_a_verified_file() {
    let content = content(3 * MIB + 12_345);
    let (peers, file) = Peers::offering(&content);
    let download = bind_download(Vec::new(), &[], 0).unwrap();
    let upload = bind_upload(Vec::new(), &[], 0).unwrap();

    let rules = DialRules { coordinator_scope: Scope::Loopback, allow: Vec::new() };
    let to = (Ipv4Addr::LOCALHOST, download.port()).into();
    let serving = peers.serve(dial(to, Some(upload.port()), &rules, PATIENCE).await.unwrap());
    let (stream, from) = download.accept().await;
    assert_eq!(from.port(), upload.port(), "the dial-back leaves from the upload port");

    let mut requester =
        Requester::establish(StreamLimits::default(), stream, &peers.requester, None).await.unwrap();
    assert_eq!(requester.target_certificate(), peers.target.certificate_sha256());
    let proof = requester.proof().await.unwrap();
    assert_eq!((proof.id, proof.message_key), (peers.offer.id, peers.offer.message_key.clone()));
    assert_eq!(peers.progress.phase(), Phase::Verified, "a proof is no request for a file");

    let layer = requester.piece_layer(&file).await.unwrap();
    for index in 0..file.piece_count() {
        let piece = fetch(&mut requester, &file, file.piece_range(index)).await.unwrap();
        let mut check = layer.piece_check(index);
        check.update(&piece);
        assert!(check.finish(), "piece {index}");
    }
    assert_eq!(peers.progress.current_item(), Some(CurrentItem { file, sent: file.size }));
    requester.close().await;
    let served = ended(serving).await.unwrap();
    assert_eq!((served.ended, served.asked, served.bytes_sent), (Ended::Closed, true, file.size));
}

#[tokio::test]
async fn any_range_is_the_bytes_of_that_range() {
    let content = content(2 * MIB + 1);
    let (peers, file) = Peers::offering(&content);
    let (mut requester, _serving) = peers.connect().await;
    for range in [0..1, 0..file.size, 5..1_000_000, file.size - 1..file.size, 1_048_575..1_048_577] {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        let received = fetch(&mut requester, &file, range.clone()).await.unwrap();
        assert!(received == content[start..end], "{range:?}");
    }
    for range in [0..file.size + 1, 7..7] {
        let refused = fetch(&mut requester, &file, range).await;
        assert!(matches!(refused, Err((_, StreamError::Protocol(_)))), "{refused:?}");
    }
}

#[tokio::test]
async fn several_files_and_an_empty_one_come_over_one_stream() {
    let mut peers = Peers::new();
    let contents = [content(0), content(100), content(MIB + 1)];
    let files = contents.each_ref().map(|content| peers.offer(content));
    let (mut requester, _serving) = peers.connect().await;
    for (file, content) in files.iter().zip(&contents) {
        assert_eq!(requester.piece_layer(file).await.unwrap().file(), *file);
        assert!(fetch(&mut requester, file, 0..file.size).await.unwrap() == *content);
        assert_eq!(peers.progress.current_item(), Some(CurrentItem { file: *file, sent: file.size }));
    }
}

#[tokio::test]
async fn small_files_of_a_folder_come_with_one_request() {
    let mut peers = Peers::new();
    let contents = [300_000, 0, 20, MIB + 1, 7].map(content);
    let files = contents.each_ref().map(|content| peers.shelf.add(content));
    let (folder, whole) = peers.shelf.add_folder(&files);
    peers.offer.files = Offered::new(&[folder], files.map(|file| (file, folder)));
    let (mut requester, _serving) = peers.connect().await;
    assert_eq!(whole.runs(&[0, 1, 2, 3, 4]), [0..3, 3..4, 4..5]);
    let together = whole.bytes_of(&(0..3));
    let came = fetch_run(&mut requester, &folder, &whole, together.clone()).await.unwrap();
    assert!(came == contents[..3].concat());
    let item = CurrentItem { file: folder, sent: together.end };
    assert_eq!(peers.progress.current_item(), Some(item));

    let (other, other_whole) = peers.shelf.add_folder(&files[..2]);
    let refused = |came| match came {
        Err((received, StreamError::Refused { status, code })) if Vec::is_empty(&received) => (status, code),
        other => panic!("{other:?}"),
    };
    for part in [1..together.end, 0..whole.size(), whole.bytes_of(&(3..4))] {
        let came = fetch_run(&mut requester, &folder, &whole, part.clone()).await;
        assert_eq!(refused(came).0, 416, "{part:?} are not whole small files");
    }
    let came = fetch_run(&mut requester, &other, &other_whole, 0..other_whole.size()).await;
    assert_eq!(refused(came).1, Code::FileNotOffered);
    // Where one of them is not what it was, none is sent, and the stream goes on.
    peers.shelf.change(files[2]);
    let came = fetch_run(&mut requester, &folder, &whole, together.clone()).await;
    assert_eq!(refused(came).1, Code::SourceChanged);
    peers.shelf.fail(files[0], ShelfError::Gone);
    assert_eq!(refused(fetch_run(&mut requester, &folder, &whole, together).await).1, Code::FileGone);
    assert!(fetch(&mut requester, &files[4], 0..7).await.unwrap() == contents[4]);
}

#[tokio::test]
async fn what_can_not_be_served_is_named_and_the_stream_goes_on() {
    let mut peers = Peers::new();
    let [good, gone, changed, unreadable] = [1, 2, 3, 4].map(|size| peers.offer(&content(size)));
    peers.shelf.fail(gone, ShelfError::Gone);
    peers.shelf.fail(changed, ShelfError::Changed);
    peers.shelf.fail(unreadable, ShelfError::Unreadable);
    let on_the_shelf_but_not_offered = peers.shelf.add(&content(99));
    let other_size = FileId { size: good.size + 1, ..good };
    let (mut requester, _serving) = peers.connect().await;
    for (file, expected) in [
        (on_the_shelf_but_not_offered, Code::FileNotOffered),
        (other_size, Code::FileNotOffered),
        (FileId::new(Root::random(), 5 * MIB as u64).unwrap(), Code::FileNotOffered),
        (gone, Code::FileGone),
        (changed, Code::SourceChanged),
        (unreadable, Code::Internal),
    ] {
        match fetch(&mut requester, &file, 0..file.size).await {
            Err((received, StreamError::Refused { status, code })) => {
                assert_eq!((status, code), (expected.status(), expected));
                assert!(received.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(fetch(&mut requester, &good, 0..good.size).await.is_ok());
}

#[tokio::test]
async fn a_file_that_changes_halfway_breaks_the_stream_and_is_never_mixed() {
    let content = content(16 * MIB);
    let (peers, file) = Peers::offering(&content);
    let (mut requester, serving) = peers.connect().await;
    let mut body = requester.fetch(&file, 0..file.size).await.unwrap();
    let mut received = body.chunk().await.unwrap().unwrap().to_vec();
    peers.shelf.change(file);
    let error = loop {
        match body.chunk().await {
            Ok(Some(bytes)) => received.extend_from_slice(&bytes),
            Ok(None) => panic!("the whole file came"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StreamError::Lost), "{error:?}");
    assert!(content.starts_with(&received));
    assert_eq!(ended(serving).await.unwrap().ended, Ended::SourceChanged);
}

#[tokio::test]
async fn a_stream_that_is_closed_before_a_file_is_asked_for_was_deferred() {
    let (peers, _) = Peers::offering(&content(10));
    let (mut requester, serving) = peers.connect().await;
    requester.proof().await.unwrap();
    requester.close().await;
    let served = ended(serving).await.unwrap();
    assert_eq!((served.ended, served.asked, served.bytes_sent), (Ended::Closed, false, 0));
}

#[tokio::test]
async fn phases_can_be_waited_for() {
    let (peers, file) = Peers::offering(&content(10));
    let (near, _serving) = peers.pipe();
    assert_eq!(peers.progress.phase(), Phase::Connected);
    let mut requester =
        Requester::establish(StreamLimits::default(), near, &peers.requester, None).await.unwrap();
    peers.progress.reached(Phase::Verified).await;
    fetch(&mut requester, &file, 0..10).await.unwrap();
    peers.progress.reached(Phase::Asked).await;
}

#[tokio::test]
async fn a_stop_ends_a_stream_at_once_in_every_phase() {
    // While nothing has come yet.
    let (peers, file) = Peers::offering(&content(8 * MIB));
    let (_silent, serving) = peers.pipe();
    peers.steering.stop.cancel();
    assert!(matches!(ended(serving).await, Err(ServeError::Stopped)));

    // In the middle of a body.
    let peers = Peers { steering: Steering::default(), ..peers };
    let (mut requester, serving) = peers.connect().await;
    let mut body = requester.fetch(&file, 0..file.size).await.unwrap();
    body.chunk().await.unwrap();
    peers.steering.stop.cancel();
    assert_eq!(ended(serving).await.unwrap().ended, Ended::Stopped);
    let error = loop {
        if let Err(error) = body.chunk().await {
            break error;
        }
    };
    assert!(matches!(error, StreamError::Lost), "{error:?}");
}

#[tokio::test]
async fn a_requester_that_goes_away_frees_the_target() {
    let (peers, file) = Peers::offering(&content(8 * MIB));
    let (mut requester, serving) = peers.connect().await;
    requester.fetch(&file, 0..file.size).await.unwrap().chunk().await.unwrap();
    drop(requester);
    let served = ended(serving).await.unwrap();
    assert!(matches!(served.ended, Ended::Lost | Ended::Closed), "{served:?}");
    assert!(served.asked);
}

#[tokio::test]
async fn a_stream_on_which_nothing_moves_ends() {
    // No request.
    let mut peers = Peers::with_limits(SHORT);
    let (requester, serving) = peers.connect().await;
    assert_eq!(ended(serving).await.unwrap().ended, Ended::Idle);
    drop(requester);

    // A body that is not read.
    peers.progress = Arc::default();
    let file = peers.offer(&content(8 * MIB));
    let (mut requester, serving) = peers.connect().await;
    let _unread = requester.fetch(&file, 0..file.size).await.unwrap();
    assert_eq!(ended(serving).await.unwrap().ended, Ended::Idle);
}

#[tokio::test]
async fn a_disk_that_does_not_answer_holds_no_stream() {
    let mut peers = Peers::with_limits(SHORT);
    let file = peers.offer(&content(8 * MIB));
    let (mut requester, serving) = peers.connect().await;
    let mut body = requester.fetch(&file, 0..file.size).await.unwrap();
    body.chunk().await.unwrap();
    let _silence = peers.shelf.disk.fall_silent();
    while let Ok(Some(_)) = body.chunk().await {}
    let served = ended(serving).await.unwrap();
    assert_eq!((served.ended, served.asked), (Ended::DiskSilent, true));
    assert_eq!(peers.shelf.left.load(Ordering::SeqCst), 1, "whoever reads there is told of");

    // Where it is known, nobody waits; and the requester hears of no refusal.
    peers.progress = Arc::default();
    peers.shelf.fail(file, ShelfError::Silent);
    let (mut requester, serving) = peers.connect().await;
    let broken = requester.fetch(&file, 0..file.size).await;
    assert!(matches!(broken, Err(StreamError::Lost)), "{:?}", broken.err());
    assert_eq!(ended(serving).await.unwrap().ended, Ended::DiskSilent);
    assert_eq!(peers.shelf.left.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn each_side_refuses_another_certificate_than_the_pinned_one() {
    let (mut peers, file) = Peers::offering(&content(10));
    let (near, serving) = peers.pipe();
    let stranger = Identity::generate(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let refused = Requester::establish(
        StreamLimits::default(),
        near,
        &peers.requester,
        Some(stranger.certificate_sha256()),
    )
    .await;
    assert!(matches!(refused, Err(StreamError::Pin)), "{refused:?}");
    assert!(matches!(ended(serving).await, Err(ServeError::Tls(TlsError::Handshake(_)))));

    // In TLS 1.3 a requester hears of it only with its first request.
    peers.requester = stranger;
    let (near, serving) = peers.pipe();
    let mut requester =
        Requester::establish(StreamLimits::default(), near, &peers.requester, None).await.unwrap();
    let refused = fetch(&mut requester, &file, 0..10).await;
    assert!(matches!(refused, Err((_, StreamError::NotAccepted))), "{refused:?}");
    assert!(matches!(ended(serving).await, Err(ServeError::Tls(TlsError::Pin))));
    assert_eq!(peers.progress.phase(), Phase::Connected);
}

#[tokio::test]
async fn a_target_that_answers_for_another_introduction_is_told_so() {
    let mut peers = Peers::new();
    let (requester, _serving) = peers.connect().await;
    let other = requester.naming(protocol::IntroductionId::random()).proof().await;
    assert!(matches!(other, Err(StreamError::Refused { code: Code::IntroductionOver, .. })), "{other:?}");
    peers.progress = Arc::default();
    let (requester, _serving) = peers.connect().await;
    assert_eq!(requester.naming(peers.offer.id).proof().await.unwrap().id, peers.offer.id);
}

#[tokio::test]
async fn a_stream_that_is_wound_up_ends_with_the_response_that_is_under_way() {
    let content = content(3 << 20);
    let (peers, file) = Peers::offering(&content);
    let (mut requester, serving) = peers.connect().await;
    let mut body = requester.fetch(&file, 0..file.size).await.unwrap();
    let mut received = body.chunk().await.unwrap().unwrap().to_vec();
    peers.steering.wind_up.cancel();
    while let Some(bytes) = body.chunk().await.unwrap() {
        received.extend_from_slice(&bytes);
    }
    assert_eq!(received, content);
    assert!(matches!(requester.fetch(&file, 0..1).await, Err(StreamError::Ended)));
    assert_eq!(ended(serving).await.unwrap().ended, Ended::Closed);

    // Between two responses it ends at once.
    let peers = Peers { steering: Steering::default(), progress: Arc::default(), ..peers };
    let (mut requester, serving) = peers.connect().await;
    fetch(&mut requester, &file, 0..1).await.unwrap();
    peers.steering.wind_up.cancel();
    assert_eq!(ended(serving).await.unwrap().ended, Ended::Closed);
}
