//! Servers that park polls and wake them all with one message, and know neither sessions nor searches.

use std::{rc::Rc, time::Duration};

use anyhow::Result;
use tokio::task::LocalSet;

use super::Relay;
use crate::{
    client::Connection,
    clock,
    crowd::{self, Heard},
    peer::{self, Peer},
    server::Server,
    sustained::Sustained,
};

pub(crate) struct Bare {
    server: Server,
    ends_connections: bool,
    heard: Rc<Heard>,
    peers: usize,
    messages: usize,
}

impl Bare {
    pub(crate) fn of(server: Server) -> Self {
        Self { server, ends_connections: false, heard: Rc::default(), peers: 0, messages: 0 }
    }

    /// Of a server whose connections end when they are so old.
    pub(crate) fn closing(server: Server) -> Self {
        Self { ends_connections: true, ..Self::of(server) }
    }
}

impl Relay for Bare {
    fn server(&self) -> &Server {
        &self.server
    }

    async fn gather(&mut self, count: usize, local: &LocalSet) -> Result<()> {
        self.peers = count;
        let peers = (1..=count).map(|number| Peer::new(number, self.server.address)).collect();
        crowd::poll_bare(peers, local, &self.heard);
        self.settled().await
    }

    fn ends_connections(&self) -> bool {
        self.ends_connections
    }

    async fn search(&mut self) -> Result<Duration> {
        self.messages += 1;
        let message = message(self.messages);
        let start = clock::now();
        let mut connection = Connection::open(peer::address(0), self.server.address).await?;
        let call = connection.call("PUT", "/tell", "", Some(&message));
        let (answer, ()) = tokio::join!(call, self.heard.until_answered(self.messages * self.peers));
        answer?;
        Ok(start.elapsed())
    }

    async fn settled(&self) -> Result<()> {
        self.server.until_parked(self.peers).await
    }

    /// Nobody can answer here.
    async fn sustain(&self, _: &LocalSet) -> Result<Option<Sustained>> {
        Ok(None)
    }

    async fn stop(self) {
        self.server.stop().await;
    }
}

/// What a search event is on the wire; its cursor is a number.
fn message(number: usize) -> String {
    let search = concat!(
        r#"{"type":"search","id":"00000000000000000000000000000000","#,
        r#""query":"holiday photos 2026","spread_milliseconds":1000}"#
    );
    format!(r#"{{"cursor":"{number:048}","events":[{search}]}}"#)
}
