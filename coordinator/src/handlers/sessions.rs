//! Connect and disconnect.

use actix_web::{HttpRequest, HttpResponse, web};
use protocol::{
    Code, Username,
    session::{AnyConnect, ConnectResponse, NameToken, SessionLimits},
};
use subtle::ConstantTimeEq as _;

use crate::{
    app::{App, client_address},
    body::Body,
    caller::Authenticated,
    clock,
    config::Config,
    domain::sessions::{Claim, HashedName, Proof},
    error::ApiError,
    seal::{Lineage, hash_lineage, session_id},
};

/// Claims a name. The same call again is answered alike; peers use that to have their name token renewed.
pub(crate) async fn connect(
    app: web::Data<App>,
    request: HttpRequest,
    body: Body<AnyConnect>,
) -> Result<HttpResponse, ApiError> {
    let AnyConnect::Ours(body) = body.into_inner() else {
        return Err(ApiError::new(Code::VersionUnsupported));
    };
    let config = app.config();
    let username = Username::parse(&body.username)?;
    let name = app.keys.hash_name(&username);
    let session = session_id(&body.token);

    let (lineage, proof) = match held_before(&app, &config, name, body.name_token.as_ref()) {
        Some((lineage, proof)) => (lineage, proof),
        None => (app.keys.new_lineage(&body.token), Proof::None),
    };
    let is_renewal = app.exchange.caller(session).await.is_some_and(|caller| caller.name == name);
    let lineage_hash = hash_lineage(&lineage);
    let within_budget = if proof == Proof::None && !is_renewal {
        app.limiter.claim(client_address(&request), clock::now())
    } else {
        app.limiter.renewal(lineage_hash, client_address(&request), clock::now())
    };
    within_budget.map_err(ApiError::rate_limited)?;
    // Within the budget, for who does not have the key may guess at it.
    check_join_key(&config, body.join_key.as_deref())?;
    let claim = Claim { session, name, lineage: lineage_hash, proof, epoch: rand::random() };
    app.exchange.claim(claim).await?;
    app.metrics.connect();

    let lifetimes = &config.lifetimes;
    Ok(HttpResponse::Created().json(ConnectResponse {
        name_token: app.keys.seal_name(&username, &lineage, clock::wall()),
        lease_seconds: lifetimes.lease.as_secs(),
        wait_seconds_max: lifetimes.wait_max.as_secs(),
        limits: session_limits(&config),
        version: protocol::VERSION,
    }))
}

/// Ends the caller's session; its name is free at once.
pub(crate) async fn disconnect(app: web::Data<App>, caller: Authenticated) -> HttpResponse {
    app.exchange.release(*caller).await;
    HttpResponse::NoContent().finish()
}

fn check_join_key(config: &Config, shown: Option<&str>) -> Result<(), ApiError> {
    let Some(wanted) = &config.join_key else { return Ok(()) };
    let shown = shown.unwrap_or_default();
    if bool::from(wanted.reveal().as_bytes().ct_eq(shown.as_bytes())) {
        Ok(())
    } else {
        Err(ApiError::new(Code::JoinKeyWrong))
    }
}

/// The lineage of a valid name token for this very name. Any other token counts as none, so that a peer whose
/// token is too old still gets a free name.
fn held_before(
    app: &App,
    config: &Config,
    name: HashedName,
    token: Option<&NameToken>,
) -> Option<(Lineage, Proof)> {
    let sealed = app.keys.open_name(token?.reveal(), config.lifetimes.name_token, clock::wall())?;
    if app.keys.hash_name(&sealed.username) != name {
        return None;
    }
    let proof = if sealed.issued < app.started { Proof::BeforeStart } else { Proof::Recent };
    Some((sealed.lineage.clone(), proof))
}

fn session_limits(config: &Config) -> SessionLimits {
    let limits = &config.limits;
    SessionLimits {
        searches_per_second: limits.searches_per_second.get(),
        searches_burst: limits.searches_burst.get(),
        introductions_per_second: limits.introductions_per_second.get(),
        introductions_burst: limits.introductions_burst.get(),
        matches_per_answer: protocol::limits::MATCHES_PER_ANSWER_MAX,
        pending_introductions: limits.pending_introductions,
    }
}
