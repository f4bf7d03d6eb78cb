//! Who may call: processes of the daemon's own user, and no browser.

use std::any::Any;

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{Extensions, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
};
use protocol::{Code, paths::control::HOST};

use super::{caller::Caller, error::ControlError};

/// The user at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PeerUser(u32);

/// Notes the user when a connection comes in.
pub(super) fn note_user(connection: &dyn Any, extensions: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<tokio::net::UnixStream>()
        && let Ok(credentials) = stream.peer_cred()
    {
        extensions.insert(PeerUser(credentials.uid()));
    }
}

/// Lets a request through if its user is ours, its `Host` the fixed one, and nothing on it tells of a browser.
pub(super) async fn admit_own_user<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let own_user = rustix::process::geteuid().as_raw();
    let headers = request.headers();
    let is_own_user = request.conn_data::<PeerUser>() == Some(&PeerUser(own_user));
    let has_fixed_host = headers.get(header::HOST).is_some_and(|host| host == HOST);
    let is_browser = headers.contains_key(header::ORIGIN) || headers.contains_key(header::REFERER);
    if is_own_user && has_fixed_host && !is_browser {
        request.extensions_mut().insert(Caller::Socket);
        next.call(request).await
    } else {
        Err(ControlError::from(Code::CallerRefused).into())
    }
}
