//! The servers that are measured side by side.

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    nchan,
    pace::Pace,
    quantity::Figures,
    relays::{Bare, Hub, Ours},
    server::Server,
    uhub, waves,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Column {
    Bare,
    /// Connections end as those of the coordinator do.
    BareClosing,
    Coordinator,
    Nchan,
    Uhub,
}

impl Column {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareClosing => "bare, closing",
            Self::Coordinator => "coordinator",
            Self::Nchan => "nchan",
            Self::Uhub => "uhub",
        }
    }

    pub(crate) fn is_installed(self) -> bool {
        match self {
            Self::Nchan => nchan::is_installed(),
            Self::Uhub => uhub::is_installed(),
            Self::Bare | Self::BareClosing | Self::Coordinator => true,
        }
    }

    /// How many peers it is measured with at most.
    pub(crate) fn peers_max(self) -> usize {
        if self == Self::Uhub { uhub::USERS_MAX } else { usize::MAX }
    }

    pub(crate) async fn measure(self, peers: usize, pace: Pace) -> Result<Figures> {
        match self {
            Self::Bare => waves::measure(Bare::of(Server::bare(None).await?), peers, pace).await,
            Self::BareClosing => {
                let server = Server::bare(Some(pace.connection())).await?;
                waves::measure(Bare::closing(server), peers, pace).await
            }
            Self::Coordinator => {
                let server = Server::coordinator(&pace.lifetimes()).await?;
                waves::measure(Ours::of(server), peers, pace).await
            }
            Self::Nchan => waves::measure(Bare::of(Server::nchan().await?), peers, pace).await,
            Self::Uhub => waves::measure(Hub::of(Server::uhub().await?), peers, pace).await,
        }
    }
}
