//! One file a resource. A handler checks what the wire can't express, asks the exchange, and answers.

pub(crate) mod events;
pub(crate) mod introductions;
pub(crate) mod searches;
pub(crate) mod sessions;

use std::{net::SocketAddr, time::Duration};

use actix_web::HttpRequest;
use protocol::{Code, introduction::Accepted, limits::PORT_MIN};

use crate::{app::client_address, error::ApiError};

/// The body of a 202. Whole seconds, rounded down: a promise, not a hope.
fn accepted(lifetime: Duration) -> Accepted {
    Accepted { deadline_seconds: lifetime.as_secs() }
}

/// The caller's observed address with the port that it named.
fn observed_endpoint(request: &HttpRequest, port: u16) -> Result<SocketAddr, ApiError> {
    if port < PORT_MIN {
        return Err(ApiError::new(Code::PortInvalid));
    }
    let address = client_address(request).ok_or(ApiError::new(Code::AddressUnknown))?;
    Ok(SocketAddr::new(address, port))
}
