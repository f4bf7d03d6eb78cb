//! The one slot: takes places from the queue and serves them, one after the other.

use std::sync::{Arc, atomic::Ordering};

use protocol::introduction::Reply;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Request, Uploads,
    active::Ending,
    aside::Aside,
    desk,
    queue::Taken,
    routes::{NoStream, Route},
};
use crate::{
    clock,
    peer_stream::{
        limits::{Patience, StreamLimits},
        offered::Offered,
        progress::ServeProgress,
        server::{Ended, Offer, Served, Steering},
    },
    transfer_rate::watched,
};

impl Uploads {
    pub(super) async fn serve_in_turn(self, token: CancellationToken) {
        while !token.is_cancelled() {
            let steering = Steering {
                stop: token.child_token(),
                wind_up: CancellationToken::new(),
                throttle: self.shared.throttle.clone(),
            };
            let next = if self.is_on() {
                self.change(|desk| desk.begin_next(clock::now(), steering, &self.shared.library))
            } else {
                None
            };
            let Some((place, progress, steering)) = next else {
                tokio::select! {
                    () = self.shared.wake.notified() => continue,
                    () = token.cancelled() => return,
                }
            };
            let serving = self.serve(&place, &progress, &steering);
            let served = watched(serving, || self.look()).await;
            let now = clock::now();
            let (ending, used) = self.desk().ending(now);
            let patience = &self.shared.patience;
            let aside = why_it_comes_back(&served, ending, used >= patience.turn);
            let listed = what_is_listed(served, ending, patience);
            let outcome =
                listed.as_ref().map(|listed| listed.as_ref().err().map_or("finished", String::as_str));
            info!(outcome = outcome.unwrap_or("goes on later"), "an upload ended");
            let served = desk::Served { aside, listed };
            self.change(|desk| desk.settle(now, place, served));
        }
    }

    fn look(&self) {
        let mut desk = self.desk();
        desk.look(clock::now(), &self.shared.patience);
        // So that its rate is known whenever it is asked for.
        drop(desk.current(clock::now()));
    }

    /// Tells the requester, dials it, and where that fails asks to be dialled.
    async fn serve(
        &self,
        taken: &Taken<Request>,
        progress: &Arc<ServeProgress>,
        steering: &Steering,
    ) -> Result<Served, NoStream> {
        let Request { invitation, endpoint, identity, .. } = &taken.request;
        let within = self.shared.library.files_within(&invitation.files);
        let route = Route {
            dialler: &self.shared.dialler,
            library: &self.shared.library,
            identity,
            offer: Offer {
                id: taken.id,
                message_key: invitation.message_key.clone(),
                requester_certificate: invitation.certificate_sha256,
                files: Offered::new(&invitation.files, within),
            },
            limits: StreamLimits::default().bearing(&self.shared.patience),
            progress,
            steering,
        };
        self.reply(taken.id, Reply::Accepted {});
        match route.dial_back(*endpoint).await {
            Ok(served) => Ok(served),
            Err(_) if steering.stop.is_cancelled() => Err(NoStream::Stopped),
            Err(reason) => {
                debug!(%reason, "the dial-back failed");
                let arriving = route.be_dialled(&self.shared.reception);
                self.desk().await_dial();
                self.reply(taken.id, Reply::DialMe { port: self.shared.public_port });
                let served = arriving.await.map_err(|_| reason)?;
                self.shared.was_dialled.store(true, Ordering::Relaxed);
                Ok(served)
            }
        }
    }
}

/// Why the place stays in the queue. Whoever has used up its turn in streams that broke off has had it.
fn why_it_comes_back(
    served: &Result<Served, NoStream>,
    ending: Option<Ending>,
    is_turn_over: bool,
) -> Option<Aside> {
    let aside = match (ending, served) {
        (Some(Ending::MadeWay(aside)), _) => aside,
        (Some(Ending::TakenBack | Ending::Unwanted), _)
        | (None, Ok(Served { ended: Ended::Closed, asked: true, .. })) => return None,
        (None, Ok(Served { ended: Ended::Closed, asked: false, .. })) => Aside::Deferred,
        (None, Ok(Served { ended: Ended::Idle, .. })) => Aside::Idle,
        (None, Ok(Served { ended: Ended::DiskSilent, .. })) => Aside::DiskSilent,
        // Stopped without a reason: the daemon ends.
        (
            None,
            Ok(Served { ended: Ended::Lost | Ended::Stopped | Ended::SourceChanged, .. })
            | Err(NoStream::Stopped),
        ) => Aside::Lost,
        (None, Err(_)) => Aside::Unreachable,
    };
    Some(if aside == Aside::Lost && is_turn_over { Aside::TurnOver } else { aside })
}

