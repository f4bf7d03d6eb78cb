//! The page's server over real connections: who gets in, and that nobody else gets anything.

mod folders;

use clap::CommandFactory as _;
use protocol::{Code, Problem};
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{
    blocks::Blocks,
    cli::Cli,
    config::{
        Sources,
        settings::{RunTime, Settings},
    },
    control::{Doors, ROUTES},
    data_dirs::DataDirs,
    introductions::keeper::IdentityKeeper,
    library::Library,
    state::State,
};

/// Where the state is, in the home.
const STATE: &str = "state";

/// A page's server without a coordinator: a call that gets through is answered with `no_coordinator`.
struct Page {
    door: Arc<Door>,
    address: SocketAddr,
    token: CancellationToken,
    tracker: TaskTracker,
    library: Library,
    home: tempfile::TempDir,
}

/// All calls that the page may make, with a body where one is read. A new one of the table is in here by itself.
fn calls() -> impl Iterator<Item = (Method, String, Option<Value>)> {
    ROUTES.iter().filter(|route| route.doors == Doors::Both).map(|route| {
        let path = ["{id}", "{search}", "{name}"].into_iter().zip(["d1", "1", "policy"]);
        let path = path.fold(route.path.to_owned(), |path, (part, value)| path.replace(part, value));
        let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
        let body = body_of(&method, &path);
        (method, path, body)
    })
}

fn changes() -> impl Iterator<Item = (Method, String, Option<Value>)> {
    calls().filter(|(method, ..)| method != Method::GET)
}

fn body_of(method: &Method, path: &str) -> Option<Value> {
    match (method.as_str(), path) {
        ("PUT", "/v1/connection") | ("POST", "/v1/blocks") => Some(json!({ "username": "nightingale" })),
        ("POST", "/v1/searches") => Some(json!({ "query": "song" })),
        ("POST", "/v1/downloads") => Some(json!({ "targets": ["1"] })),
        ("POST", "/v1/shares" | "/v1/shares/preview") => Some(json!({ "path": "/nothing/here" })),
        ("PUT", _) => Some(json!({ "value": "ask" })),
        _ => None,
    }
}

impl Page {
    fn serve() -> Self {
        let home = tempfile::tempdir().unwrap();
        let state = State::open(&home.path().join(STATE)).unwrap();
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let arguments = ["peer-daemon", "--gui", "off", "--config", "/dev/null"];
        let matches = Cli::command().try_get_matches_from(arguments).unwrap();
        let sources = Sources::gather(&matches, DataDirs::under(home.path())).unwrap();
        let config = sources.resolve(&RunTime::default()).unwrap();
        let listen =
            GuiListen { address: "127.0.0.1:0".parse().unwrap(), is_chosen: true, hosts: Vec::new() };
        let gui = Gui::bind(listen).unwrap().unwrap();
        let door = gui.door();
        let library = Library::start(state.clone(), &[], &tracker, token.child_token()).unwrap();
        let controls = Controls {
            settings: Settings::new(state.clone(), sources, config),
            blocks: Blocks::load(state.clone()).unwrap(),
            identities: IdentityKeeper::new(state),
            library: library.clone(),
            network: None,
            download_port: 4821,
            upload_port: 4822,
            gui: Some(gui.door()),
            token: token.clone(),
        };
        gui.start(controls, &tracker, token.child_token()).unwrap();
        Self { address: door.address(), door, token, tracker, library, home }
    }

