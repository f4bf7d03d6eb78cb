//! The settings that count at once, as they are now.

use tokio::sync::watch;

use super::{byte_rate::ByteRate, values::Switch};
use crate::{introductions::policy::Policy, peer_stream::throttle::Throttle};

/// A change of one of these reaches what is running; all other settings count from the next start on.
pub(super) const AT_ONCE: &[&str] = &["upload_rate", "download_rate", "uploads", "policy"];

/// What was told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveSettings {
    pub upload_rate: ByteRate,
    pub download_rate: ByteRate,
    pub uploads: Switch,
    /// Who decides about introductions.
    pub policy: Policy,
}

/// To whom this peer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Giving {
    pub(crate) uploads: Switch,
    pub(crate) policy: Policy,
}

/// Where the running parts find them. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    pub(crate) upload: Throttle,
    pub(crate) download: Throttle,
    giving: watch::Sender<Giving>,
}

impl Live {
    /// Takes over what is told now.
    pub(crate) fn follow(&self, told: LiveSettings) {
        self.upload.set_rate(told.upload_rate.0);
        self.download.set_rate(told.download_rate.0);
        let giving = Giving { uploads: told.uploads, policy: told.policy };
        self.giving.send_if_modified(|now| std::mem::replace(now, giving) != giving);
    }

    pub(crate) fn giving(&self) -> watch::Receiver<Giving> {
        self.giving.subscribe()
    }
}
