//! `cargo xtask demo`: Hearsay at work on one machine, with the commands that do it shown as they run.
//!
//! A coordinator and two daemons start on free ports of the loopback interface, with everything they write in
//! one temporary folder. alice shares, bob searches and fetches, and the two copies are compared. Whatever
//! happens (an error, Ctrl-C), the programs started here are ended by the handles held here.

mod offer;
mod peer;
mod stage;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use protocol::control::SearchResult;
use tokio::signal::unix::{SignalKind, signal};

use self::{offer::Offered, peer::Peer, stage::Stage};
use crate::{steps, workspace::Workspace};

pub(crate) struct Options {
    /// A folder to share instead of copies of the toolchain's files.
    pub(crate) share: Option<PathBuf>,
    /// Leave the programs running at the end.
    pub(crate) keep: bool,
}

/// A daemon with nothing to read connects within a second; a slow machine gets more.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Reading a whole folder takes as long as its disk does.
const SCAN_LIMIT: Duration = Duration::from_mins(30);

pub(crate) fn run(options: &Options) -> Result<()> {
    // Before the build: nobody waits minutes to hear of a slip.
    let share = options.share.as_deref().map(resolved).transpose()?;
    let options = Options { share, ..*options };
    let workspace = Workspace::read()?;
    println!("Building the programs (the first time this takes some minutes) …");
    steps::run(&mut steps::cargo(["build", "--workspace", "--bins", "--locked"]))
        .context("the programs don't build: what the compiler says above is to be put right first")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(perform(&options, &workspace))
}

async fn perform(options: &Options, workspace: &Workspace) -> Result<()> {
    let mut stage = Stage::set(workspace)?;
    let outcome = tokio::select! {
        biased;
        () = interrupted() => {
            stage.end().await;
            bail!("interrupted; everything that was started is ended");
        }
        outcome = play(options, &mut stage) => outcome,
    };
    match outcome {
        Ok(bob) if options.keep => {
            println!("\nEverything is left running. Go on as bob, for instance:");
            println!("  {}", bob.export());
            for arguments in ["status", "search WORDS", "get NUMBER", "downloads"] {
                println!("  {} {arguments}", stage.program("peerctl"));
            }
            println!("What is being said is in the files *.log of {}.", stage.folder().display());
            println!("To stop it all and remove every trace:\n  {}", stage.leave());
            Ok(())
        }
        Ok(_) => {
            stage.end().await;
            println!("\nThe programs are ended, and the temporary folder is removed. To try next:");
            println!("  cargo xtask demo --keep            leaves it all running, for your own searches");
            println!(
                "  cargo xtask demo --share DIR       shares a folder of yours with bob on this machine"
            );
            Ok(())
        }
        Err(error) => {
            stage.print_last_words();
            stage.end().await;
            Err(error)
        }
    }
}

/// From the first program to the comparison; returns bob.
async fn play(options: &Options, stage: &mut Stage) -> Result<Peer> {
    let (shared, offered) = prepare(options, stage)?;

    println!("\n1. A coordinator. It passes words along and remembers nothing.");
    let coordinator = stage.start_coordinator().await?;

    println!("\n2. alice shares a folder, and bob comes along.");
    let alice = stage.start_daemon("alice", &coordinator, Some(&shared))?;
    let bob = stage.start_daemon("bob", &coordinator, None)?;
    alice.wait_until_connected(stage, CONNECT_LIMIT).await?;
    alice.wait_until_scanned(stage, SCAN_LIMIT).await?;
    bob.wait_until_connected(stage, CONNECT_LIMIT).await?;
    println!("   $ {}", bob.export());
    bob.show(&["status"]).await?;

    println!("\n3. bob searches. The coordinator asks alice's daemon; there is no list to look in.");
    bob.show(&["search", &offered.name]).await?;
    println!("   The same for a script, which tells where the file is in the list:");
    let found = find(&bob, &offered).await?;

    println!("\n4. bob fetches it. alice's daemon dials his, and every piece is verified as it arrives.");
    bob.show(&["get", &found.number.to_string()]).await?;

    println!("\n5. The two files are compared.");
    let fetched = bob.finished_path(found.root).await?;
    let (original, copy) = (&offered.sha256, offer::sha256(&fetched)?);
    println!("   {original}  {}", offered.path.display());
    println!("   {copy}  {}", fetched.display());
    if copy != *original {
        bail!(
            "the copy differs from the original: this must never happen, please report it with the lines above"
        );
    }
    println!("   They are the same.");
    Ok(bob)
}

fn resolved(folder: &Path) -> Result<PathBuf> {
    folder
        .canonicalize()
        .with_context(|| format!("{} can't be shared: name a folder that is there", folder.display()))
}

/// What alice shares, and the file in it that bob will fetch.
fn prepare(options: &Options, stage: &Stage) -> Result<(PathBuf, Offered)> {
    if let Some(folder) = &options.share {
        let offered = offer::choose_in(folder)?;
        return Ok((folder.clone(), offered));
    }
    let folder = stage.make_folder("shared-by-alice")?;
    println!("\nalice shares copies of these files of the Rust toolchain (`--share DIR` shares your own):");
    for (name, size) in offer::copy_samples(&folder)? {
        println!("   {:>4} MiB  {name}", size >> 20);
    }
    let offered = offer::choose_in(&folder)?;
    Ok((folder, offered))
}

/// The result that is exactly the offered file, whatever else has its name.
async fn find(bob: &Peer, offered: &Offered) -> Result<SearchResult> {
    let search = bob.search(&offered.name).await?;
    let count = search.results.len();
    let is_offered =
        |result: &SearchResult| (result.root, result.size) == (offered.file.root, offered.file.size);
    match search.results.into_iter().find(is_offered) {
        Some(result) => {
            println!("   number {} of {count} is {} of {}", result.number, result.name, result.username);
            Ok(result)
        }
        None => bail!(
            "none of the {count} results is the file that alice shares ({}): see what alice's daemon says below",
            offered.path.display()
        ),
    }
}

/// Returns when the person or the system wants an end.
async fn interrupted() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            // No handler for this one: the others still count.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::hangup()) => {}
    }
}
