//! The web page in a real browser: what a person does with a mouse and a keyboard, and what the page never does.
//!
//! Browsers start slowly, so a case is a whole visit.

mod crowd;
mod entrance;
mod giving;
mod looks;
mod transfers;

use hearsay_tests::{browser::Browser, peer::Peer};
use protocol::control::{ExitCode, GuiLogin};

async fn link(peer: &Peer) -> String {
    let login: GuiLogin = peer.peerctl(&["--json", "gui"]).await.expect(ExitCode::Done).document();
    login.url
}

/// Waits until the page shows that this username is held.
async fn sees_connected_as(browser: &Browser, username: &str) {
    let wanted = format!("connected as {username}");
    browser.read("#connection", &wanted, |text| text == wanted).await;
}
