//! What keeps other pages, and other names for this machine, away from the page's server.
//!
//! Any page that a person visits may send requests to loopback, and a name of its own may resolve to it (DNS
//! rebinding). So a request counts only if it was meant for the address that is bound and comes from a page of
//! that address; and whatever changes or tells something needs a session on top, in a header that no form, image
//! or link can set.

use std::rc::Rc;

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use protocol::{Code, id::GuiSession};

use super::{connection::Connection, door::Door, site::Site};
use crate::control::{Caller, ControlError};

/// On every answer. Nothing is loaded from elsewhere, nothing inline runs, no string becomes markup, nobody frames
/// the page, nothing is kept.
const ANSWER_HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Lets a request through if it was meant for us and comes from our page, and puts our headers on the answer.
pub(super) async fn admit_own_page<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(connection) = connection(request.request()) {
        connection.hears_request();
    }
    let door = request.app_data::<Data<Door>>().ok_or(Refusal::Host);
    let verdict = door.and_then(|door| judge(request.method(), request.headers(), door.site()));
    let mut response = match verdict {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(refusal) => refuse(request, &refusal.into()).map_into_right_body(),
    };
    for (name, value) in ANSWER_HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Nothing is kept open for whoever shows no session.
    if !connection(response.request()).is_some_and(Connection::is_trusted) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Lets a request through if it shows a session.
pub(super) async fn admit_session<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let door = request.app_data::<Data<Door>>().cloned();
    let shown = door.zip(session_of(request.headers()));
    if let Some((door, session)) = shown.filter(|(door, session)| door.admits(session)) {
        if let Some(connection) = connection(request.request()) {
            connection.trust();
        }
        request.extensions_mut().insert(Caller::Page { door, session });
        Ok(next.call(request).await?.map_into_left_body())
    } else {
        let error =
            ControlError::new(Code::TokenInvalid, "open the page with the link that `peerctl gui` prints");
        Ok(refuse(request, &error).map_into_right_body())
    }
}

fn connection(request: &HttpRequest) -> Option<&Connection> {
    request.conn_data::<Rc<Connection>>().map(|connection| &**connection)
}

/// The session that a request shows.
pub(super) fn session_of(headers: &HeaderMap) -> Option<GuiSession> {
    only(headers, &header::AUTHORIZATION)?.strip_prefix("Bearer ")?.parse().ok()
}

fn refuse(request: ServiceRequest, error: &ControlError) -> ServiceResponse {
    let response: HttpResponse = error.error_response();
    request.into_response(response)
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It was meant for another name or port.
    Host,
    /// Another page sent it.
    Origin,
    /// Its body is of a kind that pages may send anywhere.
    ContentType,
}

impl From<Refusal> for ControlError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Host => Self::new(Code::PageRefused, "use the address that `peerctl gui` prints"),
            Refusal::Origin => Code::PageRefused.into(),
            Refusal::ContentType => Code::MediaTypeUnsupported.into(),
        }
    }
}

fn judge(method: &Method, headers: &HeaderMap, site: &Site) -> Result<(), Refusal> {
    let host = only(headers, &header::HOST).ok_or(Refusal::Host)?;
    let own = site.origin(host).ok_or(Refusal::Host)?;
    let is_own = |origin: &str| origin == own;
    if headers.contains_key(header::ORIGIN) && !only(headers, &header::ORIGIN).is_some_and(is_own) {
        return Err(Refusal::Origin);
    }
    // `none`: a person typed the address or followed a link outside of a browser. That only ever reads.
    let fetch_site = HeaderName::from_static("sec-fetch-site");
    if headers.contains_key(&fetch_site) {
        match only(headers, &fetch_site) {
            Some("same-origin") => {}
            Some("none") if matches!(*method, Method::GET | Method::HEAD) => {}
            _ => return Err(Refusal::Origin),
        }
    }
    match only(headers, &header::CONTENT_TYPE) {
        Some("application/json") => Ok(()),
        None if !headers.contains_key(header::CONTENT_TYPE) => Ok(()),
        _ => Err(Refusal::ContentType),
    }
}

