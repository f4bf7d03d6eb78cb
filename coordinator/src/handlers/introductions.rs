//! Carrying an introduction, the word on it, and its withdrawal.

use actix_web::{HttpRequest, HttpResponse, web};
use protocol::{
    IntroductionId,
    introduction::{HeardReply, IntroductionRequest, Reply},
};

use super::{accepted, observed_endpoint};
use crate::{
    app::App,
    body::Body,
    caller::{Authenticated, Named},
    domain::Introduction,
    error::ApiError,
    rate_limit::Act,
};

/// Sends an introduction, or sends it again. The answer, and the way to it, are the same for a username that
/// nobody holds.
pub(crate) async fn send(
    app: web::Data<App>,
    request: HttpRequest,
    named: Named,
    id: web::Path<IntroductionId>,
    body: Body<IntroductionRequest>,
) -> Result<HttpResponse, ApiError> {
    let IntroductionRequest { to, port, sealed } = body.into_inner();
    let endpoint = observed_endpoint(&request, port)?;
    app.within_budget(Act::Introduction, &request, named.caller)?;
    let to = app.keys.hash_name(&to);
    let introduction = Introduction { id: *id, from: named.username, to, endpoint, sealed };
    app.exchange.introduce(named.caller, introduction).await?;
    app.metrics.introduction();
    Ok(HttpResponse::Accepted().json(accepted(app.config().lifetimes.introduction)))
}

pub(crate) async fn reply(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Authenticated,
    id: web::Path<IntroductionId>,
    body: Body<Reply>,
) -> Result<HttpResponse, ApiError> {
    app.within_budget(Act::Answer, &request, *caller)?;
    let reply = body.into_inner();
    let heard = match reply {
        Reply::Queued { position, reason } => HeardReply::Queued { position, reason },
        Reply::Accepted {} => HeardReply::Accepted {},
        Reply::DialMe { port } => HeardReply::DialMe { endpoint: observed_endpoint(&request, port)? },
        Reply::Declined { reason, version } => HeardReply::Declined { reason, version },
    };
    app.exchange.reply(*caller, *id, reply, heard).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(crate) async fn withdraw(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<IntroductionId>,
) -> Result<HttpResponse, ApiError> {
    app.exchange.withdraw_introduction(*caller, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
