//! An ADC hub with users who are all online, each of whom was sent the list of all others.

use std::{rc::Rc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
    time::timeout,
};

use super::Relay;
use crate::{
    adc::{Asker, Tally, User},
    clock,
    crowd::CONNECTS_AT_ONCE,
    server::{STEP_MAX, Server},
    sustained::Sustained,
};

pub(crate) struct Hub {
    server: Server,
    tally: Rc<Tally>,
    users: usize,
    asker: Option<Asker>,
    searches: usize,
}

impl Hub {
    pub(crate) fn of(server: Server) -> Self {
        Self { server, tally: Rc::default(), users: 0, asker: None, searches: 0 }
    }
}

impl Relay for Hub {
    fn server(&self) -> &Server {
        &self.server
    }

    async fn gather(&mut self, count: usize, local: &LocalSet) -> Result<()> {
        self.users = count;
        let at_once = Rc::new(Semaphore::new(CONNECTS_AT_ONCE));
        let mut arrivals = JoinSet::new();
        for number in 1..=count {
            let (at_once, tally) = (Rc::clone(&at_once), Rc::clone(&self.tally));
            let address = self.server.address;
            let arrival = async move {
                let _permit = at_once.acquire().await?;
                User::come_online(number, address, tally).await
            };
            arrivals.spawn_local_on(arrival, local);
        }
        while let Some(user) = arrivals.join_next().await {
            let user = user??;
            self.asker.get_or_insert_with(|| user.asker());
            local.spawn_local(user.listen());
        }
        // Each has heard of each, itself included.
        let all = timeout(STEP_MAX, self.tally.until_introduced(count * count)).await;
        all.context("not all users were told of all others in time")?
    }

    fn ends_connections(&self) -> bool {
        false
    }

    async fn search(&mut self) -> Result<Duration> {
        let asker = self.asker.as_ref().context("nobody is online")?;
        self.searches += 1;
        let start = clock::now();
        asker.search(self.searches).await?;
        let told = self.tally.until_searches_heard(self.searches * self.users);
        timeout(STEP_MAX, told).await.context("a search has not reached all in time")??;
        Ok(start.elapsed())
    }

    /// Nobody has to come back for the next one.
    async fn settled(&self) -> Result<()> {
        Ok(())
    }

    /// Users answer each other past the hub where they can.
    async fn sustain(&self, _: &LocalSet) -> Result<Option<Sustained>> {
        Ok(None)
    }

    async fn stop(self) {
        self.server.stop().await;
    }
}
