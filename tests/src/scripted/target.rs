//! The peer that claims to have a file: answers searches, opens invitations, dials back.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hpke::{Deserializable as _, OpModeR, single_shot_open};
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Bytes, header::CONTENT_TYPE};
use hyper_util::rt::TokioIo;
use protocol::{
    Code, Event, FileId, IntroductionId, Problem, SafeName, Username,
    introduction::{IntroductionProof, Invitation, Reply, Sealed, seal_info},
    paths,
    search::{AnswerRequest, Match},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Aead, ENCAPSULATED_BYTES, Identity, Kdf, Kem, ScriptedPeer, tls};
use crate::wait::{PATIENCE, within};

/// An introduction with its seal broken by the one it was made for.
pub struct Opened {
    pub id: IntroductionId,
    pub from: Username,
    pub endpoint: SocketAddr,
    pub invitation: Invitation,
}

/// A stream to a requester's download port, with TLS up and nothing asked yet.
pub struct DialBack(TlsStream<TcpStream>);

impl ScriptedPeer {
    /// Answers the next search of anyone with one file.
    pub async fn offer(&mut self, name: &str, file: FileId) {
        let search = self
            .session
            .next("a search", |event| match event {
                Event::Search { id, .. } => Some(*id),
                _ => None,
            })
            .await;
        let answer = AnswerRequest {
            reply_key: self.identity.public,
            certificate_sha256: self.identity.certificate_sha256(),
            matches: vec![Match {
                name: SafeName::parse(name).expect("a safe name"),
                size: file.size,
                root: file.root,
                folder: None,
            }],
        };
        let _ = self.session.answer(search, &answer).await.expect(204);
    }

    /// The next introduction, opened.
    pub async fn next_introduction(&mut self) -> Opened {
        let (id, from, endpoint, sealed) = self
            .session
            .next("an introduction", |event| match event {
                Event::Introduction { id, from, endpoint, sealed } => {
                    Some((*id, from.clone(), *endpoint, sealed.clone()))
                }
                _ => None,
            })
            .await;
        self.open(id, from, endpoint, &sealed)
    }

    /// Breaks the seal of an introduction to this peer.
    pub(super) fn open(
        &self,
        id: IntroductionId,
        from: Username,
        endpoint: SocketAddr,
        sealed: &Sealed,
    ) -> Opened {
        let invitation = open(&self.identity, sealed, id, &from, self.session.username());
        Opened { id, from, endpoint, invitation }
    }

    /// Says `accepted` and dials.
    pub async fn dial_back(&self, introduction: &Opened) -> DialBack {
        let _ = self.session.reply(introduction.id, &Reply::Accepted {}).await.expect(204);
        let tls = TlsAcceptor::from(Arc::new(tls::server(
            &self.identity,
            introduction.invitation.certificate_sha256,
        )));
        within("the requester answers the dial-back", PATIENCE, async {
            let tcp = TcpStream::connect(introduction.endpoint).await.expect("the download port is open");
            DialBack(tls.accept(tcp).await.expect("the requester starts TLS as the client"))
        })
        .await
    }
}

impl DialBack {
    /// Shows `proof`, refuses whatever else is asked, and gives the list of what was asked until the
    /// requester closed the stream.
    pub async fn show(self, proof: &IntroductionProof) -> Vec<String> {
        let asked = Mutex::new(Vec::new());
        let service = hyper::service::service_fn(async |request: Request<hyper::body::Incoming>| {
            let path = request.uri().path();
            asked.lock().expect("no holder panics").push(format!("{} {path}", request.method()));
            Ok::<_, Infallible>(if path == paths::peer::INTRODUCTION { proven(proof) } else { gone() })
        });
        let stream =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(self.0), service);
        // How the requester closes is its own affair; that it does is waited for.
        let _ = within("the requester closes the stream", PATIENCE, stream).await;
        asked.into_inner().expect("no holder panics")
    }
}

fn proven(proof: &IntroductionProof) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(serde_json::to_vec(proof).expect("a proof in JSON")));
    response.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("a header value"));
    response
}

fn gone() -> Response<Full<Bytes>> {
    let problem = Problem::new(Code::FileGone);
    let mut response = Response::new(Full::from(serde_json::to_vec(&problem).expect("a problem in JSON")));
    *response.status_mut() = StatusCode::GONE;
    response.headers_mut().insert(CONTENT_TYPE, Problem::CONTENT_TYPE.parse().expect("a header value"));
    response
}

fn open(
    identity: &Identity,
    sealed: &Sealed,
    id: IntroductionId,
    requester: &Username,
    target: &Username,
) -> Invitation {
    let (encapsulated, text) = sealed.as_bytes().split_at(ENCAPSULATED_BYTES);
    let encapsulated =
        <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).expect("an encapsulated key");
    let info = seal_info(id, requester, target);
    let text =
        single_shot_open::<Aead, Kdf, Kem>(&OpModeR::Base, &identity.secret, &encapsulated, &info, text, b"")
            .expect("a seal made for this peer and this introduction");
    Invitation::from_padded_text(&text).expect("an invitation")
}
