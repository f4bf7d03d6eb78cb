//! One introduction from its first sending to a stream in the download slot.

use std::time::Duration;

use protocol::{
    Username,
    introduction::{HeardReply, IntroductionRequest, Invitation},
    limits::{PLACE_RENEWAL, ROUTE_HOLD},
};
use tokio::{
    sync::{SemaphorePermit, watch},
    time::Instant,
};

use super::{
    Downloads,
    batch::Batch,
    dial_me::dial_target,
    failure::Failure,
    looks::Place,
    pending::{News, Ticket},
    sessions::Sessions,
    setback::{DialTrouble, Setback},
    silence::{Silence, Then},
    step::Step,
};
use crate::{
    clock,
    coordinator_link::CallError,
    introductions::{identity::Identity, seal::seal},
    peer_stream::client::Requester,
};

/// How long a download waits where the coordinator wants fewer introductions.
const RATE_PATIENCE: Duration = Duration::from_mins(2);

/// A deferred place lapses after [`PLACE_LIFETIME`](protocol::limits::PLACE_LIFETIME). Each sending makes the
/// target dial once more in vain, so it is not done more often than is safe.
const PLACE_RENEWAL_DEFERRED: Duration = Duration::from_mins(2);

/// How often one that the coordinator did not take is sent again. A new session is a reason to do it at once; but a
/// call can fail while the session goes on, and then nothing tells when the next one would do better.
const COORDINATOR_RETRY: Duration = Duration::from_secs(5);

/// An introduction under way.
pub(super) struct Introducing<'a> {
    pub(super) downloads: &'a Downloads,
    pub(super) batch: &'a Batch,
    pub(super) username: &'a Username,
    pub(super) ticket: Ticket,
}

/// What follows after waiting for a stream.
enum Next {
    Stream(Box<Requester>),
    SendAgain,
}

impl<'a> Introducing<'a> {
    /// Sends the introduction until a stream is there and the one slot is ours.
    pub(super) async fn run(mut self) -> Result<(Requester, SemaphorePermit<'a>), Failure> {
        let downloads = self.downloads;
        let mut sessions = downloads.shared.sessions.subscribe();
        let mut silence = Silence::default();
        self.batch.take_all(&Step::Asked);
        loop {
            sessions.borrow_and_update();
            self.send(&mut sessions).await?;
            let stream = match self.await_stream(&mut sessions, &mut silence).await? {
                Next::Stream(stream) => *stream,
                Next::SendAgain => continue,
            };
            let slot = &downloads.shared.slot;
            if let Some(permit) = slot.try_take() {
                return Ok((stream, permit));
            }
            // Closed before a file was asked for: the target keeps the place and serves others meanwhile.
            stream.close().await;
            self.batch.take_all(&Step::Deferred);
            // Sent again in time even if the slot stays taken: the place must not lapse.
            slot.wait(PLACE_RENEWAL_DEFERRED).await;
        }
    }

    /// Seals and sends. A coordinator that is away is waited for, until it is back or the download is stopped.
    async fn send(&self, sessions: &mut watch::Receiver<Sessions>) -> Result<(), Failure> {
        let parts = &self.downloads.shared.parts;
        let give_up = Instant::from_std(clock::now() + RATE_PATIENCE);
        let mut was_away = false;
        loop {
            let sent = match parts.identities.current() {
                Some((requester, identity)) => {
                    let request = self.seal_request(&requester, &identity)?;
                    parts.link.introduce(self.ticket.id(), &request).await
                }
                // A daemon that was just started takes up its identity before its first session.
                None => Err(CallError::NotConnected),
            };
            match sent {
                Ok(_lifetime) => {
                    if was_away {
                        self.batch.take_all(&Step::Asked);
                    }
                    return Ok(());
                }
                Err(error @ (CallError::NotConnected | CallError::Unreachable(_))) => {
                    was_away = true;
                    self.await_coordinator(&error.into(), sessions).await?;
                }
                Err(CallError::RateLimited { retry_after })
                    if clock::now() + retry_after < give_up.into_std() =>
                {
                    tokio::time::sleep(retry_after).await;
                }
                Err(error) => return Err(Setback::from(error).into()),
            }
        }
    }

