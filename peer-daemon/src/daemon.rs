//! The daemon as a value: bound, then run until a token is cancelled. Its start order and its end are here.

use std::{io, sync::Arc, time::Duration};

use protocol::{Event, Username, control::ExitCode};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{
    blocks::Blocks,
    config::{
        Config, ConfigError, Sources,
        join_key::JoinKeyError,
        live::Live,
        profile::settle_ports,
        settings::{RunTime, Settings},
    },
    control::{self, ControlSocket, Controls, Network, SocketError},
    coordinator_link::{CoordinatorLink, LinkConfigError, LinkEvent},
    dialler::Dialler,
    downloads::{self, Downloads, DownloadsError},
    gui::{Gui, GuiError},
    inherited::{Inherited, InheritedError},
    introductions::keeper::{IdentityKeeper, KeeperError},
    library::{Library, LibraryError},
    name_tokens::NameTokens,
    peer_stream::{
        limits::StreamLimits,
        listen::{ListenError, PortListener, bind_download, bind_upload},
    },
    rehearsal::link_config,
    searches::Searches,
    service,
    state::{State, StateError},
    uploads::{self, Uploads, catalogue::GivenLibrary},
};

/// Tasks get this long to end by themselves.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// How often the identity's age is looked at.
const IDENTITY_CHECK: Duration = Duration::from_mins(10);

