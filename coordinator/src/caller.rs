//! Who makes a call: the session by its token, and its username where a call needs it, opened from the seal
//! that the caller brings along and dropped with the call.

use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use protocol::{Code, Username};

use crate::{app::App, clock, connection::Connection, error::ApiError, exchange::Caller, seal::hash_lineage};

/// The session whose token the call carries.
pub(crate) struct Authenticated(Caller);

/// The same, with its username.
pub(crate) struct Named {
    pub(crate) caller: Caller,
    pub(crate) username: Username,
}

impl Deref for Authenticated {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { authenticate(App::of(&request)?, &request).await.map(Self) }.boxed_local()
    }
}

impl FromRequest for Named {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let app = App::of(&request)?;
            let caller = authenticate(app, &request).await?;
            let username = held_name(app, &request, caller).ok_or(ApiError::new(Code::NameTokenInvalid))?;
            Ok(Self { caller, username })
        }
        .boxed_local()
    }
}

async fn authenticate(app: &App, request: &HttpRequest) -> Result<Caller, ApiError> {
    let session = Connection::of(request).and_then(Connection::session);
    let session = session.ok_or(ApiError::new(Code::TokenInvalid))?;
    app.exchange.caller(session).await.ok_or(ApiError::new(Code::TokenInvalid))
}

/// The name in the caller's seal, if it is the one that its session holds.
fn held_name(app: &App, request: &HttpRequest, caller: Caller) -> Option<Username> {
    let token = Connection::of(request)?.take_name_token()?;
    let sealed = app.keys.open_name(&token, app.config().lifetimes.name_token, clock::wall())?;
    let belongs = app.keys.hash_name(&sealed.username) == caller.name
        && hash_lineage(&sealed.lineage) == caller.lineage;
    belongs.then_some(sealed.username)
}
