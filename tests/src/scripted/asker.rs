//! A requester played by hand that has found what it wants: asks for it, and is dialled back at a listener of its own.

use protocol::introduction::{HeardReply, QueueReason};
use tokio::net::TcpListener;

use super::{Found, Invited, RequesterStream, ScriptedPeer};

pub struct Asker {
    pub peer: ScriptedPeer,
    pub source: Found,
    /// Where it is dialled.
    pub listener: TcpListener,
}

impl Asker {
    pub(crate) async fn finding(mut peer: ScriptedPeer, query: &str) -> Self {
        let source = peer.find(query).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self { peer, source, listener }
    }

    /// Asks for the file.
    pub async fn invite(&self) -> Invited {
        self.peer.invite(&self.source, &self.listener).await
    }

    /// Sends an introduction again, with a fresh message-key.
    pub async fn invite_again(&self, invited: &Invited) -> Invited {
        self.peer.invite_as(invited.id, &self.source, &self.listener).await
    }

    /// The target's next word on an introduction.
    pub async fn word_on(&mut self, invited: &Invited) -> HeardReply {
        self.peer.word_on(invited).await
    }

    /// Its place in the queue, which is the target's next word.
    pub async fn position_of(&mut self, invited: &Invited) -> u32 {
        match self.word_on(invited).await {
            HeardReply::Queued { position, reason: QueueReason::Busy } => position,
            word => panic!("{word:?}"),
        }
    }

    /// Is dialled and asks for the file; nothing of it is read yet.
    pub async fn asks(&self) -> RequesterStream {
        let mut stream = self.peer.meet(&self.source, &self.listener).await;
        stream.ask_for(&self.source.file).await;
        stream
    }

    /// Is the one who is served: asked, dialled, and asking for its file.
    pub async fn is_served(&mut self) -> (Invited, RequesterStream) {
        let invited = self.invite().await;
        assert_eq!(self.word_on(&invited).await, HeardReply::Accepted {});
        (invited, self.asks().await)
    }

    /// Meets the dial-back and asks for the introduction, as itself or as somebody else who saw it coming.
    pub async fn ask_for_proof(&self, as_somebody_else: bool) -> String {
        self.peer.ask_for_proof(&self.source, &self.listener, as_somebody_else).await
    }
}
