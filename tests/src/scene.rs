//! Where every case plays: a coordinator behind nginx.

use futures_util::future::join_all;

use crate::{
    api_client::ApiClient,
    coordinator::Coordinator,
    peer::{Peer, PeerBuilder},
    proxy::{Kind, Proxy, Scheme},
    scripted::{Asker, ScriptedPeer},
    session::Session,
};

pub struct Scene {
    pub coordinator: Coordinator,
    pub nginx: Proxy,
}

impl Scene {
    pub async fn start() -> Self {
        Self::configured("", Scheme::Http).await
    }

    /// With more lines of TOML for the coordinator.
    pub async fn configured(lines: &str, scheme: Scheme) -> Self {
        let coordinator = Coordinator::configured(lines).await;
        let nginx = Proxy::in_front_of(Kind::Nginx, coordinator.address(), scheme).await;
        Self { coordinator, nginx }
    }

    /// Where peers find the coordinator.
    pub fn url(&self) -> String {
        self.nginx.url()
    }

    /// A real peer, about to be started.
    pub fn peer(&self, username: &str) -> PeerBuilder {
        Peer::named(username, &self.url())
    }

    /// A peer that the test plays itself.
    pub async fn scripted_peer(&self, username: &str) -> ScriptedPeer {
        ScriptedPeer::connect(&self.url(), username).await
    }

    /// The same for one that has found what it wants.
    pub async fn asker(&self, username: &str, query: &str) -> Asker {
        Asker::finding(self.scripted_peer(username).await, query).await
    }

    pub async fn session(&self, username: &str) -> Session {
        Session::connect(&self.url(), username).await
    }

    pub fn client(&self) -> ApiClient {
        ApiClient::to(&self.url())
    }

    /// SIGKILL for the coordinator, which is started again at its address.
    #[must_use]
    pub async fn kill_coordinator_and_start_again(self) -> Self {
        let Self { coordinator, nginx } = self;
        Self { coordinator: coordinator.kill().start_again().await, nginx }
    }

    /// Stops these peers at once, and then all else; asserts that each of them ends cleanly.
    pub async fn stop_with(self, peers: impl IntoIterator<Item = Peer>) {
        join_all(peers.into_iter().map(Peer::stop)).await;
        self.stop().await;
    }

    /// Asserts that both end cleanly and that nginx had nothing to tell about anyone.
    pub async fn stop(self) {
        let Self { coordinator, nginx } = self;
        coordinator.stop().await;
        nginx.stop_in_silence().await;
    }
}
