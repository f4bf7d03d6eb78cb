//! A request's body, within its time. The HTTP library has a limit for how long headers may take and none for
//! bodies: who sends one byte a minute would hold what it sent, and a connection, for as long as it likes.

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use protocol::Code;
use serde::de::DeserializeOwned;

use crate::{app::App, clock, connection::Connection, error::ApiError};

/// A JSON body that came in time.
pub(crate) struct Body<T>(T);

impl<T> Body<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = web::Json::<T>::from_request(request, payload);
        let request = request.clone();
        async move {
            let patience = request.app_data::<web::Data<App>>().map(|app| app.config().lifetimes.body);
            if let Ok(json) = tokio::time::timeout(patience.unwrap_or_default(), json).await {
                return json.map(|json| Self(json.into_inner()));
            }
            // What is still to come of it is not waited for.
            if let Some(connection) = Connection::of(&request) {
                connection.is_broken(clock::now());
            }
            Err(ApiError::new(Code::RequestInvalid).with_detail("the body did not come in time").into())
        }
        .boxed_local()
    }
}