    /// Until the coordinator may be back, the download is stopped, or it has waited for too long.
    async fn await_coordinator(
        &self,
        setback: &Setback,
        sessions: &mut watch::Receiver<Sessions>,
    ) -> Result<(), Failure> {
        if !self.batch.lack_coordinator(setback) {
            return Err(Failure::Cancelled);
        }
        tokio::select! {
            changed = sessions.changed() => changed.map_err(|_| Failure::Worker),
            () = tokio::time::sleep(COORDINATOR_RETRY) => Ok(()),
        }
    }

    fn seal_request(
        &self,
        requester: &Username,
        identity: &Identity,
    ) -> Result<IntroductionRequest, Failure> {
        let source = self.batch.source().ok_or(Failure::Cancelled)?;
        let invitation = Invitation {
            message_key: self.ticket.message_key(source.certificate_sha256),
            files: self.batch.files(),
            certificate_sha256: identity.requester_certificate_sha256(),
            version: protocol::VERSION,
        };
        let sealed = seal(&invitation, &source.reply_key, self.ticket.id(), requester, self.username)
            .map_err(|_| Setback::KeyNotValid)?;
        Ok(IntroductionRequest {
            to: self.username.clone(),
            port: self.downloads.shared.parts.public_port,
            sealed,
        })
    }

    /// Waits for the target's words and a stream.
    async fn await_stream(
        &mut self,
        sessions: &mut watch::Receiver<Sessions>,
        silence: &mut Silence,
    ) -> Result<Next, Failure> {
        let sent = Instant::from_std(clock::now());
        silence.sent(sent);
        let returned = sessions.borrow().returned();
        let (mut deadline, then) = silence.wait(sent, returned);
        let mut waiting_for = WaitingFor::Word;
        let mut shown_wrong = false;
        loop {
            let news = tokio::select! {
                news = self.ticket.news() => news.ok_or(Failure::Worker)?,
                changed = sessions.changed() => {
                    return changed.map(|()| Next::SendAgain).map_err(|_| Failure::Worker);
                }
                () = tokio::time::sleep_until(deadline) => match waiting_for {
                    WaitingFor::Place => return Ok(Next::SendAgain),
                    WaitingFor::Word if then == Then::SendAgain => return Ok(Next::SendAgain),
                    WaitingFor::Word => return Err(Setback::NoWord.into()),
                    WaitingFor::DialBack | WaitingFor::Dialled if shown_wrong => return Err(Setback::WrongKey.into()),
                    WaitingFor::DialBack => return Err(Setback::NoDialBack.into()),
                    WaitingFor::Dialled => return Err(self.neither_reachable(DialTrouble::TimedOut)),
                },
            };
            if let News::Word(_) = news {
                silence.heard();
            }
            match news {
                News::Stream(stream, way) => {
                    self.batch.connect(way);
                    return Ok(Next::Stream(stream));
                }
                News::WrongKey => shown_wrong = true,
                // The source had tried before it asked to be dialled: no way is left.
                News::DialFailed(_) if shown_wrong => return Err(Setback::WrongKey.into()),
                News::DialFailed(how) => return Err(self.neither_reachable(how)),
                News::Word(HeardReply::Queued { position, reason }) => {
                    self.batch.wait_in_queue(Place { position, reason });
                    (waiting_for, deadline) = (WaitingFor::Place, sent + PLACE_RENEWAL);
                }
                News::Word(HeardReply::Accepted {}) => {
                    self.batch.take_all(&Step::Accepted);
                    (waiting_for, deadline) = (WaitingFor::DialBack, hold());
                }
                News::Word(HeardReply::DialMe { endpoint }) => {
                    self.batch.take_all(&Step::ToldToDial);
                    (waiting_for, deadline) = (WaitingFor::Dialled, hold());
                    let source = self.batch.source().ok_or(Failure::Cancelled)?;
                    dial_target(self.downloads, self.ticket.id(), endpoint, source.certificate_sha256);
                }
                News::Word(HeardReply::Declined { reason, version }) => {
                    return Err(Setback::Declined { reason, version }.into());
                }
                News::Word(HeardReply::Unknown) => {}
            }
        }
    }

    fn neither_reachable(&self, dial: DialTrouble) -> Failure {
        let download_port = self.downloads.shared.parts.public_port;
        Setback::NeitherReachable { download_port, dial }.into()
    }
}

/// What the next deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitingFor {
    Word,
    /// In the source's queue: the introduction is sent again.
    Place,
    /// The source dials.
    DialBack,
    /// The source could not dial, and is dialled.
    Dialled,
}

/// Until when the slot is held for a way to each other.
fn hold() -> Instant {
    Instant::from_std(clock::now() + ROUTE_HOLD)
}
