//! Searching and fetching.

use hearsay_tests::{
    browser::Browser,
    content::Folder,
    peer::{Peer, download_address},
    scene::Scene,
    slow_link::SlowLink,
    steering::PIECE,
    wait::{PATIENCE, until},
};
use protocol::control::Download;

use super::{link, sees_connected_as};

/// A piece a second: there is always a rate to be shown.
const BYTES_PER_SECOND: u32 = 1 << 20;
/// Under way for half a minute, if nobody pauses it.
const PIECES: usize = 32;
const FILE: usize = PIECES * PIECE;
/// What a received name can hold of markup at the most: the rest is replaced when it comes in.
const HOSTILE: &str = "Tom &amp; &lt;img src=x onerror=document.title=1&gt; 'Jerry'.txt";

async fn download(peer: &Peer) -> Download {
    let mut downloads = peer.downloads().await;
    assert_eq!(downloads.len(), 1, "{downloads:#?}");
    downloads.remove(0)
}

/// The bar, as a part of the whole.
async fn bar(browser: &Browser) -> f64 {
    browser.evaluate("document.querySelector('#downloads progress').value").await
}

async fn rows(browser: &Browser, list: &str, wanted: usize) {
    let what = format!("{list} has {wanted} rows");
    until(&what, PATIENCE, async || (browser.count(&format!("{list} li")).await == wanted).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_searches_fetches_pauses_and_resumes_and_names_stay_text() {
    let files = Folder::new().with_random("river song.flac", FILE, 21).with("river.txt", "notes");
    let again = Folder::new().with_random("River Song (live).flac", FILE, 21).with(HOSTILE, "cheese");
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let carl = scene.peer("carl").sharing(again.path()).connected().await;
    let slow = SlowLink::start(BYTES_PER_SECOND);
    let bert = scene.peer("bert").with_page().with_public_download_port(slow.port()).connected().await;
    slow.leads_to(download_address(&bert.status().await));
    let browser = Browser::start().await;
    browser.open(&link(&bert).await).await;
    sees_connected_as(&browser, "bert").await;

    fetches(&browser, &bert, &files, &slow).await;
    names_are_text(&browser).await;
    browser.assert_quiet_console().await;
    browser.stop().await;
    scene.stop_with([anna, bert, carl]).await;
}

async fn fetches(browser: &Browser, bert: &Peer, files: &Folder, slow: &SlowLink) {
    browser.enter("#query", "river").await;
    browser.read("#search-summary", "2 files", |text| text == "2 files for “river”").await;
    browser.read("#results li:first-child", "the exact one", |text| text.contains("river.txt")).await;
    let row =
        browser.read("#results li:last-child .detail", "both sources", |text| text.contains("2 sources"));
    let row = row.await;
    assert!(row.contains("anna") && row.contains("carl") && row.contains("also called"), "{row}");
    let name = browser.text_of("#results li:last-child .name").await;
    slow.stands_still_after_pieces(PIECES - 1);
    browser.press(&format!("Fetch {name}")).await;
    browser.read("#downloads .state", "a percentage", |text| text.ends_with('%') && text != "0 %").await;
    browser
        .read("#downloads .detail", "rate and time", |text| text.contains("/s") && text.contains("left"))
        .await;
    let first = bar(browser).await;
    until("the bar moves", PATIENCE, async || (bar(browser).await > first).then_some(())).await;
    browser.press(&format!("Pause {name}")).await;
    browser.read("#downloads .state", "paused", |text| text == "paused").await;
    let paused = download(bert).await;
    assert!(0 < paused.received && paused.received < paused.size, "{paused:?}");
    let shown = bar(browser).await;
    #[allow(clippy::cast_precision_loss, reason = "a bar is not that fine")]
    let expected = paused.received as f64 / paused.size as f64;
    assert!((shown - expected).abs() < 1e-6, "the bar shows {shown}, verified are {expected}");

    browser.reload().await;
    slow.runs_at(u32::MAX);
    slow.stands_still_after_pieces(1);
    browser.press(&format!("Resume {name}")).await;
    browser.read("#downloads .state", "a percentage", |text| text.ends_with('%')).await;
    assert!(bar(browser).await >= shown, "what was verified is not fetched again");
    slow.runs_at(u32::MAX);
    browser.read("#downloads .state", "done", |text| text == "done").await;
    browser.read("#announcer", "that it is done", |text| text.ends_with(": done")).await;
    assert_eq!(bert.digest_of(&name), files.digest("river song.flac"));

    browser.press(&format!("History {name}")).await;
    let chain = browser.read("#why-steps", "the chain", |text| text.lines().count() > 3).await;
    assert!(chain.contains("anna") || chain.contains("carl"), "{chain}");
    browser.click("#why button").await;
    browser.press(&format!("Remove from list {name}")).await;
    rows(browser, "#downloads", 0).await;
}

async fn names_are_text(browser: &Browser) {
    let query = "<img src=x onerror=\"document.title='owned'\"><b>Tom</b>";
    browser.enter("#query", query).await;
    browser.read("#search-summary", "the query as typed", |text| text.contains(query)).await;
    browser.enter("#query", "Tom Jerry").await;
    browser.read("#results .name", "the name as it is", |text| text == HOSTILE).await;
    browser.press(&format!("Fetch {HOSTILE}")).await;
    browser.read("#downloads .state", "done", |text| text == "done").await;
    browser.read("#downloads .name", "the name as it is", |text| text == HOSTILE).await;
    browser.press(&format!("History {HOSTILE}")).await;
    browser.read("#why-title", "the name as it is", |text| text == HOSTILE).await;
    assert_eq!(browser.count("main img, main b, dialog img").await, 0, "markup came alive");
    assert_eq!(browser.title().await, "Hearsay");
}