/// Why the daemon does not start or run. Each sentence names the way out.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("download port: {source}; free it, or name another with --download-port (0 picks one)")]
    DownloadPort { source: ListenError },
    #[error("upload port: {source}; free it, or name another with --upload-port (0 picks one)")]
    UploadPort { source: ListenError },
    #[error(transparent)]
    Gui(#[from] GuiError),
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Downloads(#[from] DownloadsError),
    #[error(transparent)]
    JoinKey(#[from] JoinKeyError),
    #[error(transparent)]
    Link(#[from] LinkConfigError),
    #[error(transparent)]
    Identity(#[from] KeeperError),
    #[error("signals can't be handled: {0}")]
    Signals(io::Error),
    #[error("the control API ended: {0}")]
    Control(io::Error),
    #[error("a part of the daemon did not end within {} s", SHUTDOWN_DEADLINE.as_secs())]
    Shutdown,
}

impl StartError {
    /// As peerctl has them: it hands them on.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::State(StateError::InUse { .. }) | Self::Socket(SocketError::InUse { .. }) => {
                ExitCode::Conflict
            }
            // The configuration is what must change.
            Self::Library(error) if !matches!(error, LibraryError::State(_)) => ExitCode::Usage,
            Self::Config(_) | Self::JoinKey(_) | Self::Link(_) => ExitCode::Usage,
            Self::State(StateError::Newer { .. }) => ExitCode::VersionMismatch,
            _ => ExitCode::Other,
        }
    }
}

/// Bound to its socket and ports, not yet at work.
pub struct Daemon {
    config: Config,
    settings: Settings,
    blocks: Blocks,
    state: State,
    socket: ControlSocket,
    download_listener: PortListener,
    upload_listener: PortListener,
    gui: Option<Gui>,
}

impl Daemon {
    /// Takes what another process could hold: state directory, socket, ports.
    pub fn bind(sources: Sources, inherited: Inherited) -> Result<Self, StartError> {
        let state = State::open(&sources.state_dir().map_err(ConfigError::from)?)?;
        settle_ports(&sources, &state)?;
        let config = sources.resolve(&RunTime::load(&state)?)?;
        let settings = Settings::new(state.clone(), sources, config.clone());
        let blocks = Blocks::load(state.clone())?;
        let socket = match inherited.control {
            Some(listener) => ControlSocket::inherited(listener, &config.socket)?,
            None => ControlSocket::bind(&config.socket)?,
        };
        let download_listener = bind_download(inherited.download, &config.listen, config.download_port)
            .map_err(|source| StartError::DownloadPort { source })?;
        let upload_listener = bind_upload(inherited.upload, &config.listen, config.upload_port)
            .map_err(|source| StartError::UploadPort { source })?;
        let gui = config.gui.clone().map(Gui::bind).transpose()?.flatten();
        Ok(Self { config, settings, blocks, state, socket, download_listener, upload_listener, gui })
    }

    /// Works until the token is cancelled, here or by `peerctl stop`; then ends every part, with a deadline.
    pub async fn run_until(self, token: CancellationToken) -> Result<(), StartError> {
        let tracker = TaskTracker::new();
        let result = self.run(&tracker, &token).await;
        token.cancel();
        tracker.close();
        if tokio::time::timeout(SHUTDOWN_DEADLINE, tracker.wait()).await.is_err() {
            warn!(tasks = tracker.len(), "some parts did not end in time");
            return result.and(Err(StartError::Shutdown));
        }
        // A start that was refused has its own last words.
        if result.is_ok() {
            info!("ended");
        }
        result
    }

    async fn run(self, tracker: &TaskTracker, token: &CancellationToken) -> Result<(), StartError> {
        let library = Library::start(self.state.clone(), &self.config.shares, tracker, token.child_token())?;
        let identities = IdentityKeeper::new(self.state.clone());
        tracker.spawn(renew_identity(identities.clone(), token.child_token()));
        let (download_port, upload_port) = (self.download_listener.port(), self.upload_listener.port());
        let socket_path = self.socket.path().to_owned();
        let started = Started {
            library: library.clone(),
            identities: identities.clone(),
            live: self.settings.live().clone(),
            blocks: self.blocks.clone(),
            tracker: tracker.clone(),
            token: token.child_token(),
        };
        let username = self.config.username.clone();
        let gui = self.gui;
        let socket = self.socket;
        let network =
            started.network(&self.config, &self.state, self.download_listener, self.upload_listener)?;
        if let (Some(network), Some(username)) = (&network, username) {
            let (link, identities) = (network.link.clone(), identities.clone());
            tracker.spawn(connect_at_start(link, identities, username, token.child_token()));
        }
        info!(socket = %socket_path.display(), download_port, upload_port, "ready");
        service::ready(download_port, upload_port);
        tracker.spawn(service::tell_of_the_end(token.clone()));
        tracker.spawn(service::live_until(self.state.clone(), token.child_token()));
        let controls = Controls {
            identities,
            library,
            settings: self.settings,
            blocks: self.blocks,
            network,
            download_port,
            upload_port,
            gui: gui.as_ref().map(Gui::door),
            token: token.clone(),
        };
        if let Some(gui) = gui {
            gui.start(controls.clone(), tracker, token.child_token())?;
        }
        control::serve(socket, controls, token.clone()).await.map_err(StartError::Control)
    }
}

/// What is there before the parts that need a coordinator.
struct Started {
    library: Library,
    identities: IdentityKeeper,
    live: Live,
    blocks: Blocks,
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Started {
    /// `None` where no coordinator is configured.
    fn network(
        self,
        config: &Config,
        state: &State,
        download_listener: PortListener,
        upload_listener: PortListener,
    ) -> Result<Option<Network>, StartError> {
        let (Some(coordinator), Some(link_config)) = (config.coordinator.clone(), link_config(config)?)
        else {
            return Ok(None);
        };
        let (link, events) = CoordinatorLink::start(
            link_config,
            NameTokens::new(state.clone()),
            &self.tracker,
            self.token.clone(),
        )?;
        let public_download_port = config.public_download_port.unwrap_or(download_listener.port());
        let dialler =
            Arc::new(Dialler::new(upload_listener.port(), link.reached(), config.dial_allow.clone()));
        let searches = Searches::new(
            link.clone(),
            Arc::new(GivenLibrary { library: self.library.clone(), giving: self.live.giving() }),
            self.identities.answer_keys(),
            &self.tracker,
            self.token.clone(),
        );
        let parts = downloads::Parts {
            link: link.clone(),
            searches: searches.clone(),
            identities: self.identities.clone(),
            dialler: Arc::clone(&dialler),
            directory: config.download_dir.clone(),
            conflict: config.conflict,
            public_port: public_download_port,
            give_up_after: config.give_up_after,
            look_around_after: config.look_around_after,
            slow_after: config.download_slow_after,
            throttle: self.live.download.clone(),
            limits: StreamLimits { idle: config.download_idle, ..StreamLimits::default() },
            tracker: self.tracker.clone(),
            token: self.token.clone(),
        };
        let downloads = Downloads::start(parts, state.clone(), download_listener)?;
        let parts = uploads::Parts {
            link: link.clone(),
            library: self.library,
            identities: self.identities,
            dialler,
            public_port: config.public_upload_port.unwrap_or(upload_listener.port()),
            live: self.live,
            patience: config.patience,
            state: state.clone(),
        };
        let uploads = Uploads::start(parts, upload_listener, &self.tracker, self.token.clone())?;
        uploads.turn_away(&self.blocks);
        let network =
            Network { coordinator: coordinator.as_str().to_owned(), link, searches, downloads, uploads };
        self.tracker.spawn(dispatch(events, network.clone(), self.blocks));
        Ok(Some(network))
    }
}

/// Hands the coordinator's events to the parts that they concern, until the link ends. What comes from a blocked
/// username ends here. Nothing here waits: an event that did would hold up all behind it.
async fn dispatch(mut events: mpsc::Receiver<LinkEvent>, network: Network, blocks: Blocks) {
    while let Some(event) = events.recv().await {
        let event = match event {
            LinkEvent::Connected => {
                network.downloads.on_connected();
                continue;
            }
            LinkEvent::Disconnected => continue,
            LinkEvent::Event(event) => event,
        };
        match event {
            Event::Introduction { from: username, .. } | Event::SearchResults { username, .. }
                if blocks.contain(&username) =>
            {
                debug!("what came from a blocked username was passed over");
            }
            Event::Introduction { id, from, endpoint, sealed } => {
                network.uploads.on_introduction(id, &from, endpoint, &sealed);
            }
            Event::IntroductionWithdrawn { id } => network.uploads.on_withdrawn(id),
            Event::IntroductionReply { id, reply } => network.downloads.on_reply(id, reply),
            Event::EventsLost { count } => warn!(count, "the mailbox overflowed"),
            Event::Search { .. }
            | Event::SearchResults { .. }
            | Event::SearchFinished { .. }
            | Event::Unknown => network.searches.on_event(&event),
        }
    }
}

async fn connect_at_start(
    link: CoordinatorLink,
    identities: IdentityKeeper,
    username: Username,
    token: CancellationToken,
) {
    let name = username.clone();
    let prepared = tokio::task::spawn_blocking(move || identities.use_name(&name)).await;
    if let Ok(Err(error)) = prepared {
        return warn!(%error, "the identity can't be used");
    }
    tokio::select! {
        connected = link.connect_at_start(username) => match connected {
            Ok(()) => info!("connected"),
            Err(error) => warn!("not connected: {error}"),
        },
        () = token.cancelled() => {}
    }
}

async fn renew_identity(identities: IdentityKeeper, token: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(IDENTITY_CHECK) => {}
            () = token.cancelled() => return,
        }
        let keeper = identities.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || keeper.rotate_if_due()).await {
            warn!(%error, "the identity could not be renewed");
        }
    }
}
