//! What each call of the control API does.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    web::{Data, Json, Path, Query},
};
use protocol::{
    Code, Username,
    control::{
        ConnectionRequest, Download, Downloads as DownloadList, GuiLogin, IncomingRequest, IncomingRequests,
        NewDownloads, NewSearch, SCHEMA, Search, Status, Upload, Uploads as UploadList, Why,
        doctor::Examination,
    },
    limits::WAIT_MAX,
    link::Link,
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::error::ControlError;
use crate::{
    blocks::Blocks,
    config::{settings::Settings, values::Switch},
    coordinator_link::{CoordinatorLink, LinkStatus},
    doctor,
    downloads::{ChangeError, DownloadId, Downloads},
    gui::Door,
    introductions::keeper::IdentityKeeper,
    library::Library,
    peer_stream::throttle::Throttle,
    searches::{Searches, Source},
    uploads::Uploads,
};

/// Downloads of one call.
const TARGETS_MAX: usize = 1_000;
/// Links of one call: as many searches as a coordinator takes at once.
const LINKS_MAX: usize = 5;
/// How long whoever has the file of a link is searched for; a search lives 10 s.
const LINK_SEARCH: Duration = Duration::from_secs(10);
const LINK_PREFIX: &str = "hearsay:";

/// What the control API steers.
#[derive(Clone)]
pub(crate) struct Controls {
    pub(crate) identities: IdentityKeeper,
    pub(crate) library: Library,
    pub(crate) settings: Settings,
    pub(crate) blocks: Blocks,
    /// `None` when no coordinator is configured.
    pub(crate) network: Option<Network>,
    pub(crate) download_port: u16,
    pub(crate) upload_port: u16,
    /// `None` when the web page is off.
    pub(crate) gui: Option<Arc<Door>>,
    /// Cancelled to end the daemon.
    pub(crate) token: CancellationToken,
}

/// The parts that need a coordinator.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) coordinator: String,
    pub(crate) link: CoordinatorLink,
    pub(crate) searches: Searches,
    pub(crate) downloads: Downloads,
    pub(crate) uploads: Uploads,
}

impl Controls {
    fn network(&self) -> Result<&Network, ControlError> {
        self.network.as_ref().ok_or_else(|| Code::NoCoordinator.into())
    }

    pub(crate) fn downloads(&self) -> Vec<Download> {
        self.network.as_ref().map(|network| network.downloads.list()).unwrap_or_default()
    }

    pub(crate) fn uploads(&self) -> Vec<Upload> {
        self.network.as_ref().map(|network| network.uploads.list()).unwrap_or_default()
    }