/// What the person finds in the list: `Err` tells why nothing, or not all, was sent. Nothing where the upload
/// goes on and is listed as waiting.
fn what_is_listed(
    served: Result<Served, NoStream>,
    ending: Option<Ending>,
    patience: &Patience,
) -> Option<Result<(), String>> {
    let reason = match (ending, served) {
        (Some(Ending::MadeWay(_)), _) => return None,
        (Some(Ending::TakenBack), _) => "the requester took it back".to_owned(),
        (Some(Ending::Unwanted), _) => "the requester was blocked".to_owned(),
        (None, Ok(Served { ended: Ended::Closed, asked, .. })) => return asked.then_some(Ok(())),
        (None, Ok(Served { ended: Ended::Idle, .. })) => {
            format!("the requester asked for nothing for {} seconds", patience.idle.as_secs())
        }
        (None, Ok(Served { ended: Ended::DiskSilent, .. })) => {
            "the disk that the file is on does not answer".to_owned()
        }
        (None, Ok(Served { ended: Ended::Stopped, .. })) => "stopped".to_owned(),
        (None, Ok(Served { ended: Ended::Lost, .. })) => {
            "the stream ended early: the requester paused or gave up, or the connection broke".to_owned()
        }
        (None, Ok(Served { ended: Ended::SourceChanged, .. })) => {
            "the file changed while it was sent".to_owned()
        }
        (None, Err(reason)) => reason.to_string(),
    };
    Some(Err(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_unless_its_requester_is_served_or_not_wanted() {
        let served = |ended, asked| Ok(Served { ended, asked, bytes_sent: 1 });
        let made_way = |aside| Some(Ending::MadeWay(aside));
        // Why it comes back with some of its turn left, and with none; then whether it is listed, as finished or not.
        for (served, ending, aside, after_its_turn, listed) in [
            (served(Ended::Closed, true), None, None, None, Some(true)),
            (served(Ended::Closed, false), None, Some(Aside::Deferred), Some(Aside::Deferred), None),
            (served(Ended::Idle, true), None, Some(Aside::Idle), Some(Aside::Idle), Some(false)),
            (
                served(Ended::DiskSilent, true),
                None,
                Some(Aside::DiskSilent),
                Some(Aside::DiskSilent),
                Some(false),
            ),
            (served(Ended::Lost, true), None, Some(Aside::Lost), Some(Aside::TurnOver), Some(false)),
            (served(Ended::SourceChanged, true), None, Some(Aside::Lost), Some(Aside::TurnOver), Some(false)),
            (served(Ended::Stopped, true), None, Some(Aside::Lost), Some(Aside::TurnOver), Some(false)),
            (Err(NoStream::Stopped), None, Some(Aside::Lost), Some(Aside::TurnOver), Some(false)),
            (Err(NoStream::TimedOut), None, Some(Aside::Unreachable), Some(Aside::Unreachable), Some(false)),
            (
                served(Ended::Closed, true),
                made_way(Aside::TurnOver),
                Some(Aside::TurnOver),
                Some(Aside::TurnOver),
                None,
            ),
            (served(Ended::Stopped, true), made_way(Aside::Slow), Some(Aside::Slow), Some(Aside::Slow), None),
            (served(Ended::Stopped, true), made_way(Aside::Off), Some(Aside::Off), Some(Aside::Off), None),
            (
                served(Ended::Stopped, true),
                made_way(Aside::Lost),
                Some(Aside::Lost),
                Some(Aside::TurnOver),
                None,
            ),
            (served(Ended::Stopped, true), Some(Ending::TakenBack), None, None, Some(false)),
            (Err(NoStream::Stopped), Some(Ending::Unwanted), None, None, Some(false)),
        ] {
            let comes_back = [false, true].map(|is_over| why_it_comes_back(&served, ending, is_over));
            assert_eq!(comes_back, [aside, after_its_turn], "{served:?}, {ending:?}");
            let was_listed = what_is_listed(served, ending, &Patience::default());
            assert_eq!(was_listed.map(|outcome| outcome.is_ok()), listed, "{aside:?}, {ending:?}");
        }
    }
}
