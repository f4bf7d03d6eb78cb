//! One large file from one peer to another: introduced, streamed, every piece verified, on the disk.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use hearsay_tests::{content::Folder, scene::Scene};

use crate::{
    baseline::Baseline,
    turns::{Turn, requester},
};

const NAME: &str = "large.bin";

pub(crate) async fn measure(mebibytes: u32, runs: u32, delay: Duration) -> Result<()> {
    println!("{mebibytes} MiB, {runs} turns each …");
    let bytes = mebibytes as usize * 1024 * 1024;
    let files = Folder::new().with_random(NAME, bytes, 1);
    let baseline = Baseline::serving(files.path(), delay).await?;
    let scene = Scene::start().await;
    let source = scene.peer("source").sharing(files.path()).connected().await;
    let (requester, _way) = requester(&scene, delay).await;
    ensure!(requester.search("large").await.results.len() == 1, "the file is not found");

    let names = [NAME.to_owned()];
    let turn = Turn { baseline: &baseline, names: &names, requester: &requester, result: "1" };
    turn.take(runs, |file| Ok(fs::metadata(file)?.len() == bytes as u64)).await?;

    requester.stop().await;
    source.stop().await;
    scene.stop().await;
    baseline.stop().await;
    Ok(())
}
