//! The bare server: actix-web that parks polls and wakes them all with one message, and nothing else. No sessions,
//! no tokens, no zeroing. What the coordinator costs beyond it is what it does.
//!
//! With `--close-after`, its connections end as those of the coordinator do: at a random time within such limits after
//! they began, with the answer of that moment; each in its own time, where the coordinator combines ends with answers and with each
//! other. What that costs is the price of forgetting with this HTTP library when nothing is done about it.

use std::{
    fs, io,
    net::SocketAddr,
    ops::RangeInclusive,
    path::Path,
    pin::pin,
    sync::{Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering},
    time::{Duration, Instant},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tokio::sync::Notify;

use crate::clock;

const BACKLOG: u32 = 4_096;
const CONNECTIONS_A_WORKER: usize = 25_000;
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// When a connection is to end.
struct CloseAt(Instant);

#[derive(Default)]
struct Board {
    message: Mutex<String>,
    /// How many messages there were: the cursor of each is its number.
    round: AtomicUsize,
    changed: Notify,
    parked: AtomicUsize,
}

/// Counts a parked poll down however it ends.
struct Parked(web::Data<Board>);

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.parked.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Parked {
    fn on(board: &web::Data<Board>) -> Self {
        board.parked.fetch_add(1, Ordering::Relaxed);
        Self(board.clone())
    }
}

async fn poll(board: web::Data<Board>) -> HttpResponse {
    let changed = board.changed.notified();
    let parked = Parked::on(&board);
    changed.await;
    drop(parked);
    HttpResponse::Ok().content_type("application/json").body(board.message())
}

/// A peer that was between two connections has missed nothing: its cursor tells.
async fn poll_closing(board: web::Data<Board>, request: HttpRequest) -> HttpResponse {
    let close_at = request.conn_data::<CloseAt>().map_or_else(clock::now, |at| at.0);
    let cursor = request.query_string().rsplit_once("cursor=").and_then(|(_, cursor)| cursor.parse().ok());
    let mut changed = pin!(board.changed.notified());
    changed.as_mut().enable();
    let parked = Parked::on(&board);
    let heard = board.round.load(Ordering::Acquire) > cursor.unwrap_or(0)
        || tokio::time::timeout_at(close_at.into(), changed).await.is_ok();
    drop(parked);
    let mut response = if heard { HttpResponse::Ok() } else { HttpResponse::NoContent() };
    if close_at <= clock::now() {
        response.force_close();
    }
    if heard { response.content_type("application/json").body(board.message()) } else { response.finish() }
}

impl Board {
    fn message(&self) -> String {
        self.message.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn tell(board: web::Data<Board>, message: String) -> HttpResponse {
    *board.message.lock().unwrap_or_else(PoisonError::into_inner) = message;
    board.round.fetch_add(1, Ordering::Release);
    board.changed.notify_waiters();
    HttpResponse::Accepted().finish()
}

async fn parked(board: web::Data<Board>) -> String {
    format!("hearsay_parked_polls {}\n", board.parked.load(Ordering::Relaxed))
}

/// Serves until SIGTERM; writes where it listens, as the coordinator does.
#[actix_web::main]
pub(crate) async fn serve(
    listen: SocketAddr,
    ready_file: &Path,
    close_after: Option<RangeInclusive<Duration>>,
) -> io::Result<()> {
    crate::measure::raise_open_files()?;
    let board = web::Data::new(Board::default());
    let is_closing = close_after.is_some();
    let server = HttpServer::new(move || {
        let events = if is_closing { web::get().to(poll_closing) } else { web::get().to(poll) };
        App::new()
            .app_data(board.clone())
            .route("/v1/events", events)
            .route("/tell", web::put().to(tell))
            .route("/metrics", web::get().to(parked))
    })
    .backlog(BACKLOG)
    .max_connections(CONNECTIONS_A_WORKER)
    .keep_alive(KEEP_ALIVE)
    .on_connect(move |_, data| {
        if let Some(close_after) = &close_after {
            data.insert(CloseAt(clock::now() + rand::random_range(close_after.clone())));
        }
    })
    // Its parked polls would never end by themselves.
    .shutdown_timeout(0)
    .bind(listen)?;
    let bound = server.addrs().first().copied().unwrap_or(listen);
    let ready = serde_json::json!({ "listen": bound, "ops_listen": bound }).to_string();
    let partial = ready_file.with_extension("part");
    fs::write(&partial, ready)?;
    fs::rename(partial, ready_file)?;
    server.run().await
}