    fn request(&self, method: Method, route: &str) -> RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.request(method, format!("http://{}{route}", self.address))
    }

    /// A session as the page gets it.
    async fn session(&self) -> String {
        let link = self.link();
        let response = self.open(&link).await;
        assert_eq!(response.status(), StatusCode::OK);
        let opened: Value = response.json().await.unwrap();
        opened["session"].as_str().unwrap().to_owned()
    }

    fn link(&self) -> String {
        let url = self.door.new_link();
        let (page, secret) = url.split_once('#').unwrap();
        assert_eq!(page, format!("http://{}/", self.address), "the secret is in the fragment alone");
        secret.to_owned()
    }

    async fn open(&self, link: &str) -> reqwest::Response {
        self.request(Method::POST, "/v1/gui/session").json(&json!({ "link": link })).send().await.unwrap()
    }

    async fn end(self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[actix_web::test]
async fn without_a_session_there_is_the_page_and_nothing_else() {
    let page = Page::serve();
    for asset in assets::ASSETS {
        let file = page.request(Method::GET, asset.path).send().await.unwrap();
        assert_eq!(file.status(), StatusCode::OK, "{}", asset.path);
    }
    let zeros = format!("Bearer {}", "0".repeat(64));
    for credential in [None, Some(""), Some("Bearer "), Some("Basic YWRtaW46YWRtaW4="), Some(zeros.as_str())]
    {
        // Whether a route exists, or one would end the daemon or let others in, is not told either.
        let others = ["/v1/shutdown", "/v1/gui/login", "/v1/nothing", "/%761/status", "//v1/status"];
        let others = others.map(|route| (Method::POST, route.to_owned(), None));
        for (method, route, body) in calls().chain(others) {
            let mut request = page.request(method.clone(), &route);
            if let Some(credential) = credential {
                request = request.header(AUTHORIZATION, credential);
            }
            let status = request.json(&body).send().await.unwrap().status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {route} with {credential:?}");
        }
    }
    page.end().await;
}

#[actix_web::test]
async fn a_link_works_once_and_a_session_until_it_is_closed() {
    let page = Page::serve();
    let link = page.link();
    assert_eq!(page.open(&link).await.status(), StatusCode::OK);
    assert_eq!(page.open(&link).await.status(), StatusCode::UNAUTHORIZED, "a second time");
    assert_eq!(page.open("zz").await.status(), StatusCode::BAD_REQUEST);

    let session = page.session().await;
    let status = async |session: &str| {
        page.request(Method::GET, "/v1/status").bearer_auth(session).send().await.unwrap().status()
    };
    assert_eq!(status(&session).await, StatusCode::OK);
    let closing = page.request(Method::DELETE, "/v1/gui/session").bearer_auth(&session);
    assert_eq!(closing.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(status(&session).await, StatusCode::UNAUTHORIZED);
    page.end().await;
}

#[actix_web::test]
async fn the_page_can_not_end_the_daemon_nor_let_others_in_nor_move_its_doors() {
    let page = Page::serve();
    let session = page.session().await;
    for (method, route) in [
        (Method::POST, "/v1/shutdown"),
        (Method::POST, "/v1/gui/login"),
        (Method::GET, "/v1/link?path=/etc/passwd"),
    ] {
        let response = page.request(method, route).bearer_auth(&session).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{route}");
    }
    for name in
        ["gui", "listen", "socket", "state_dir", "insecure_coordinator", "ca", "dial_allow", "join_key"]
    {
        let route = format!("/v1/config/{name}");
        for request in [
            page.request(Method::PUT, &route).json(&json!({ "value": "127.0.0.1:1" })),
            page.request(Method::DELETE, &route),
        ] {
            let status = request.bearer_auth(&session).send().await.unwrap().status();
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        }
    }
    let shown = page.request(Method::GET, "/v1/config").bearer_auth(&session).send().await.unwrap();
    let shown: Value = shown.json().await.unwrap();
    let settings = shown["settings"].as_array().unwrap();
    let of = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap();
    assert_eq!((&of("gui")["settable"], &of("policy")["settable"]), (&json!(false), &json!(true)));
    assert!(settings.iter().all(|setting| setting["at_next_start"].is_null()), "{settings:#?}");
    assert!(!page.token.is_cancelled());
    page.end().await;
}

/// Of what is wrong in a call, also where the HTTP library is the one to find it.
#[actix_web::test]
async fn whatever_can_not_be_read_is_a_problem_document() {
    let page = Page::serve();
    let session = page.session().await;
    let numbers = [(Method::GET, "/v1/searches/x"), (Method::POST, "/v1/searches/99999999999999999999")];
    let queries = [(Method::GET, "/v1/searches/1?wait=x"), (Method::GET, "/v1/downloads/d1?wait=-1")];
    let unnamed = [(Method::DELETE, "/v1/shares"), (Method::DELETE, "/v1/blocks")];
    let mut unreadable: Vec<_> = numbers
        .into_iter()
        .chain(queries)
        .chain(unnamed)
        .map(|(method, route)| page.request(method, route))
        .collect();
    for (method, route, _) in calls().filter(|(.., body)| body.is_some()) {
        for body in ["", "{", "[]", "{\"value\": \"\\ud800\"}"] {
            let request = page.request(method.clone(), &route).header(CONTENT_TYPE, "application/json");
            unreadable.push(request.body(body));
        }
    }
    for request in unreadable {
        let (client, request) = request.bearer_auth(&session).build_split();
        let request = request.unwrap();
        let asked = format!("{} {} {:?}", request.method(), request.url().path(), request.body());
        let response = client.execute(request).await.unwrap();
        let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
        let kind = kind.as_ref().map_or("", |kind| kind.to_str().unwrap());
        assert_eq!((status, kind), (StatusCode::BAD_REQUEST, Problem::CONTENT_TYPE), "{asked}");
        assert_eq!(response.json::<Problem>().await.unwrap().code, Code::RequestInvalid, "{asked}");
    }
    page.end().await;
}

#[actix_web::test]
async fn nothing_changes_for_another_site_even_with_a_session() {
    let page = Page::serve();
    let session = page.session().await;
    let own = format!("http://{}", page.address);
    let foreign: [(&str, &str); 7] = [
        (ORIGIN.as_str(), "http://evil.test"),
        (ORIGIN.as_str(), "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        (HOST.as_str(), "evil.test"),
        (CONTENT_TYPE.as_str(), "text/plain"),
        (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded"),
    ];
    for (method, route, body) in changes() {
        let asked = |name: &str, value: &str| {
            let request = page.request(method.clone(), &route).bearer_auth(&session).header(name, value);
            // The type is the header's where it is what is foreign.
            match &body {
                Some(body) if name == CONTENT_TYPE.as_str() => request.body(body.to_string()),
                Some(body) => request.json(body),
                None => request,
            }
        };
        let ours = asked(ORIGIN.as_str(), &own).send().await.unwrap().status();
        let is_refused = |status| {
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::UNSUPPORTED_MEDIA_TYPE]
                .contains(&status)
        };
        assert!(!is_refused(ours), "{method} {route} from our page gives {ours}");
        for (name, value) in foreign {
            let status = asked(name, value).send().await.unwrap().status();
            assert!(is_refused(status), "{method} {route} with {name}: {value} gives {status}");
        }
        if !calls().any(|(method, path, _)| method == Method::GET && path == route) {
            let read = page.request(Method::GET, &route).bearer_auth(&session).send().await.unwrap();
            assert_ne!(read.status(), StatusCode::OK, "GET {route} does nothing");
        }
    }
    page.end().await;
}

#[actix_web::test]
async fn every_answer_forbids_what_the_page_does_not_need() {
    let page = Page::serve();
    let session = page.session().await;
    let requests = [
        page.request(Method::GET, "/"),
        page.request(Method::GET, "/nothing"),
        page.request(Method::GET, "/v1/status").bearer_auth(&session),
        page.request(Method::GET, "/v1/searches/x?wait=y").bearer_auth(&session),
        page.request(Method::GET, "/").header(HOST, "evil.test"),
        page.request(Method::OPTIONS, "/v1/status").header(ORIGIN, "http://evil.test"),
    ];
    for request in requests {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers());
        let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
        assert!(
            header("content-security-policy").starts_with("default-src 'none'; "),
            "{status} {headers:?}"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        for absent in ["set-cookie", "access-control-allow-origin", "server"] {
            assert!(!headers.contains_key(absent), "{status} {headers:?}");
        }
    }
    page.end().await;
}

#[actix_web::test]
async fn a_request_without_a_host_is_refused() {
    let page = Page::serve();
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(page.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        // HTTP itself asks for one since 1.1.
        assert!(answer.contains(" 403 ") || answer.contains(" 400 "), "{answer}");
    }
    page.end().await;
}

#[actix_web::test]
async fn a_connection_without_a_session_has_one_answer_and_with_one_it_stays() {
    let page = Page::serve();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n", page.address);
    let all_of = async |requests: String| {
        let mut stream = tokio::net::TcpStream::connect(page.address).await.unwrap();
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answers = String::new();
        // Who is sent away with more to say hears of it as a reset.
        let _ = stream.read_to_string(&mut answers).await;
        answers.matches("HTTP/1.1 200").count()
    };
    assert_eq!(all_of(get("/", "")).await, 1, "and the connection ends");
    assert!(all_of(get("/", "").repeat(1_000)).await <= 1, "nobody is answered ahead");
    let session = format!("Authorization: Bearer {}\r\n", page.session().await);
    let last = get("/", "Connection: close\r\n");
    assert_eq!(all_of(get("/v1/status", &session) + &get("/", "") + &last).await, 3);
    page.end().await;
}

#[actix_web::test]
async fn the_live_stream_begins_with_all_and_ends_with_the_daemon() {
    let page = Page::serve();
    let session = page.session().await;
    let live = page.request(Method::GET, "/v1/events").bearer_auth(&session);
    let mut response = live.send().await.unwrap();
    let line = response.chunk().await.unwrap().unwrap();
    let scene: Value = serde_json::from_slice(&line).unwrap();
    assert!(line.ends_with(b"\n"));
    assert_eq!((&scene["schema"], &scene["downloads"]), (&json!(1), &json!([])));
    assert_eq!(scene["status"]["gui"], page.address.to_string());
    page.token.cancel();
    while response.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
    page.end().await;
}

#[test]
fn a_busy_address_matters_only_when_it_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let message =
        Gui::bind(GuiListen { address, is_chosen: true, hosts: Vec::new() }).unwrap_err().to_string();
    assert!(message.contains("--gui"), "{message}");
    assert!(Gui::bind(GuiListen { address, is_chosen: false, hosts: Vec::new() }).unwrap().is_none());
}
