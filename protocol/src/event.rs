//! What the long-poll brings.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    CertificateSha256, IntroductionId, ReplyKey, SearchId, Username,
    introduction::{HeardReply, Sealed},
    search::{ClassedMatch, Subject},
};

/// Body of a 200 of `GET /v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBatch {
    /// Opaque; given back with the next poll, it acknowledges this batch.
    pub cursor: String,
    pub events: Vec<Event>,
}

/// One event. At least once: an event whose response was lost comes again, and its id tells so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Someone searches; who, is not told.
    Search {
        id: SearchId,
        #[serde(flatten)]
        subject: Subject,
        /// Peers spread their answers over this long, so that many don't answer in one instant.
        spread_milliseconds: u64,
    },
    /// One peer's matches for a search of one's own, checked and classed by the coordinator.
    SearchResults {
        id: SearchId,
        username: Username,
        reply_key: ReplyKey,
        certificate_sha256: CertificateSha256,
        matches: Vec<ClassedMatch>,
    },
    /// No more results will come for a search of one's own.
    SearchFinished { id: SearchId },
    /// Someone wants files from this peer.
    Introduction {
        id: IntroductionId,
        from: Username,
        /// The observed address with the download port that the requester named.
        endpoint: SocketAddr,
        sealed: Sealed,
    },
    /// The target's word on an introduction of one's own.
    IntroductionReply {
        id: IntroductionId,
        #[serde(flatten)]
        reply: HeardReply,
    },
    /// The requester took its introduction back.
    IntroductionWithdrawn { id: IntroductionId },
    /// The mailbox overflowed; so many events are gone.
    EventsLost { count: u64 },
    /// An event of a later version; passed over.
    #[serde(other)]
    Unknown,
}
