//! One large file from one peer to another: introduced, streamed, every piece verified, on the disk.

use std::fs;

use anyhow::{Result, ensure};
use hearsay_tests::{content::Folder, scene::Scene};
use protocol::control::DownloadState;

use crate::{
    clock::timed,
    curl::Curl,
    figures::{Times, compare},
};

const NAME: &str = "large.bin";

pub(crate) async fn measure(mebibytes: u32, runs: u32) -> Result<()> {
    println!("{mebibytes} MiB, {runs} turns each …");
    let files = Folder::new().with_random(NAME, mebibytes as usize * 1024 * 1024, 1);
    let baseline = Curl::serving(files.path()).await?;
    let scene = Scene::start().await;
    let source = scene.peer("source").sharing(files.path()).connected().await;
    let requester = scene.peer("requester").connected().await;
    ensure!(requester.search("large").await.results.len() == 1, "the file is not found");

    let mut curl = Times::of("curl, HTTPS from nginx, synced");
    let mut ours = Times::of("peerctl get, verified and synced");
    for _ in 0..runs {
        let (fetched, time) = timed(baseline.fetch(&[NAME.to_owned()])).await;
        fetched?;
        curl.add(time);
        baseline.forget()?;

        let (download, time) = timed(requester.fetch("1")).await;
        ensure!(download.state == DownloadState::Finished, "{download:?}");
        ours.add(time);
        let _ = requester.peerctl(&["rm", &download.id]).await;
        fs::remove_file(&download.path)?;
    }
    compare(&ours, &curl);

    requester.stop().await;
    source.stop().await;
    scene.stop().await;
    baseline.stop().await;
    Ok(())
}
