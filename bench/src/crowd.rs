//! Many peers that poll, each a task of its own, and what they have heard together.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use protocol::{Event, SearchId};
use tokio::{sync::Notify, sync::Semaphore, task::JoinSet, task::LocalSet};

use crate::{
    clock,
    peer::{Peer, Polled},
};

/// Connects that are under way at once.
pub(crate) const CONNECTS_AT_ONCE: usize = 64;

/// What the crowd has heard.
#[derive(Default)]
pub(crate) struct Heard {
    /// For each search, how many peers have it.
    searches: RefCell<HashMap<SearchId, usize>>,
    /// Polls that were answered with anything at all, for servers that have no searches.
    pub(crate) answered: Cell<usize>,
    /// When each peer had its session, first or again.
    pub(crate) connected: RefCell<Vec<Instant>>,
    changed: Notify,
}

impl Heard {
    pub(crate) fn search(&self, id: SearchId) {
        *self.searches.borrow_mut().entry(id).or_default() += 1;
        self.changed.notify_one();
    }

    fn answered(&self) {
        self.answered.set(self.answered.get() + 1);
        self.changed.notify_one();
    }

    pub(crate) fn connected(&self) {
        self.connected.borrow_mut().push(clock::now());
    }

    pub(crate) async fn until_search_reached(&self, id: SearchId, peers: usize) {
        while self.searches.borrow().get(&id).copied().unwrap_or(0) < peers {
            self.changed.notified().await;
        }
    }

    pub(crate) async fn until_answered(&self, polls: usize) {
        while self.answered.get() < polls {
            self.changed.notified().await;
        }
    }
}

/// Connects all, and lets each poll for ever in a task of the set.
pub(crate) async fn connect(peers: Vec<Peer>, local: &LocalSet, heard: &Rc<Heard>) -> Result<()> {
    let at_once = Rc::new(Semaphore::new(CONNECTS_AT_ONCE));
    let mut connects = JoinSet::new();
    for mut peer in peers {
        let (at_once, heard) = (Rc::clone(&at_once), Rc::clone(heard));
        connects.spawn_local_on(
            async move {
                let _permit = at_once.acquire().await?;
                peer.connect().await?;
                heard.connected();
                anyhow::Ok(peer)
            },
            local,
        );
    }
    local
        .run_until(async {
            while let Some(peer) = connects.join_next().await {
                let peer = peer??;
                let heard = Rc::clone(heard);
                local.spawn_local(poll_on(peer, heard));
            }
            Ok(())
        })
        .await
}

/// The same for a server without sessions.
pub(crate) fn poll_bare(peers: Vec<Peer>, local: &LocalSet, heard: &Rc<Heard>) {
    for peer in peers {
        local.spawn_local(poll_on(peer, Rc::clone(heard)));
    }
}

/// Polls for ever, as a well-behaved peer does: later when it was asked to, under a new session when the old one
/// is gone.
pub(crate) async fn poll_on(mut peer: Peer, heard: Rc<Heard>) {
    loop {
        match peer.poll().await {
            Polled::Batch(batch) => {
                heard.answered();
                for event in batch.events {
                    if let Event::Search { id, .. } = event {
                        heard.search(id);
                    }
                }
            }
            Polled::Quiet { retry_after } => {
                tokio::time::sleep(Duration::from_secs(retry_after.unwrap_or(0))).await;
            }
            Polled::Later(pause) => tokio::time::sleep(pause).await,
            Polled::Lapsed => {
                if peer.connect_again().await.is_ok() {
                    heard.connected();
                }
            }
        }
    }
}
