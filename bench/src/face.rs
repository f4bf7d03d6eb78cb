//! What a person waits for before anything is asked: peerctl's start, and the page's first paint.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hearsay_tests::{browser::Browser, peer::Peer, scene::Scene};
use protocol::control::ExitCode;
use tokio::process::Command;

use crate::{
    clock::timed,
    figures::{Times, compare},
};

/// Waits for the first paint; in milliseconds since the navigation began.
const FIRST_PAINT: &str = "
    const paint = () => performance.getEntriesByName('first-contentful-paint')[0];
    while (!paint()) await new Promise((next) => setTimeout(next, 10));
    return paint().startTime;";
/// Bytes of the page's document and of all that it asked for, without headers.
const SIZE: &str = "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource')) \
                    .reduce((sum, entry) => sum + entry.decodedBodySize, 0)";

pub(crate) async fn measure(runs: u32) -> Result<()> {
    let scene = Scene::start().await;
    let peer = scene.peer("anna").with_page().connected().await;
    start(&peer, runs).await?;
    page(&peer, runs).await?;
    peer.stop().await;
    scene.stop().await;
    Ok(())
}

async fn start(peer: &Peer, runs: u32) -> Result<()> {
    let (mut bare, mut status) =
        (Times::of("a process that does nothing (true)"), Times::of("peerctl status"));
    for _ in 0..runs {
        let (output, time) = timed(Command::new("true").output()).await;
        ensure!(output?.status.success(), "true is not");
        bare.add(time);
        let (output, time) = timed(peer.peerctl(&["status"])).await;
        let _ = output.expect(ExitCode::Done);
        status.add(time);
    }
    compare(&status, &bare);
    println!("{:<40} {:.1} ms", "difference of the medians", (status.median() - bare.median()) * 1_000.0);
    Ok(())
}

async fn page(peer: &Peer, runs: u32) -> Result<()> {
    let browser = Browser::start().await;
    let mut paint = Times::of("the page's first paint, in Chromium");
    let mut bytes = 0_u32;
    for _ in 0..runs {
        let link = peer.peerctl(&["gui"]).await.expect(ExitCode::Done).stdout;
        // Otherwise only the fragment would change, and nothing be loaded.
        browser.open("about:blank").await;
        browser.open(link.trim()).await;
        let told = browser.wait_for_script(FIRST_PAINT).await;
        paint.add(Duration::from_secs_f64(told.as_f64().context("no time")? / 1_000.0));
        bytes = browser.evaluate(SIZE).await;
    }
    paint.show();
    println!("{:<40} {:.1} KiB", "the page with all its files", f64::from(bytes) / 1024.0);
    browser.stop().await;
    Ok(())
}
