//! A folder of many small files from one peer, in one `get`: introduced once, every file verified, all on the disk.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use hearsay_tests::{content::Folder, scene::Scene, wait::PATIENCE};
use protocol::control::ExitCode;

use crate::{
    baseline::Baseline,
    turns::{Turn, requester},
};

const FOLDER: &str = "small";
const BYTES: usize = 10 * 1024;

pub(crate) async fn measure(count: u32, runs: u32, delay: Duration) -> Result<()> {
    println!("{count} files of 10 KiB, {runs} turns each …");
    let names: Vec<String> = (0..count).map(|number| format!("{number:05}.bin")).collect();
    let first = Folder::new().with(&format!("{FOLDER}/first"), "");
    let files = names
        .iter()
        .zip(1..)
        .fold(first, |folder, (name, seed)| folder.with_random(&format!("{FOLDER}/{name}"), BYTES, seed));
    fs::remove_file(files.path().join(FOLDER).join("first"))?;
    let baseline = Baseline::serving(&files.path().join(FOLDER), delay).await?;
    let scene = Scene::start().await;
    let mut source = scene.peer("source").connected().await;
    let path = files.path().display().to_string();
    let _ = source.peerctl(&["share", "add", "--folders", &path]).await.expect(ExitCode::Done);
    source
        .wait_for_status("offers its files", PATIENCE, |status| {
            !status.scanning && status.shared_files == u64::from(count)
        })
        .await;
    let (requester, _way) = requester(&scene, delay).await;
    let found = requester.search(FOLDER).await.results;
    let folder = found.iter().find(|result| result.folder.is_some()).context("the folder is not found")?;
    let number = folder.number.to_string();

    let turn = Turn { baseline: &baseline, names: &names, requester: &requester, result: &number };
    turn.take(runs, |folder| Ok(fs::read_dir(folder)?.count() == names.len())).await?;

    requester.stop().await;
    source.stop().await;
    scene.stop().await;
    baseline.stop().await;
    Ok(())
}
