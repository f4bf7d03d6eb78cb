//! The peer that wants a file: finds it, seals an invitation, and may break its word at its download port.

use std::sync::Arc;

use hpke::{Deserializable as _, OpModeS, Serializable as _, single_shot_seal};
use protocol::{
    CertificateSha256, Event, FileId, FolderSummary, IntroductionId, MessageKey, ReplyKey, SafeName,
    SearchId, Username,
    introduction::{HeardReply, IntroductionRequest, Invitation, Sealed, seal_info},
    paths,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsConnector;

use super::{Aead, Identity, Kdf, Kem, ScriptedPeer, tls};
use crate::{
    api_client::send,
    wait::{PATIENCE, within},
};

/// A source that answered a search.
pub struct Found {
    pub username: Username,
    pub name: SafeName,
    /// Of a folder, its listing's.
    pub file: FileId,
    /// How much is in it, if it is a folder.
    pub folder: Option<FolderSummary>,
    reply_key: ReplyKey,
    pub certificate_sha256: CertificateSha256,
}

/// An introduction on its way, with what its target must show.
pub struct Invited {
    pub id: IntroductionId,
    pub message_key: MessageKey,
    request: IntroductionRequest,
}

impl ScriptedPeer {
    /// The first result of a search.
    pub async fn find(&mut self, query: &str) -> Found {
        let search = self.session.search(query).await;
        self.result_of(search).await.swap_remove(0)
    }

    /// The results of the first peer that answers.
    pub async fn find_all(&mut self, query: &str) -> Vec<Found> {
        let search = self.session.search(query).await;
        self.result_of(search).await
    }

    /// What the first peer that answers has under this root and size.
    pub async fn find_again(&mut self, file: &FileId) -> Vec<Found> {
        let search = self.session.search_by_root(file).await;
        self.result_of(search).await
    }

    async fn result_of(&mut self, search: SearchId) -> Vec<Found> {
        self.session
            .next("a result", |event| match event {
                Event::SearchResults { id, username, reply_key, certificate_sha256, matches }
                    if *id == search =>
                {
                    let found = matches.iter().map(|found| Found {
                        username: username.clone(),
                        name: found.name.clone(),
                        file: FileId::new(found.root, found.size).expect("a size in range"),
                        folder: found.folder,
                        reply_key: *reply_key,
                        certificate_sha256: *certificate_sha256,
                    });
                    Some(found.collect())
                }
                _ => None,
            })
            .await
    }

    /// Asks for the file, to be dialled back at `listener`.
    pub async fn invite(&self, source: &Found, listener: &TcpListener) -> Invited {
        self.invite_as(IntroductionId::random(), source, listener).await
    }

    /// The same as a peer of another protocol version.
    pub async fn invite_of_version(&self, version: u32, source: &Found, listener: &TcpListener) -> Invited {
        self.send_invitation(version, IntroductionId::random(), source, vec![source.file], listener).await
    }

    /// The same under a given id: asks again, with a fresh message-key.
    pub async fn invite_as(&self, id: IntroductionId, source: &Found, listener: &TcpListener) -> Invited {
        self.send_invitation(protocol::VERSION, id, source, vec![source.file], listener).await
    }

    /// Asks a source for several files and folders at once.
    pub async fn invite_to(&self, source: &Found, files: Vec<FileId>, listener: &TcpListener) -> Invited {
        self.send_invitation(protocol::VERSION, IntroductionId::random(), source, files, listener).await
    }

    /// The very same call once more, as by a client that has got no answer.
    pub async fn repeat(&self, invited: &Invited) {
        let _ = self.session.introduce(invited.id, &invited.request).await.expect(202);
    }

    async fn send_invitation(
        &self,
        version: u32,
        id: IntroductionId,
        source: &Found,
        files: Vec<FileId>,
        listener: &TcpListener,
    ) -> Invited {
        let message_key = MessageKey::random();
        let invitation = Invitation {
            message_key: message_key.clone(),
            files,
            certificate_sha256: self.identity.certificate_sha256(),
            version,
        };
        let request = IntroductionRequest {
            to: source.username.clone(),
            port: listener.local_addr().expect("the address of a listener").port(),
            sealed: seal(source, &invitation, id, self.session.username()),
        };
        let _ = self.session.introduce(id, &request).await.expect(202);
        Invited { id, message_key, request }
    }
}

impl ScriptedPeer {
    /// Takes an introduction back.
    pub async fn withdraw(&self, invited: &Invited) {
        let path = format!("/v1/introductions/{}", invited.id);
        let _ = send(self.session.authorise(self.session.client().delete(&path))).await.expect(204);
    }

    /// The target's next word on an introduction.
    pub async fn word_on(&mut self, invited: &Invited) -> HeardReply {
        self.session
            .next("the target's word", |event| match event {
                Event::IntroductionReply { id, reply } if *id == invited.id => Some(reply.clone()),
                _ => None,
            })
            .await
    }

    /// What the target has said on an introduction by now, in order.
    pub async fn words_so_far(&mut self, invited: &Invited) -> Vec<HeardReply> {
        let heard = self.session.heard_so_far().await;
        let words = heard.into_iter().filter_map(|event| match event {
            Event::IntroductionReply { id, reply } if id == invited.id => Some(reply),
            _ => None,
        });
        words.collect()
    }

    /// Meets the dial-back at `listener` and asks for the introduction, with this peer's certificate or, as
    /// somebody else who saw the dial-back coming, with a fresh one. Gives all bytes that came after the
    /// handshake.
    pub async fn ask_for_proof(
        &self,
        source: &Found,
        listener: &TcpListener,
        as_somebody_else: bool,
    ) -> String {
        let other = as_somebody_else.then(Identity::new);
        let identity = other.as_ref().unwrap_or(&self.identity);
        let tls = TlsConnector::from(Arc::new(tls::client(identity, source.certificate_sha256)));
        within("the target dials back and says all it has to say", PATIENCE, async {
            let (tcp, _) = listener.accept().await.expect("a dial-back");
            let name = ServerName::try_from("peer.hearsay.invalid").expect("a name for TLS");
            let mut stream =
                tls.connect(name, tcp).await.expect("the target's certificate is the pinned one");
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n",
                paths::peer::INTRODUCTION
            );
            let mut heard = Vec::new();
            // With TLS 1.3, a refused certificate shows only here, as an error after the handshake.
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut heard).await;
            String::from_utf8_lossy(&heard).into_owned()
        })
        .await
    }
}

fn seal(source: &Found, invitation: &Invitation, id: IntroductionId, requester: &Username) -> Sealed {
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(source.reply_key.as_bytes())
        .expect("the source's key is a key");
    let info = seal_info(id, requester, &source.username);
    let (encapsulated, text) =
        single_shot_seal::<Aead, Kdf, Kem>(&OpModeS::Base, &public, &info, &invitation.to_padded_text(), b"")
            .expect("a seal");
    Sealed::new([&encapsulated.to_bytes()[..], &text].concat())
}
