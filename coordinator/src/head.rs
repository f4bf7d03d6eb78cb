//! Taking over what a request's headers say, and dropping them.
//!
//! The HTTP library keeps the heads of past requests in pools, as they were, until it needs them again, and with their
//! headers the read buffers out of which those are cut, with all that stood in them: in a quiet hour, names and bodies
//! of the last busy one. So a call begins with reading its headers once; what the call needs is kept for its time
//! with the connection, and the head goes on with copies of the two that describe the body.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};
use protocol::{SessionToken, paths::NAME_HEADER};
use zeroize::Zeroizing;

use crate::{
    app::App,
    config::Config,
    connection::{CallHeaders, ConnectionMark},
    pace::Brings,
    seal::session_id,
};

const NAME: HeaderName = HeaderName::from_static(NAME_HEADER);

/// All that is read after this.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Keeps for the call what its headers say, and returns those that are to take their place.
pub(crate) fn take_over(request: &HttpRequest, brings: Brings, app: &App, config: &Config) -> HeaderMap {
    let headers = request.headers();
    let of_call = CallHeaders {
        session: bearer_token(headers).as_ref().map(session_id),
        observed: app.observe(request, config),
        name_token: name_token(headers),
    };
    let mut kept = HeaderMap::new();
    for name in KEPT {
        // A copy: the value itself is a part of the read buffer.
        if let Some(Ok(value)) = headers.get(&name).map(|value| HeaderValue::from_bytes(value.as_bytes())) {
            kept.insert(name, value);
        }
    }
    if let Some(mark) = request.conn_data::<ConnectionMark>() {
        mark.begin_call(of_call, brings);
    }
    kept
}

fn bearer_token(headers: &HeaderMap) -> Option<SessionToken> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.parse().ok())?
}

fn name_token(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(headers.get(NAME)?.to_str().ok()?.to_owned()))
}
