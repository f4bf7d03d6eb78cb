//! Who gets in, and what the page says when nobody does.

use std::time::Duration;

use hearsay_tests::{browser::Browser, scene::Scene, wait::until};

use super::{link, sees_connected_as};

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_one_tab_in_a_taken_username_is_told_and_so_is_a_daemon_that_is_away() {
    let scene = Scene::start().await;
    let anna = scene.peer("anna").connected().await;
    let bert = scene.peer("bert").with_page().connected().await;
    let browser = Browser::start().await;

    let page = link(&bert).await;
    let (bare, secret) = page.split_once('#').unwrap();
    browser.open(bare).await;
    browser.read("#notice", "how to get in", |text| text.contains("peerctl gui")).await;
    assert_eq!(browser.text_of("#app").await, "", "nothing is shown without a session");
    let answer = browser.answer_of("/v1/status").await;
    assert_eq!(answer, 401, "nothing is told without a session");
    browser.clear_console().await;
    browser.open(&page).await;
    sees_connected_as(&browser, "bert").await;
    assert!(!browser.url().await.contains(secret), "the link's secret stays in the address");

    browser.click("#disconnect").await;
    browser.read("#connection", "not connected", |text| text == "not connected").await;
    browser.assert_quiet_console().await;
    for taken in ["anna", "ANNA", "anna1"] {
        // Another letter that looks alike is as taken; another name is not.
        let is_free = taken == "anna1";
        browser.enter("#username", taken).await;
        if is_free {
            sees_connected_as(&browser, taken).await;
        } else {
            let told = browser
                .read("#connect-problem", &format!("why not {taken}"), |text| text.contains("is taken"))
                .await;
            assert!(told.starts_with(&format!("{taken}: the username, or one that looks like it")), "{told}");
            assert_eq!(browser.count("#username[aria-invalid=true]").await, 1);
        }
    }
    browser.click("#disconnect").await;
    browser.read("#connection", "not connected", |text| text == "not connected").await;
    browser.enter("#username", "a b").await;
    browser.read("#connect-problem", "what is wrong with it", |text| text.contains("not allowed")).await;
    browser.clear_console().await;

    browser.open_in_a_new_tab(&page).await;
    browser.read("#notice", "that it is used", |text| text.contains("doesn’t work any more")).await;
    assert_eq!(browser.text_of("#app").await, "", "a used link opens nothing");

    let bert = bert.kill_and_start_again().await;
    browser.open(&link(&bert).await).await;
    sees_connected_as(&browser, "bert").await;
    let bert = bert.kill_and_start_again().await;
    let session_is_over = |text: &str| text.contains("session is over") && text.contains("peerctl gui");
    browser.read("#notice", "what to do", session_is_over).await;
    browser.open(&link(&bert).await).await;
    sees_connected_as(&browser, "bert").await;

    let reach = Duration::from_secs(10);
    bert.stop().await;
    until("the page says that the daemon is away", reach, async || {
        let notice = browser.text_of("#notice").await;
        (notice.contains("not reachable") && notice.contains("peerctl start")).then_some(())
    })
    .await;
    browser.stop().await;
    scene.stop_with([anna]).await;
}
