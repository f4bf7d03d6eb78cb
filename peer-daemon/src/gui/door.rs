//! The page's address and its logins, shared by the socket (which hands out links) and the page (which uses them).

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use protocol::id::{GuiLink, GuiSession};

use super::{login::Logins, site::Site};
use crate::clock;

#[derive(Debug)]
pub(crate) struct Door {
    site: Site,
    /// A plain mutex: nothing under it waits.
    logins: Mutex<Logins>,
}

impl Door {
    pub(super) fn new(site: Site) -> Self {
        Self { site, logins: Mutex::new(Logins::new()) }
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// Where the page is, as bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.site.address()
    }

    /// A fresh one-time link. The secret is in the fragment, which no browser sends and no server logs.
    pub(crate) fn new_link(&self) -> String {
        let link = GuiLink::random();
        let url = format!("{}#{}", self.site.url(), *link.reveal());
        self.with(|logins| logins.add_link(link, clock::now()));
        url
    }

    /// Trades a link for a session, once.
    pub(super) fn open(&self, link: &GuiLink) -> Option<GuiSession> {
        let session = GuiSession::random();
        self.with(|logins| logins.open(link, session.clone(), clock::now())).then_some(session)
    }

    pub(crate) fn admits(&self, session: &GuiSession) -> bool {
        self.with(|logins| logins.admits(session, clock::now()))
    }

    pub(super) fn close(&self, session: &GuiSession) {
        self.with(|logins| logins.close(session, clock::now()));
    }

    fn with<T>(&self, action: impl FnOnce(&mut Logins) -> T) -> T {
        action(&mut self.logins.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