/// A header that is there once, as text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "127.0.0.1:4823";

    fn verdict(method: &Method, given: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        judge(method, &headers, &Site::new(ADDRESS.parse().unwrap(), Vec::new()))
    }

    #[test]
    fn only_the_bound_address_and_localhost_are_meant() {
        for host in [ADDRESS, "localhost:4823"] {
            assert_eq!(verdict(&Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "evil.test:4823",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1.:4823",
            "localhost.:4823",
            "localhost",
            "127.0.0.2:4823",
            "[::1]:4823",
            "0.0.0.0:4823",
            "2130706433:4823",
            "127.0.0.1:4823.evil.test",
            "evil.test:4823@127.0.0.1:4823",
        ] {
            assert_eq!(verdict(&Method::GET, &[("host", host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(verdict(&Method::GET, &[]), Err(Refusal::Host), "none");
        let twice = [("host", ADDRESS), ("host", "evil.test")];
        assert_eq!(verdict(&Method::GET, &twice), Err(Refusal::Host), "two");
    }

    /// Bound to all addresses, behind a proxy that speaks TLS.
    fn verdict_behind_a_proxy(host: &'static str, origin: &'static str) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static(host));
        headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        let hosts = vec!["peer.example".parse().unwrap(), "peer.example:8443".parse().unwrap()];
        judge(&Method::POST, &headers, &Site::new("0.0.0.0:4823".parse().unwrap(), hosts))
    }

    #[test]
    fn a_named_host_counts_over_tls_and_a_bound_network_address_does_not() {
        assert_eq!(verdict_behind_a_proxy("peer.example", "https://peer.example"), Ok(()));
        assert_eq!(verdict_behind_a_proxy("peer.example:8443", "https://peer.example:8443"), Ok(()));
        for (host, origin, refusal) in [
            ("peer.example", "http://peer.example", Refusal::Origin),
            ("peer.example", "https://peer.example:8443", Refusal::Origin),
            ("peer.example", "https://evil.test", Refusal::Origin),
            ("evil.test", "https://evil.test", Refusal::Host),
            ("peer.example.", "https://peer.example.", Refusal::Host),
            ("0.0.0.0:4823", "http://0.0.0.0:4823", Refusal::Host),
            ("localhost:4823", "http://localhost:4823", Refusal::Host),
        ] {
            assert_eq!(verdict_behind_a_proxy(host, origin), Err(refusal), "{host} {origin}");
        }
    }

    #[test]
    fn only_our_own_page_may_ask() {
        let from = |origin| verdict(&Method::POST, &[("host", ADDRESS), ("origin", origin)]);
        assert_eq!(from("http://127.0.0.1:4823"), Ok(()));
        for origin in [
            "null",
            "",
            "http://evil.test",
            "https://127.0.0.1:4823",
            "http://127.0.0.1",
            "http://127.0.0.1:4824",
            "http://localhost:4823",
            "http://127.0.0.1:4823.evil.test",
            "http://127.0.0.1:4823/",
        ] {
            assert_eq!(from(origin), Err(Refusal::Origin), "{origin}");
        }
        let twice = [("host", ADDRESS), ("origin", "http://127.0.0.1:4823"), ("origin", "http://evil.test")];
        assert_eq!(verdict(&Method::POST, &twice), Err(Refusal::Origin));
    }

    #[test]
    fn a_request_from_another_site_is_none_of_ours() {
        let from = |method, site| verdict(&method, &[("host", ADDRESS), ("sec-fetch-site", site)]);
        assert_eq!(from(Method::POST, "same-origin"), Ok(()));
        assert_eq!(from(Method::GET, "none"), Ok(()));
        assert_eq!(from(Method::POST, "none"), Err(Refusal::Origin));
        for site in ["cross-site", "same-site", "", "later-word"] {
            assert_eq!(from(Method::GET, site), Err(Refusal::Origin), "{site}");
        }
    }

    #[test]
    fn a_body_is_of_the_one_kind_that_a_form_can_not_send() {
        let with = |kind| verdict(&Method::POST, &[("host", ADDRESS), ("content-type", kind)]);
        assert_eq!(with("application/json"), Ok(()));
        for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
        {
            assert_eq!(with(kind), Err(Refusal::ContentType), "{kind}");
        }
    }
}
