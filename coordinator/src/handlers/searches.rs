//! Offering a search, answering one, withdrawing one.

use actix_web::{HttpRequest, HttpResponse, web};
use protocol::{
    Code, FileId, Root, SearchId,
    limits::MATCHES_PER_ANSWER_MAX,
    match_rule::Query,
    search::{AnswerRequest, Subject},
};
use serde::Deserialize;

use super::accepted;
use crate::{
    app::App,
    body::Body,
    caller::{Authenticated, Named},
    error::ApiError,
    rate_limit::Act,
};

/// The wire form of [`Subject`], read in two steps so that a query that is too short is told from a body that
/// can't be read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchRequest {
    query: Option<String>,
    root: Option<Root>,
    size: Option<u64>,
}

impl SearchRequest {
    fn into_subject(self) -> Result<Subject, ApiError> {
        match self {
            Self { query: Some(text), root: None, size: None } => Ok(Subject::Query(Query::parse(&text)?)),
            Self { query: None, root: Some(root), size: Some(size) } => FileId::new(root, size)
                .map(Subject::File)
                .map_err(|_| ApiError::new(Code::RequestInvalid).with_detail("size is out of range")),
            Self { .. } => Err(ApiError::new(Code::RequestInvalid)
                .with_detail("a search has either a query, or a root and a size")),
        }
    }
}

pub(crate) async fn open(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Authenticated,
    id: web::Path<SearchId>,
    body: Body<SearchRequest>,
) -> Result<HttpResponse, ApiError> {
    let subject = body.into_inner().into_subject()?;
    app.within_budget(Act::Search, &request, *caller)?;
    app.exchange.open_search(*caller, *id, subject).await?;
    app.metrics.search();
    Ok(HttpResponse::Accepted().json(accepted(app.config().lifetimes.search)))
}

pub(crate) async fn answer(
    app: web::Data<App>,
    request: HttpRequest,
    named: Named,
    id: web::Path<SearchId>,
    body: Body<AnswerRequest>,
) -> Result<HttpResponse, ApiError> {
    app.within_budget(Act::Answer, &request, named.caller)?;
    let answer = body.into_inner();
    if answer.matches.len() > MATCHES_PER_ANSWER_MAX {
        return Err(ApiError::new(Code::RequestInvalid).with_detail("an answer has at most 100 matches"));
    }
    app.exchange.answer(named.caller, *id, named.username, answer).await?;
    app.metrics.answer();
    Ok(HttpResponse::NoContent().finish())
}

pub(crate) async fn withdraw(
    app: web::Data<App>,
    caller: Authenticated,
    id: web::Path<SearchId>,
) -> Result<HttpResponse, ApiError> {
    app.exchange.withdraw_search(*caller, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
