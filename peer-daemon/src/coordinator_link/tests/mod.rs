//! The link against a coordinator that misbehaves on command.

mod calls;
mod connecting;
mod polling;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use protocol::{Event, IntroductionId, Username, session::NameToken};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CoordinatorLink, LinkConfig, LinkEvent, LinkStatus, NameTokenStore,
    fake_coordinator::{FakeCoordinator, PATIENCE},
};

/// Name tokens as a test sees them.
#[derive(Clone, Default)]
struct MemoryNames(Arc<Mutex<HashMap<String, String>>>);

impl MemoryNames {
    fn get(&self, username: &str) -> Option<String> {
        self.0.lock().unwrap().get(username).cloned()
    }
}

impl NameTokenStore for MemoryNames {
    fn load(&self, username: &Username) -> Option<NameToken> {
        self.get(username.as_str()).map(NameToken::new)
    }
    fn save(&self, username: &Username, token: &NameToken) {
        self.0.lock().unwrap().insert(username.to_string(), token.reveal().to_owned());
    }
}

/// A link with what a daemon has around it.
struct Daemon {
    link: CoordinatorLink,
    events: mpsc::Receiver<LinkEvent>,
    names: MemoryNames,
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Daemon {
    fn start(config: LinkConfig) -> Self {
        Self::start_with(config, MemoryNames::default())
    }

    fn start_with(config: LinkConfig, names: MemoryNames) -> Self {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let (link, events) = CoordinatorLink::start(config, names.clone(), &tracker, token.clone()).unwrap();
        Self { link, events, names, tracker, token }
    }

    /// A daemon that is connected as `alice`, and has said so.
    async fn connected(fake: &FakeCoordinator) -> Self {
        let mut daemon = Self::start(fake.config());
        daemon.link.connect(name("alice")).await.unwrap();
        assert_eq!(daemon.next().await, LinkEvent::Connected);
        daemon
    }

    async fn next(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("no event came").expect("the link has ended")
    }

    async fn until_status(&self, wanted: impl Fn(&LinkStatus) -> bool) -> LinkStatus {
        let mut status: watch::Receiver<_> = self.link.status();
        timeout(PATIENCE, status.wait_for(|status| wanted(status)))
            .await
            .expect("no such status")
            .unwrap()
            .clone()
    }

    async fn stop(self) {
        self.token.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await.expect("the link did not end");
    }
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// An event that is told from others by its id.
fn event(number: u8) -> Event {
    Event::IntroductionWithdrawn { id: IntroductionId::from_bytes([number; 16]) }
}

fn is_connected(status: &LinkStatus) -> bool {
    matches!(status, LinkStatus::Connected { .. })
}