    pub(crate) fn requests(&self) -> Vec<IncomingRequest> {
        self.network.as_ref().map(|network| network.uploads.requests()).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Status {
        let (username, connected, connection_problem) =
            self.network.as_ref().map_or((None, false, None), |network| connection(&network.link));
        let summary = self.library.summary();
        let network = self.network.as_ref();
        let live = self.settings.live();
        let bytes_a_second = |throttle: &Throttle| throttle.rate().map(NonZeroU64::get);
        Status {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: protocol::VERSION,
            username,
            connected,
            connection_problem,
            coordinator: network.map(|network| network.coordinator.clone()),
            download_port: self.download_port,
            upload_port: self.upload_port,
            gui: self.gui.as_ref().map(|door| door.address()),
            shared_files: summary.files,
            shared_bytes: summary.bytes,
            scanning: summary.scanning,
            download: network.and_then(|network| network.downloads.current()),
            upload: network.and_then(|network| network.uploads.current()),
            refused_dial_backs: network.map_or(0, |network| network.downloads.refused_dial_backs()),
            download_rate_max: bytes_a_second(&live.download),
            upload_rate_max: bytes_a_second(&live.upload),
            uploads_off: live.giving().borrow().uploads == Switch::Off,
            profile: self.settings.profile().map(ToString::to_string),
        }
    }
}

/// The username sought or held, whether it is held, and why not.
fn connection(link: &CoordinatorLink) -> (Option<Username>, bool, Option<String>) {
    match link.status().borrow().clone() {
        LinkStatus::Idle => (None, false, None),
        LinkStatus::Connecting { username, problem } => (Some(username), false, problem),
        LinkStatus::Refused { username, problem } => (Some(username), false, Some(problem)),
        LinkStatus::Connected { username, .. } => (Some(username), true, None),
    }
}

pub(super) type Answer<T> = Result<Json<T>, ControlError>;

pub(super) async fn status(controls: Data<Controls>) -> Json<Status> {
    Json(controls.status())
}

pub(super) async fn connect(controls: Data<Controls>, request: Json<ConnectionRequest>) -> Answer<Status> {
    let network = controls.network()?;
    let username = Username::parse(&request.username)?;
    let (identities, name) = (controls.identities.clone(), username.clone());
    let take_up = || actix_web::web::block(move || identities.use_name(&name));
    if matches!(*network.link.status().borrow(), LinkStatus::Connected { .. }) {
        // A name that is refused leaves all as it is, so also the identity of the one that is held.
        network.link.connect(username).await?;
        take_up().await.map_err(|_| Code::Internal)??;
    } else {
        take_up().await.map_err(|_| Code::Internal)??;
        network.link.connect(username).await?;
    }
    Ok(Json(controls.status()))
}

pub(super) async fn disconnect(controls: Data<Controls>) -> Answer<Status> {
    controls.network()?.link.disconnect().await;
    Ok(Json(controls.status()))
}

pub(super) async fn start_search(
    controls: Data<Controls>,
    request: Json<NewSearch>,
) -> Result<HttpResponse, ControlError> {
    let search = controls.network()?.searches.start(&request.query).await?;
    Ok(HttpResponse::Created().json(search))
}

pub(super) async fn search_again(controls: Data<Controls>, number: Path<u64>) -> Answer<Search> {
    let search = controls.network()?.searches.again(*number).await?;
    search.map(Json).ok_or_else(|| Code::SearchUnknown.into())
}

/// How long a call may be held back for news.
#[derive(Deserialize)]
pub(super) struct Wait {
    #[serde(default)]
    wait: u64,
}

impl Wait {
    fn duration(&self) -> Duration {
        Duration::from_secs(self.wait).min(WAIT_MAX)
    }
}

#[derive(Deserialize)]
pub(super) struct Known {
    #[serde(default)]
    known: usize,
    #[serde(default)]
    wait: u64,
}

pub(super) async fn view_search(
    controls: Data<Controls>,
    number: Path<u64>,
    query: Query<Known>,
) -> Answer<Search> {
    let wait = Wait { wait: query.wait }.duration();
    let search = controls.network()?.searches.view(*number, query.known, wait).await;
    search.map(Json).ok_or_else(|| Code::SearchUnknown.into())
}

pub(super) async fn list_downloads(controls: Data<Controls>) -> Json<DownloadList> {
    downloads_document(controls.downloads())
}

pub(super) async fn add_downloads(
    controls: Data<Controls>,
    request: Json<NewDownloads>,
) -> Result<HttpResponse, ControlError> {
    let network = controls.network()?;
    if request.targets.is_empty() || request.targets.len() > TARGETS_MAX {
        return Err(Code::RequestInvalid.into());
    }
    // All are looked up before the first is added: a mistyped number starts nothing.
    let sources = sources(network, &request.targets).await?;
    let downloads = network.downloads.add(sources, request.conflict).await?;
    Ok(HttpResponse::Created().json(downloads_document(downloads)))
}

/// Results are at hand; whoever has the file of a link is searched for, all at once.
async fn sources(network: &Network, targets: &[String]) -> Result<Vec<Source>, ControlError> {
    if targets.iter().filter(|target| target.starts_with(LINK_PREFIX)).count() > LINKS_MAX {
        return Err(ControlError::new(
            Code::RequestInvalid,
            format!("each link is searched for; name {LINKS_MAX} at a time at most"),
        ));
    }
    let sources = targets.iter().map(|target| async move {
        if !target.starts_with(LINK_PREFIX) {
            return Ok(network.searches.source(target)?);
        }
        let link: Link = target.parse().map_err(|error| ControlError::new(Code::LinkInvalid, error))?;
        let found = network.searches.find_linked(link, LINK_SEARCH).await?;
        found.ok_or_else(|| Code::SourceUnknown.into())
    });
    futures_util::future::try_join_all(sources).await
}

pub(super) async fn show_download(
    controls: Data<Controls>,
    id: Path<String>,
    query: Query<Wait>,
) -> Answer<DownloadList> {
    let downloads = &controls.network()?.downloads;
    let download = downloads.wait_for_end(download_id(&id)?, query.duration()).await;
    changed(download.ok_or(ChangeError::Unknown))
}

pub(super) async fn pause_download(controls: Data<Controls>, id: Path<String>) -> Answer<DownloadList> {
    changed(controls.network()?.downloads.pause(download_id(&id)?).await)
}

pub(super) async fn resume_download(controls: Data<Controls>, id: Path<String>) -> Answer<DownloadList> {
    changed(controls.network()?.downloads.resume(download_id(&id)?).await)
}

pub(super) async fn retry_download(controls: Data<Controls>, id: Path<String>) -> Answer<DownloadList> {
    changed(controls.network()?.downloads.retry(download_id(&id)?).await)
}

pub(super) async fn cancel_download(controls: Data<Controls>, id: Path<String>) -> Answer<DownloadList> {
    changed(controls.network()?.downloads.cancel(download_id(&id)?).await)
}

pub(super) async fn remove_download(controls: Data<Controls>, id: Path<String>) -> Answer<DownloadList> {
    changed(controls.network()?.downloads.remove(download_id(&id)?).await)
}

pub(super) async fn explain_download(controls: Data<Controls>, id: Path<String>) -> Answer<Why> {
    let why = controls.network()?.downloads.why(download_id(&id)?).await.map_err(ChangeError::from)?;
    Ok(Json(why.ok_or(ChangeError::Unknown)?))
}

pub(super) async fn list_uploads(controls: Data<Controls>) -> Json<UploadList> {
    Json(UploadList { schema: SCHEMA, uploads: controls.uploads() })
}

pub(super) async fn list_requests(controls: Data<Controls>) -> Json<IncomingRequests> {
    Json(IncomingRequests { schema: SCHEMA, requests: controls.requests() })
}

pub(super) async fn accept_request(controls: Data<Controls>, id: Path<String>) -> Answer<IncomingRequests> {
    let uploads = &controls.network()?.uploads;
    settled(id.parse().is_ok_and(|id| uploads.accept(id)))?;
    Ok(list_requests(controls).await)
}

pub(super) async fn decline_request(controls: Data<Controls>, id: Path<String>) -> Answer<IncomingRequests> {
    let uploads = &controls.network()?.uploads;
    settled(id.parse().is_ok_and(|id| uploads.decline(id)))?;
    Ok(list_requests(controls).await)
}

fn settled(was_there: bool) -> Result<(), ControlError> {
    if was_there { Ok(()) } else { Err(Code::RequestUnknown.into()) }
}

pub(super) async fn examine(controls: Data<Controls>) -> Json<Examination> {
    Json(doctor::examine(&controls).await)
}

pub(super) async fn shut_down(controls: Data<Controls>) -> HttpResponse {
    controls.token.cancel();
    HttpResponse::Accepted().finish()
}

pub(super) async fn log_in_to_gui(controls: Data<Controls>) -> Answer<GuiLogin> {
    let off = "start peer-daemon without `--gui off`; it says why when another program has the page's port";
    let door = controls.gui.as_ref().ok_or_else(|| ControlError::new(Code::GuiOff, off))?;
    Ok(Json(GuiLogin { schema: SCHEMA, url: door.new_link() }))
}

/// An id that can't be read names no download.
fn download_id(id: &str) -> Result<DownloadId, ChangeError> {
    id.parse().map_err(|_| ChangeError::Unknown)
}

fn changed(download: Result<Download, ChangeError>) -> Answer<DownloadList> {
    Ok(downloads_document(vec![download?]))
}

fn downloads_document(downloads: Vec<Download>) -> Json<DownloadList> {
    Json(DownloadList { schema: SCHEMA, downloads })
}
