//! The web page in a real browser: what a person does with a mouse and a keyboard, and what the page never does.

use std::{path::PathBuf, time::Duration};

use hearsay_tests::{
    browser::Browser,
    content::Folder,
    peer::{Peer, download_address},
    scene::Scene,
    slow_link::SlowLink,
    wait::{PATIENCE, until},
};
use protocol::control::{Download, DownloadState, ExitCode, GuiLogin};

/// Slow enough for a pause in mid-transfer, and over in some seconds.
const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 5 * (BYTES_PER_SECOND as usize);
/// Whoever changes the page sets this to a folder, and looks at the pictures that the tests leave there.
const PICTURES: &str = "HEARSAY_TEST_PICTURES";

async fn link(peer: &Peer) -> String {
    let login: GuiLogin = peer.peerctl(&["--json", "gui"]).await.expect(ExitCode::Done).document();
    login.url
}

async fn download(peer: &Peer) -> Download {
    let mut downloads = peer.downloads().await;
    assert_eq!(downloads.len(), 1, "{downloads:#?}");
    downloads.remove(0)
}

/// The bar, as a part of the whole.
async fn bar(browser: &Browser) -> f64 {
    browser.evaluate("document.querySelector('#downloads progress').value").await
}

async fn take_pictures(browser: &Browser, name: &str) {
    let Some(folder) = std::env::var_os(PICTURES).map(PathBuf::from) else { return };
    browser.picture(1100, 900, &folder.join(format!("{name}.png"))).await;
    browser.picture(500, 900, &folder.join(format!("{name}-phone.png"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_connects_searches_fetches_pauses_and_resumes() {
    let files = Folder::new().with_random("river song.flac", FILE, 21).with("river notes.txt", "notes");
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let slow = SlowLink::start(BYTES_PER_SECOND).await;
    let bert = scene.peer("bert").with_page().with_public_download_port(slow.port()).connected().await;
    slow.leads_to(download_address(&bert.status().await));

    let browser = Browser::start().await;
    let link = link(&bert).await;
    browser.open(&link).await;
    browser.read("#connection", "connected as bert", |text| text == "connected as bert").await;
    assert!(
        !browser.url().await.contains(&link[link.len() - 64..]),
        "the link's secret stays in the address"
    );

    browser.enter("#query", "river").await;
    browser.read("#search-summary", "2 files", |text| text == "2 files for “river”").await;
    browser.press("Fetch river song.flac").await;
    browser.read("#downloads .state", "a percentage", |text| text.ends_with('%') && text != "0 %").await;
    take_pictures(&browser, "page").await;
    browser.press("Pause river song.flac").await;
    browser.read("#downloads .state", "paused", |text| text == "paused").await;
    let paused = download(&bert).await;
    assert!(0 < paused.received && paused.received < paused.size, "{paused:?}");
    let shown = bar(&browser).await;
    #[allow(clippy::cast_precision_loss, reason = "a bar is not that fine")]
    let expected = paused.received as f64 / paused.size as f64;
    assert!((shown - expected).abs() < 1e-6, "the bar shows {shown}, verified are {expected}");

    browser.reload().await;
    browser.press("Resume river song.flac").await;
    browser.read("#downloads .state", "a percentage", |text| text.ends_with('%')).await;
    assert!(bar(&browser).await >= shown, "what was verified is not fetched again");
    browser.read("#downloads .state", "done", |text| text == "done").await;
    assert_eq!(bert.digest_of("river song.flac"), files.digest("river song.flac"));
    browser.press("Remove river song.flac").await;
    until("the list is empty", PATIENCE, async || (browser.count("#downloads li").await == 0).then_some(()))
        .await;
    browser.assert_quiet_console().await;

    browser.stop().await;
    anna.stop().await;
    bert.stop().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_one_tab_in_and_a_taken_username_is_told_beside_the_field() {
    let scene = Scene::start().await;
    let anna = scene.peer("anna").connected().await;
    let bert = scene.peer("bert").with_page().connected().await;
    let browser = Browser::start().await;

    let page = link(&bert).await;
    let (bare, _) = page.split_once('#').unwrap();
    browser.open(bare).await;
    browser.read("#notice", "how to get in", |text| text.contains("peerctl gui")).await;
    assert_eq!(browser.text_of("#app").await, "", "nothing is shown without a session");
    browser.open(&page).await;
    browser.read("#connection", "connected as bert", |text| text == "connected as bert").await;

    browser.click("#disconnect").await;
    browser.read("#connection", "not connected", |text| text == "not connected").await;
    browser.assert_quiet_console().await;
    for taken in ["anna", "ANNA", "аnna"] {
        browser.enter("#username", taken).await;
        browser.read("#connect-problem", "why not", |text| !text.is_empty()).await;
    }
    browser.clear_console().await;
    browser.enter("#username", "bertha").await;
    browser.read("#connection", "connected as bertha", |text| text == "connected as bertha").await;
    browser.assert_quiet_console().await;

    browser.open_in_a_new_tab(&page).await;
    browser.read("#notice", "that it is used", |text| text.contains("doesn’t work any more")).await;
    assert_eq!(browser.text_of("#app").await, "", "a used link opens nothing");

    browser.stop().await;
    anna.stop().await;
    bert.stop().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_queries_are_text_and_never_markup() {
    // What a received name can hold of markup at the most: the rest is replaced when it comes in.
    let name = "Tom &amp; &lt;img src=x onerror=document.title=1&gt; 'Jerry'.txt";
    let files = Folder::new().with(name, "cheese");
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").with_page().connected().await;
    let browser = Browser::start().await;
    browser.open(&link(&bert).await).await;

    let query = "<img src=x onerror=\"document.title='owned'\"><b>Tom</b>";
    browser.enter("#query", query).await;
    browser.read("#search-summary", "the query as typed", |text| text.contains(query)).await;
    browser.enter("#query", "Tom Jerry").await;
    browser.read("#results .name", "the name as it is", |text| text == name).await;
    browser.press(&format!("Fetch {name}")).await;
    browser.read("#downloads .state", "done", |text| text == "done").await;
    browser.read("#downloads .name", "the name as it is", |text| text == name).await;
    assert_eq!(download(&bert).await.state, DownloadState::Finished);

    assert_eq!(browser.count("main img, main b").await, 0, "markup came alive");
    assert_eq!(browser.title().await, "Hearsay");
    browser.assert_quiet_console().await;
    browser.stop().await;
    anna.stop().await;
    bert.stop().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_that_its_daemon_is_gone_and_how_to_go_on() {
    let scene = Scene::start().await;
    let bert = scene.peer("bert").with_page().connected().await;
    let browser = Browser::start().await;
    browser.open(&link(&bert).await).await;
    browser.read("#connection", "connected as bert", |text| text == "connected as bert").await;

    let bert = bert.kill_and_start_again().await;
    let session_is_over = |text: &str| text.contains("session is over") && text.contains("peerctl gui");
    browser.read("#notice", "what to do", session_is_over).await;
    browser.open(&link(&bert).await).await;
    browser.read("#connection", "connected as bert", |text| text == "connected as bert").await;

    let reach = Duration::from_secs(10);
    bert.stop().await;
    until("the page says that the daemon is away", reach, async || {
        let notice = browser.text_of("#notice").await;
        (notice.contains("not reachable") && notice.contains("peerctl start")).then_some(())
    })
    .await;
    browser.stop().await;
    scene.stop().await;
}
