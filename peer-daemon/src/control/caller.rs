//! Through which door a call came in. The doors' guards note it, and what may be done depends on it.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, web::Data};
use protocol::{Code, id::GuiSession};

use super::error::ControlError;
use crate::gui::Door;

#[derive(Clone)]
pub(crate) enum Caller {
    /// A program of the daemon's own user.
    Socket,
    /// The web page, with the session that it showed.
    Page { door: Data<Door>, session: GuiSession },
}

impl Caller {
    /// Whether it would be let in now: a session ends while a long answer is under way.
    pub(super) fn is_admitted(&self) -> bool {
        match self {
            Self::Socket => true,
            Self::Page { door, session } => door.admits(session),
        }
    }

    pub(super) fn is_page(&self) -> bool {
        matches!(self, Self::Page { .. })
    }
}

/// A call that no guard has seen is nobody's.
impl FromRequest for Caller {
    type Error = ControlError;
    type Future = Ready<Result<Self, ControlError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| Code::CallerRefused.into()))
    }
}
