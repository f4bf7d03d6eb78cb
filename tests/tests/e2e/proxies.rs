//! The proxies for which a configuration is shipped, each started for real with that very file: whatever a client
//! claims about its address, the one that the proxy sees is handed on; and no proxy logs or refuses in its own words.

use std::{fs, path::PathBuf};

use hearsay_tests::{
    api_client::{ApiClient, send},
    coordinator::{self, Coordinator},
    process::Program,
    proxy::{Kind, Pace, Proxy, Scheme, Upstream, free_address},
    session::Session,
    wait::{PATIENCE, until},
};
use protocol::{
    Code, Event, IntroductionId,
    introduction::{IntroductionRequest, Sealed},
    limits,
};
use tempfile::TempDir;

/// One of each kind, by TLS.
async fn one_of_each(upstream: &Upstream) -> Vec<Proxy> {
    let mut proxies = Vec::new();
    for kind in Kind::ALL {
        proxies.push(Proxy::in_front_of(kind, upstream.clone(), Scheme::Https).await);
    }
    proxies
}

/// Claims that a client may make about its address, and how it may cut them.
const CLAIMS: [&[(&str, &str)]; 7] = [
    &[],
    &[("X-Forwarded-For", "203.0.113.66")],
    &[("X-Forwarded-For", "203.0.113.66, 198.51.100.7")],
    &[("X-Forwarded-For", "203.0.113.66"), ("X-Forwarded-For", "198.51.100.7")],
    &[("X-Forwarded-For", "unknown"), ("x-forwarded-for", ",")],
    &[("X-Real-IP", "203.0.113.66"), ("True-Client-IP", "203.0.113.66")],
    &[("Forwarded", "for=203.0.113.66;by=198.51.100.7;host=evil.example")],
];

/// Each claim goes with an introduction; what the target is told is the address that the proxy sees.
async fn claims_count_for_nothing(client: ApiClient, tag: &str) {
    let requester = Session::connect_by(client.clone(), &format!("seek.{tag}")).await;
    let mut target = Session::connect_by(client.clone(), &format!("hold.{tag}")).await;
    for claims in CLAIMS {
        let id = IntroductionId::random();
        let body = IntroductionRequest {
            to: target.username().clone(),
            port: 4_821,
            sealed: Sealed::new(vec![7; 40]),
        };
        let mut request =
            requester.authorise_by_name(client.put(&format!("/v1/introductions/{id}"))).json(&body);
        for (name, value) in claims {
            request = request.header(*name, *value);
        }
        let _ = send(request).await.expect(202);
        let endpoint = target
            .next("the introduction", |event| match event {
                Event::Introduction { id: heard, endpoint, .. } if *heard == id => Some(*endpoint),
                _ => None,
            })
            .await;
        assert!(endpoint.ip().is_loopback() && endpoint.port() == 4_821, "{claims:?} led to {endpoint}");
        let withdraw = requester.authorise(client.delete(&format!("/v1/introductions/{id}")));
        let _ = send(withdraw).await.expect(204);
    }
    // A poll is parked through the proxy and answered in its time.
    target
        .next("the withdrawal", |event| matches!(event, Event::IntroductionWithdrawn { .. }).then_some(()))
        .await;
    requester.disconnect().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_each_proxy_no_claim_about_an_address_counts() {
    let coordinator = Coordinator::start().await;
    for (number, proxy) in one_of_each(&coordinator.address().into()).await.into_iter().enumerate() {
        claims_count_for_nothing(proxy.client(), &format!("tcp.{number}")).await;
        proxy.stop_in_silence().await;
    }
    coordinator.stop().await;
}

/// A coordinator on a Unix socket, as it is run on one machine with its proxy.
async fn on_a_socket(folder: &TempDir) -> (Program, PathBuf) {
    let socket = folder.path().join("coordinator.sock");
    let mut command = coordinator::command();
    command.arg("--listen").arg(format!("unix:{}", socket.display()));
    // nginx's workers have a user of their own, and a test's folder no group for it.
    command.args(["--trusted-proxy", "unix", "--listen-mode", "0666"]);
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut program = Program::start("coordinator", &mut command, folder.path());
    until("the coordinator listens", PATIENCE, async || {
        program.assert_running();
        std::os::unix::net::UnixStream::connect(&socket).ok()
    })
    .await;
    (program, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_over_a_unix_socket() {
    let folder = TempDir::with_prefix("hearsay-socket-").unwrap();
    let (coordinator, socket) = on_a_socket(&folder).await;
    for (number, proxy) in one_of_each(&Upstream::Unix(socket)).await.into_iter().enumerate() {
        claims_count_for_nothing(proxy.client(), &format!("unix.{number}")).await;
        proxy.stop_in_silence().await;
    }
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_too_large_is_refused_in_the_coordinators_words_and_nothing_is_logged() {
    let coordinator = Coordinator::start().await;
    for proxy in one_of_each(&coordinator.address().into()).await {
        let large = proxy.client().post("/v1/sessions").json(&"x".repeat(300 * 1024));
        send(large).await.expect(413).expect_problem(Code::BodyTooLarge);
        proxy.stop_in_silence().await;
    }
    coordinator.stop().await;
    let nobody = Upstream::Tcp(free_address().await);
    for proxy in one_of_each(&nobody).await {
        let answer = send(proxy.client().get("/")).await;
        assert!(matches!(answer.status, 502 | 503), "{answer:?}");
        proxy.stop_in_silence().await;
    }
}

/// The proxies' time limits are divided by this, and with them the longest wait of a poll.
const HURRY: u64 = 5;
/// As a daemon that asks for all that it may get: 11 s. Of the limits, those on a request's arrival are over by then
/// (15 s, here 3), and those on the answer must not be (75 s, here 15).
const PARKED_SECONDS: u64 = limits::WAIT_MAX.as_secs() / HURRY;

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_poll_stays_parked_behind_each_proxy() {
    let coordinator = Coordinator::start().await;
    let address = coordinator.address();
    let stays_parked = async |kind: Kind| {
        let proxy = Proxy::at_pace(kind, address, Scheme::Https, Pace::Hurried { times: HURRY }).await;
        let mut session = Session::connect_by(proxy.client(), &format!("by.{kind:?}")).await;
        let answer = session.poll(PARKED_SECONDS).await;
        assert_eq!(answer.status, 204, "behind {kind:?}: {answer:?}");
        proxy.stop_in_silence().await;
    };
    let [nginx, caddy, haproxy] = Kind::ALL.map(stays_parked);
    tokio::join!(nginx, caddy, haproxy);
    coordinator.stop().await;
}
