//! `docker/compose.yaml` played: all services start in their order, bob fetches from alice through the coordinator
//! behind Caddy, and all end when they are asked to.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use protocol::control::{DownloadState, Downloads, Search, Status};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{
    compose::{Compose, Condition},
    container::Container,
    image::Image,
    network::Network,
    store::Store,
    volumes::{Volumes, check_owner},
};
use crate::clock;

/// The file that bob fetches: of `docs/`, which alice shares.
const FETCHED: &str = "protocol.md";
/// Until a peer is connected and has read what it shares.
const PEER_LIMIT: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(200);

/// What runs, by its name.
type Running = BTreeMap<String, Container>;

/// Inside the namespaces that go with this process.
pub(super) fn play(compose: &Compose, docker: &Path, store: &Store) -> Result<()> {
    let volumes = Volumes { folder: store.work().join("volumes"), docker: docker.to_owned() };
    let mut running = Running::new();
    let outcome = start(compose, store, &volumes, &mut running)
        .and_then(|()| fetch(&running, docker, &volumes))
        .and_then(|()| end(compose, &volumes, &mut running));
    if outcome.is_err() {
        running.values().for_each(Container::print_last_words);
    }
    outcome
}

fn start(compose: &Compose, store: &Store, volumes: &Volumes, running: &mut Running) -> Result<()> {
    let network = Network::lay(compose.gateway()?, compose.hosts()?)?;
    let logs = store.work().join("logs");
    fs::create_dir_all(&logs)?;
    for name in compose.in_order()? {
        let service = &compose.services[name];
        for (other, dependency) in &service.depends_on {
            let other = running.get_mut(other).context("a service was started too early")?;
            match dependency.condition {
                Condition::ServiceHealthy => other.wait_until_healthy()?,
                Condition::ServiceCompletedSuccessfully => other.wait_until_completed()?,
            }
        }
        let image = store.image(&service.image)?;
        let root = store.container(&service.image)?;
        if service.build.is_some() {
            check_image(name, &image, &root)?;
            let is_kept =
                |place: &str| service.volumes.iter().any(|volume| volume.ends_with(&format!(":{place}")));
            for place in image.volumes() {
                ensure!(is_kept(place), "{name}: nothing keeps what is in {place}");
            }
        }
        fs::write(root.join("etc/hosts"), network.names())?;
        volumes.mount(service, &root)?;
        let log = logs.join(name);
        running.insert(name.to_owned(), Container::start(name, service, &image, &root, &log)?);
    }
    for name in compose.services.keys().filter(|name| compose.services[*name].build.is_some()) {
        let container = running.get_mut(name).context("all have started")?;
        container.wait_until_healthy()?;
        container.check_rights()?;
        println!("   {name} is healthy, PID 1, and without rights");
    }
    Ok(())
}

/// What a root file system has to say for itself before anything runs on it.
fn check_image(name: &str, image: &Image, root: &Path) -> Result<()> {
    image.check_stop_signal()?;
    let user = image.user()?;
    for place in image.volumes() {
        let place = root.join(place.trim_start_matches('/'));
        check_owner(&place, user)?;
        let mode = fs::metadata(&place)?.mode() & 0o777;
        ensure!(mode == 0o700, "{name}: {} has mode {mode:o}", place.display());
    }
    for entry in fs::read_dir(root.join("usr/local/bin"))? {
        let entry = entry?;
        let found = entry.metadata()?;
        ensure!(found.uid() == 0 && found.mode() & 0o022 == 0, "{name}: its user can change its programs");
        println!("   {name}: {} has {} KiB", entry.file_name().display(), found.len() >> 10);
    }
    Ok(())
}

fn fetch(running: &Running, docker: &Path, volumes: &Volumes) -> Result<()> {
    let (alice, bob) = (&running["alice"], &running["bob"]);
    for (name, peer) in [("alice", alice), ("bob", bob)] {
        wait_until_ready(name, peer)?;
    }
    let words = FETCHED.trim_end_matches(".md");
    let search: Search = document(bob, &["search", words])?;
    let is_wanted = |result: &&protocol::control::SearchResult| result.name.as_str() == FETCHED;
    let result = search.results.iter().find(is_wanted).context("bob does not find what alice shares")?;
    ensure!(result.username.as_str() == "alice", "it is {}'s", result.username.as_str());
    println!("   bob finds {FETCHED} at alice");
    let fetched: Downloads = document(bob, &["get", &result.number.to_string()])?;
    let download = fetched.downloads.first().context("a download")?;
    ensure!(download.state == DownloadState::Finished, "the download is {:?}", download.state);
    let copy = volumes.named("bob-downloads").join(FETCHED);
    let (wanted, got) = (sha256(&docker.join("../docs").join(FETCHED))?, sha256(&copy)?);
    println!("   {wanted}  docs/{FETCHED}\n   {got}  bob's");
    ensure!(wanted == got, "the copy differs from the original");
    Ok(())
}

fn wait_until_ready(name: &str, peer: &Container) -> Result<()> {
    let start = clock::now();
    loop {
        let status: Status = document(peer, &["status"])?;
        if status.connected && !status.scanning {
            println!("   {name} is connected");
            return Ok(());
        }
        if start.elapsed() > PEER_LIMIT {
            bail!("{name} is not connected: {:?}", status.connection_problem);
        }
        thread::sleep(GLANCE);
    }
}

/// What peerctl says in a container.
fn document<T: DeserializeOwned>(peer: &Container, words: &[&str]) -> Result<T> {
    let output = peer.execute(&[&["peerctl", "--json"], words].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "peerctl {} ended with {}: {said}", words.join(" "), output.status);
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("peerctl {} says something else", words.join(" ")))
}

fn sha256(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(hex::encode(Sha256::digest(bytes)))
}

/// Ends our services, the last started first, and looks at what they leave.
fn end(compose: &Compose, volumes: &Volumes, running: &mut Running) -> Result<()> {
    for name in compose.in_order()?.into_iter().rev() {
        let service = &compose.services[name];
        if service.build.is_none() {
            continue;
        }
        let container = running.get_mut(name).context("all have started")?;
        container.stop()?;
        let mut count = 0;
        for volume in
            service.volumes.iter().filter(|volume| !volume.starts_with('.') && !volume.ends_with(":ro"))
        {
            let (volume, _) = volume.split_once(':').context("a volume has a place")?;
            count += check_owner(&volumes.named(volume), container.user())?;
        }
        println!(
            "   {name}: SIGTERM, exit 0, its health check fails, {count} files and folders are its user's"
        );
    }
    Ok(())
}
