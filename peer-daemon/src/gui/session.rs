//! The page's way in and out.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json},
};
use protocol::{
    Code,
    control::SCHEMA,
    id::{GuiLink, GuiSession},
};
use serde::{Deserialize, Serialize};

use super::{door::Door, guard::session_of, login::LINK_LIFE};
use crate::control::ControlError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opening {
    link: GuiLink,
}

#[derive(Serialize)]
pub(super) struct Opened {
    schema: u32,
    session: GuiSession,
}

/// Trades the link's secret for a session.
pub(super) async fn open(door: Data<Door>, opening: Json<Opening>) -> Result<Json<Opened>, ControlError> {
    let session = door.open(&opening.link).ok_or_else(|| {
        let seconds = LINK_LIFE.as_secs();
        let detail = format!("a link works once and for {seconds} s; `peerctl gui` prints a new one");
        ControlError::new(Code::TokenInvalid, detail)
    })?;
    Ok(Json(Opened { schema: SCHEMA, session }))
}

pub(super) async fn close(door: Data<Door>, request: HttpRequest) -> HttpResponse {
    if let Some(session) = session_of(request.headers()) {
        door.close(&session);
    }
    HttpResponse::NoContent().finish()
}
