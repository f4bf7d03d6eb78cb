//! The coordinator with peers that have sessions.

use std::{rc::Rc, time::Duration};

use anyhow::{Result, ensure};
use protocol::SearchId;
use tokio::task::LocalSet;

use super::Relay;
use crate::{
    clock,
    crowd::{self, Heard},
    peer::Peer,
    server::Server,
    sustained::{self, Sustained},
};

const QUERY: &str = "holiday photos 2026";

pub(crate) struct Ours {
    server: Server,
    heard: Rc<Heard>,
    peers: usize,
    searches: usize,
}

impl Ours {
    pub(crate) fn of(server: Server) -> Self {
        Self { server, heard: Rc::default(), peers: 0, searches: 0 }
    }
}

impl Relay for Ours {
    fn server(&self) -> &Server {
        &self.server
    }

    async fn gather(&mut self, count: usize, local: &LocalSet) -> Result<()> {
        self.peers = count;
        let peers = (1..=count).map(|number| Peer::new(number, self.server.address)).collect();
        crowd::connect(peers, local, &self.heard).await?;
        self.settled().await
    }

    fn ends_connections(&self) -> bool {
        true
    }

    async fn search(&mut self) -> Result<Duration> {
        // Somebody who is not of the crowd; a new one each time, because who does not poll lapses.
        self.searches += 1;
        let mut asker = Peer::new(self.peers + self.searches, self.server.address);
        asker.connect().await?;
        let id = SearchId::random();
        let start = clock::now();
        let told = self.heard.until_search_reached(id, self.peers);
        let (answer, ()) = tokio::join!(asker.search(id, QUERY), told);
        let answer = answer?;
        ensure!(answer.status == 202, "a search was refused: {}", answer.body);
        Ok(start.elapsed())
    }

    async fn settled(&self) -> Result<()> {
        self.server.until_parked(self.peers).await
    }

    async fn sustain(&self, local: &LocalSet) -> Result<Option<Sustained>> {
        let every = sustained::pace_for(self.peers);
        sustained::search(&self.server, local, self.peers, every, sustained::SHORTLY).await.map(Some)
    }

    async fn stop(self) {
        self.server.stop().await;
    }
}
