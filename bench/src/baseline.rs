//! The bare server: actix-web that parks polls and wakes them all with one message, and nothing else. No sessions,
//! no tokens, no zeroing. What the coordinator costs beyond it is what it does.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    sync::{Mutex, PoisonError, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::sync::Notify;

const BACKLOG: u32 = 4_096;
const CONNECTIONS_A_WORKER: usize = 25_000;
const KEEP_ALIVE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Board {
    message: Mutex<String>,
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

async fn poll(board: web::Data<Board>) -> HttpResponse {
    let changed = board.changed.notified();
    board.parked.fetch_add(1, Ordering::Relaxed);
    let parked = Parked(board.clone());
    changed.await;
    drop(parked);
    let message = board.message.lock().unwrap_or_else(PoisonError::into_inner).clone();
    HttpResponse::Ok().content_type("application/json").body(message)
}

async fn tell(board: web::Data<Board>, message: String) -> HttpResponse {
    *board.message.lock().unwrap_or_else(PoisonError::into_inner) = message;
    board.changed.notify_waiters();
    HttpResponse::Accepted().finish()
}

async fn parked(board: web::Data<Board>) -> String {
    format!("hearsay_parked_polls {}\n", board.parked.load(Ordering::Relaxed))
}

/// Serves until SIGTERM; writes where it listens, as the coordinator does.
#[actix_web::main]
pub(crate) async fn serve(listen: SocketAddr, ready_file: &Path) -> io::Result<()> {
    crate::measure::raise_open_files()?;
    let board = web::Data::new(Board::default());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(board.clone())
            .route("/v1/events", web::get().to(poll))
            .route("/tell", web::put().to(tell))
            .route("/metrics", web::get().to(parked))
    })
    .backlog(BACKLOG)
    .max_connections(CONNECTIONS_A_WORKER)
    .keep_alive(KEEP_ALIVE)
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
