//! The giver's side, by keyboard alone: shares, settings, and a word for those who ask.

use hearsay_tests::{
    browser::Browser,
    content::Folder,
    peer::Peer,
    scene::Scene,
    wait::{PATIENCE, until},
};
use protocol::control::{DownloadState, ExitCode, Shares};
use thirtyfour::Key;

use super::{link, sees_connected_as};

async fn shared_files(peer: &Peer) -> u64 {
    let shares: Shares = peer.peerctl(&["--json", "share", "ls"]).await.expect(ExitCode::Done).document();
    shares.shares.iter().map(|share| share.files).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_a_mouse_shares_a_folder_sets_a_limit_accepts_and_declines() {
    let folder =
        Folder::new().with("late song.ogg", "la la").with("other song.ogg", "la").with(".secret", "no");
    let scene = Scene::start().await;
    let settings = format!("policy = \"ask\"\ngui_folders = [{:?}]\n", folder.path().display().to_string());
    let anna = scene.peer("anna").configured(&settings).with_page().connected().await;
    let bert = scene.peer("bert").connected().await;
    let browser = Browser::start().await;
    browser.open(&link(&anna).await).await;
    sees_connected_as(&browser, "anna").await;

    shares_a_folder(&browser, &anna, &folder).await;
    sets_a_limit(&browser, &anna).await;
    gives_a_word(&browser, &bert).await;

    browser.tab_to(&format!("Remove {}", folder.path().display())).await;
    browser.type_keys(Key::Enter + "").await;
    browser.read("#no-shares", "that nothing is shared", |text| text.contains("nothing yet")).await;
    assert_eq!(shared_files(&anna).await, 0);
    browser.assert_quiet_console().await;
    browser.stop().await;
    scene.stop_with([anna, bert]).await;
}

async fn shares_a_folder(browser: &Browser, anna: &Peer, folder: &Folder) {
    browser.type_keys("/").await;
    assert_eq!(browser.focused().await, "Words of a file’s name", "the shortcut leads to the search");
    browser.tab_to("Folder to share").await;
    browser.type_keys("/etc" + Key::Enter).await;
    browser.read("#folder-problem", "where else", |text| text.contains("peerctl share add")).await;
    browser.clear_console().await;
    browser.type_keys(folder.path().join("nothing").display().to_string() + Key::Enter).await;
    browser.read("#folder-problem", "what is wrong", |text| text.contains("does not exist")).await;
    browser.clear_console().await;
    // The field is selected: what is typed takes the place of what was wrong.
    browser.type_keys(folder.path().display().to_string() + Key::Enter).await;
    let names =
        browser.read("#preview-names", "what others would see", |text| text.contains("late song")).await;
    assert!(!names.contains("secret"), "{names}");
    browser.read("#preview-left-out", "what stays out", |text| text == "Left out: 1 hidden.").await;
    assert_eq!(shared_files(anna).await, 0, "a preview shares nothing");
    assert_eq!(browser.focused().await, "Don’t share");
    browser.type_keys(Key::Escape + "").await;
    assert_eq!(browser.focused().await, "Folder to share", "the focus goes back to where it was");
    browser.type_keys(Key::Enter + "").await;
    browser.read("#preview-names", "it again", |text| text.contains("late song")).await;
    browser.tab_to("Offer the folders as a whole, too").await;
    browser.type_keys(" ").await;
    browser.tab_to("Share folder").await;
    browser.type_keys(Key::Enter + "").await;
    browser.read("#shares .detail", "its files", |text| text == "2 files, 7 B · 1 whole folder").await;
    browser.tab_to(&format!("Single files only {}", folder.path().display())).await;
    browser.type_keys(Key::Enter + "").await;
    browser.read("#shares .detail", "no folder", |text| text == "2 files, 7 B").await;
    assert_eq!(shared_files(anna).await, 2);
}

async fn sets_a_limit(browser: &Browser, anna: &Peer) {
    browser.tab_to("Limits and settings").await;
    browser.type_keys(Key::Enter + "").await;
    browser.read("#settings-list", "settings", |text| text.contains("Upload at most")).await;
    browser.tab_to("Upload at most").await;
    browser.type_keys("fast" + Key::Enter).await;
    browser.read("#settings-list .problem", "why not", |text| text.contains("such as 500K")).await;
    browser.clear_console().await;
    browser.type_keys(Key::Control + "a").await;
    browser.type_keys("2M" + Key::Enter).await;
    browser.read("#announcer", "that it is kept", |text| text == "Upload at most: saved").await;
    assert_eq!(anna.status().await.upload_rate_max, Some(2 << 20));
    assert_eq!(browser.count("#setting-gui, #setting-listen, #setting-socket").await, 0);
    browser.tab_to("Reset Upload at most").await;
    browser.type_keys(Key::Enter + "").await;
    until("there is no limit", PATIENCE, async || {
        anna.status().await.upload_rate_max.is_none().then_some(())
    })
    .await;
    until("the focus is where it was", PATIENCE, async || {
        (browser.focused().await == "Upload at most").then_some(())
    })
    .await;
}

async fn gives_a_word(browser: &Browser, bert: &Peer) {
    for (query, word, end) in
        [("late song", "Accept", DownloadState::Finished), ("other song", "Decline", DownloadState::Failed)]
    {
        let download = bert.begin(query).await;
        browser.read("#asking", "who asks", |text| text.contains("bert asks for 1 file")).await;
        browser.read("#announcer", "who asks", |text| text == "bert asks for 1 file").await;
        browser.tab_to(&format!("{word} bert: {query}.ogg")).await;
        browser.type_keys(Key::Enter + "").await;
        let ended =
            bert.wait_for_download(&download, "ends", PATIENCE, |download| download.state.has_ended());
        assert_eq!(ended.await.state, end, "{word}");
        until("nobody asks any more", PATIENCE, async || {
            browser.text_of("#asking").await.is_empty().then_some(())
        })
        .await;
    }
}
