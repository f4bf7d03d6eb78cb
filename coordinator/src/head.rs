//! Taking over what a request's headers say, and dropping them.
//!
//! The HTTP library keeps the heads of past requests in pools, as they were, until it needs them again, and with their
//! headers the read buffers out of which those are cut, with all that stood in them: in a quiet hour, names and bodies
//! of the last busy one. So a call begins with reading its headers once; what the call needs is kept for its time
//! with the connection, and the head goes on with copies of the two that describe the body.

use actix_web::{
    dev::RequestHead,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};
use protocol::{SessionToken, paths::NAME_HEADER};
use zeroize::Zeroizing;

use crate::{app::App, config::Config, connection::CallHeaders, seal::session_id};

const NAME: HeaderName = HeaderName::from_static(NAME_HEADER);

/// All that is read after this.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Tells what the headers of a call say, and puts those in their place that are read after this.
pub(crate) fn take_over(head: &mut RequestHead, app: &App, config: &Config) -> CallHeaders {
    let headers = &head.headers;
    let of_call = CallHeaders {
        session: bearer_token(headers).as_ref().map(session_id),
        observed: app.observe(head, config),
        name_token: name_token(headers),
    };
    let mut kept = HeaderMap::new();
    for name in KEPT {
        // A copy: the value itself is a part of the read buffer.
        if let Some(Ok(value)) = headers.get(&name).map(|value| HeaderValue::from_bytes(value.as_bytes())) {
            kept.insert(name, value);
        }
    }
    head.headers = kept;
    of_call
}

fn bearer_token(headers: &HeaderMap) -> Option<SessionToken> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.parse().ok())?
}

fn name_token(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(headers.get(NAME)?.to_str().ok()?.to_owned()))
}
