//! The message-key is the requester's only proof that it talks to the peer it asked: whoever dials its
//! download port without it gets no request, and whoever asks a target without the invitation's certificate
//! gets no answer.

use std::time::Duration;

use hearsay_tests::{
    content::Folder,
    scene::Scene,
    scripted::{Opened, ScriptedPeer},
    wait::{PATIENCE, within},
};
use protocol::{
    FileId, IntroductionId, MessageKey, Root,
    control::DownloadState,
    introduction::{HeardReply, IntroductionProof},
};

/// A target that shows a wrong key may yet show the right one, in 15 s; then others are looked for.
const VERDICT: Duration = Duration::from_secs(30);
/// More than the buffers between two peers hold.
const LARGE: usize = 40 << 20;

/// A file that nobody has; whoever is asked for it has been believed.
fn wanted() -> FileId {
    FileId::new(Root::from_bytes([7; 32]), 1 << 20).unwrap()
}

/// A real requester asks a target played by hand, which shows `proof`. Gives what the requester asked for
/// on that stream, and how its user was told.
async fn what_is_asked_after(proof: impl FnOnce(&Opened) -> IntroductionProof) -> (Vec<String>, u64) {
    let scene = Scene::start().await;
    let mut target = scene.scripted_peer("target").await;
    let requester = scene.peer("requester").connected().await;

    let (found, ()) =
        tokio::join!(requester.search("wanted file"), target.offer("wanted file.bin", wanted()));
    assert_eq!(found.results.len(), 1, "{found:#?}");
    let serve = async |target: &mut ScriptedPeer| {
        let introduction = target.next_introduction().await;
        assert_eq!(introduction.from.as_str(), "requester");
        assert_eq!(introduction.invitation.files, [wanted()]);
        let proof = proof(&introduction);
        target.dial_back(&introduction).await.show(&proof).await
    };
    let download = requester.begin_result("1").await;
    let asked = serve(&mut target).await;

    let settled = requester
        .wait_for_download(&download, "is settled", VERDICT, |now| {
            now.state.has_ended() || now.reason.as_ref().is_some_and(|reason| reason.contains("nobody else"))
        })
        .await;
    assert!(!matches!(settled.state, DownloadState::Finished), "{settled:?}");
    assert_eq!(settled.received, 0, "{settled:?}");
    let refused = requester.status().await.refused_dial_backs;
    scene.stop_with([requester]).await;
    (asked, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_key_is_believed() {
    let (asked, refused) = what_is_asked_after(|introduction| IntroductionProof {
        id: introduction.id,
        message_key: introduction.invitation.message_key.clone(),
    })
    .await;
    assert_eq!(asked[0], "GET /v1/introduction");
    assert!(asked[1].contains(&format!("/v1/files/{}/{}", wanted().root, wanted().size)), "{asked:?}");
    assert_eq!(refused, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_message_key_is_refused_before_anything_is_asked() {
    let (asked, refused) = what_is_asked_after(|introduction| IntroductionProof {
        id: introduction.id,
        message_key: MessageKey::random(),
    })
    .await;
    assert_eq!(asked, ["GET /v1/introduction"]);
    assert_eq!(refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_introduction_is_refused_before_anything_is_asked() {
    let (asked, refused) = what_is_asked_after(|introduction| IntroductionProof {
        id: IntroductionId::random(),
        message_key: introduction.invitation.message_key.clone(),
    })
    .await;
    assert_eq!(asked, ["GET /v1/introduction"]);
    assert_eq!(refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_that_a_download_port_shows_does_not_tell_whose_it_is() {
    let scene = Scene::start().await;
    let files = Folder::new().with("other.txt", "of bert's own");
    let bert = scene.peer("bert").sharing(files.path()).connected().await;
    let mut mallory = scene.scripted_peer("mallory").await;
    let known_as = mallory.find("other").await;
    assert_eq!(known_as.username.as_str(), "bert");

    let beginning = bert.begin("wanted");
    let ((), _download) = tokio::join!(mallory.offer("wanted file.bin", wanted()), beginning);
    let introduction = mallory.next_introduction().await;
    let port = mallory.dial_back(&introduction).await;
    let named = introduction.invitation.certificate_sha256;
    assert_ne!(named, known_as.certificate_sha256, "a stranger at the port would know the username");
    drop(port);

    scene.stop_with([bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_proves_itself_only_to_the_certificate_in_the_invitation() {
    let scene = Scene::start().await;
    let files = Folder::new().with("wanted file.bin", "secret enough");
    let target = scene.peer("target").sharing(files.path()).connected().await;
    let mut requester = scene.asker("requester", "wanted file").await;

    let invited = requester.invite().await;
    let heard = requester.ask_for_proof(true).await;
    assert_eq!(heard, "", "somebody else at the requester's address must hear nothing");
    assert_eq!(requester.word_on(&invited).await, HeardReply::Accepted {});

    let invited_again = requester.invite().await;
    let heard = requester.ask_for_proof(false).await;
    assert!(heard.contains(invited_again.message_key.reveal().as_str()), "{heard}");
    assert!(!heard.contains(invited.message_key.reveal().as_str()), "{heard}");

    scene.stop_with([target]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_that_sends_again_with_another_key_is_shown_that_one() {
    let scene = Scene::start().await;
    let files = Folder::new().with("wanted file.bin", "secret enough");
    let target = scene.peer("target").sharing(files.path()).connected().await;
    let requester = scene.asker("requester", "wanted file").await;

    let before = requester.invite().await;
    // The dial-back to a process that is no more: nobody speaks on it.
    let (_silent, _) = within("the first dial-back", PATIENCE, requester.listener.accept()).await.unwrap();
    let after = requester.invite_again(&before).await;
    let heard = requester.ask_for_proof(false).await;
    assert!(heard.contains(after.message_key.reveal().as_str()), "{heard}");

    scene.stop_with([target]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_twice_does_not_disturb_the_stream_that_it_led_to() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("wanted file.bin", LARGE, 61);
    let target = scene.peer("target").sharing(files.path()).connected().await;
    let mut requester = scene.asker("requester", "wanted file").await;

    let invited = requester.invite().await;
    let mut stream = requester.asks().await;
    let mut received = stream.read(1).await;
    assert_eq!(requester.word_on(&invited).await, HeardReply::Accepted {});
    requester.peer.repeat(&invited).await;
    assert_eq!(requester.word_on(&invited).await, HeardReply::Accepted {});
    while received < LARGE {
        let more = stream.read(1 << 20).await;
        assert!(more > 0, "the stream ended after {received} bytes");
        received += more;
    }

    scene.stop_with([target]).await;
}
