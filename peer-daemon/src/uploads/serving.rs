//! The one slot: takes places from the queue and serves them, one after the other.

use std::sync::{Arc, atomic::Ordering};

use protocol::introduction::Reply;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Request, Uploads,
    queue::Place,
    routes::{NoStream, Route},
};
use crate::{
    clock,
    peer_stream::{
        progress::ServeProgress,
        server::{Ended, Offer, Served, Steering},
    },
    transfer_rate::watched,
};

impl Uploads {
    pub(super) async fn serve_in_turn(self, token: CancellationToken) {
        loop {
            let next = if self.is_on() { self.desk().begin_next(clock::now(), &token) } else { None };
            let Some((place, progress, stop)) = next else {
                tokio::select! {
                    () = self.shared.wake.notified() => continue,
                    () = token.cancelled() => return,
                }
            };
            let steering = Steering { stop, throttle: self.shared.throttle.clone(), ..Steering::default() };
            let serving = self.serve(&place, &progress, &steering);
            let served = watched(serving, || drop(self.current())).await;
            let is_deferred = matches!(&served, Ok(served) if !served.asked && served.ended == Ended::Closed);
            let outcome = outcome(served);
            info!(outcome = outcome.as_ref().err().map_or("finished", String::as_str), "an upload ended");
            self.desk().end(place, is_deferred, outcome, &self.shared.library);
        }
    }

    /// Tells the requester, dials it, and where that fails asks to be dialled.
    async fn serve(
        &self,
        place: &Place<Request>,
        progress: &Arc<ServeProgress>,
        steering: &Steering,
    ) -> Result<Served, NoStream> {
        let Request { invitation, endpoint, identity } = &place.request;
        let route = Route {
            dialler: &self.shared.dialler,
            library: &self.shared.library,
            identity,
            offer: Offer {
                id: place.id,
                message_key: invitation.message_key.clone(),
                requester_certificate: invitation.certificate_sha256,
                files: invitation.files.clone(),
            },
            progress,
            steering,
        };
        self.reply(place.id, Reply::Accepted {});
        match route.dial_back(*endpoint).await {
            Ok(served) => Ok(served),
            Err(_) if steering.stop.is_cancelled() => Err(NoStream::Stopped),
            Err(reason) => {
                debug!(%reason, "the dial-back failed");
                let arriving = route.be_dialled(&self.shared.reception);
                self.reply(place.id, Reply::DialMe { port: self.shared.public_port });
                let served = arriving.await.map_err(|_| reason)?;
                self.shared.was_dialled.store(true, Ordering::Relaxed);
                Ok(served)
            }
        }
    }
}

/// `Err` tells the person why nothing, or not all, was sent.
fn outcome(served: Result<Served, NoStream>) -> Result<(), String> {
    let reason = match served {
        Ok(Served { ended: Ended::Closed, .. }) => return Ok(()),
        Ok(Served { ended: Ended::Idle, .. }) => "the requester asked for nothing for 30 seconds",
        Ok(Served { ended: Ended::Stopped, .. }) => "stopped",
        Ok(Served { ended: Ended::Lost, .. }) => "the stream broke off",
        Ok(Served { ended: Ended::SourceChanged, .. }) => "the file changed while it was sent",
        Err(reason) => return Err(reason.to_string()),
    };
    Err(reason.to_owned())
}
