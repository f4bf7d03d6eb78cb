//! The responses of a scripted source, byte by byte: a library would not let them be wrong.

use std::{io, ops::Range, sync::atomic::Ordering, time::Duration};

use protocol::{Code, Problem, introduction::IntroductionProof, paths};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::source::{Manner, Offered};

/// Of a request's head: those that come have some hundred bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const PIECE: usize = 1 << 20;
const BETWEEN_BYTES: Duration = Duration::from_millis(100);
const BEFORE_A_REFUSAL: Duration = Duration::from_secs(1);

type Stream = TlsStream<TcpStream>;

/// Answers until the requester closes the stream, or the manner wants it to end.
pub(super) async fn serve(
    mut stream: Stream,
    proof: &IntroductionProof,
    offers: &[Offered],
) -> io::Result<()> {
    loop {
        let head = read_head(&mut stream).await?;
        let path = head.split(' ').nth(1).unwrap_or_default();
        if path == paths::peer::INTRODUCTION {
            let json = serde_json::to_vec(proof).expect("a proof in JSON");
            write(&mut stream, "200 OK", "Content-Type: application/json\r\n", json.len(), &json).await?;
            continue;
        }
        let offer = offers.iter().find(|offer| path.contains(&offer.file.root.to_string()));
        let offer = offer.expect("a file of the introduction is asked for");
        if matches!(offer.manner, Manner::FallsSilent) {
            return fall_silent(&mut stream).await;
        }
        if matches!(offer.manner, Manner::RefusesLate) {
            tokio::time::sleep(BEFORE_A_REFUSAL).await;
        }
        if matches!(offer.manner, Manner::Refuses | Manner::RefusesLate) {
            offer.asked.fetch_add(1, Ordering::Relaxed);
            let problem = serde_json::to_vec(&Problem::new(Code::FileNotOffered)).expect("a problem in JSON");
            write(&mut stream, "403 Forbidden", "", problem.len(), &problem).await?;
        } else if path.ends_with("/content") && matches!(offer.manner, Manner::GivesTogether) {
            offer.asked.fetch_add(1, Ordering::Relaxed);
            send_together(&mut stream, offer, offers, &head).await?;
        } else if path.ends_with("/content") {
            // It has files one by one only, and says so as one that knows no other way.
            let problem = serde_json::to_vec(&Problem::new(Code::RouteUnknown)).expect("a problem in JSON");
            write(&mut stream, "404 Not Found", "", problem.len(), &problem).await?;
        } else if path.ends_with("/pieces") {
            let mut layer = offer.layer.clone();
            if matches!(offer.manner, Manner::WrongLayer) {
                layer[0] ^= 1;
            }
            write(&mut stream, "200 OK", "", layer.len(), &layer).await?;
        } else {
            send_range(&mut stream, offer, &head).await?;
        }
    }
}

async fn send_range(stream: &mut Stream, offer: &Offered, head: &str) -> io::Result<()> {
    let is_first = offer.asked.fetch_add(1, Ordering::Relaxed) == 0;
    let size = offer.content.len();
    let range = asked_range(head, size);
    let etag = format!("ETag: \"{}\"\r\n", offer.file.root);
    let told = |range: &Range<usize>, size: usize| {
        format!("{etag}Content-Range: bytes {}-{}/{size}\r\n", range.start, range.end - 1)
    };
    let mut body = offer.content[range.clone()].to_vec();
    let partial = "206 Partial Content";
    match offer.manner {
        Manner::Grows => write(stream, partial, &told(&range, size + PIECE), body.len(), &body).await,
        Manner::LiesInContentRange => {
            let other = range.start + 1..range.end;
            write(stream, partial, &told(&other, size), body.len() - 1, &body[1..]).await
        }
        Manner::IgnoresRange if !is_first => write(stream, "200 OK", &etag, size, &offer.content).await,
        Manner::FallsSilentMidway => {
            let half = body.len() / 2;
            write(stream, partial, &told(&range, size), body.len(), &body[..half]).await?;
            fall_silent(stream).await
        }
        Manner::Dribbles => {
            write(stream, partial, &told(&range, size), body.len(), &[]).await?;
            dribble(stream, &body).await
        }
        Manner::Truncates | Manner::IgnoresRange => {
            let cut = body.len().div_ceil(2);
            write(stream, partial, &told(&range, size), body.len(), &body[..cut]).await?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        Manner::Changes => {
            for byte in &mut body {
                *byte = !*byte;
            }
            write(stream, partial, &told(&range, size), body.len(), &body).await
        }
        Manner::WrongPieces { one_in, seed } => {
            spoil(&mut body, &range, one_in, seed);
            write(stream, partial, &told(&range, size), body.len(), &body).await
        }
        _ => write(stream, partial, &told(&range, size), body.len(), &body).await,
    }
}

/// A range of all files of a folder, one after the other in the order of their paths.
async fn send_together(
    stream: &mut Stream,
    listing: &Offered,
    offers: &[Offered],
    head: &str,
) -> io::Result<()> {
    let text: Value = serde_json::from_slice(&listing.content).expect("a listing in JSON");
    let listed = text["files"].as_array().expect("files");
    let mut listed: Vec<_> =
        listed.iter().map(|file| (file["path"].as_str(), file["root"].as_str())).collect();
    listed.sort_by_key(|(path, _)| path.expect("a path").split('/').collect::<Vec<_>>());
    let mut all = Vec::new();
    for (_, root) in listed {
        let offer = offers.iter().find(|offer| Some(offer.file.root.to_string().as_str()) == root);
        let offer = offer.expect("a file that is listed is there");
        let is_wrong = matches!(offer.manner, Manner::Changes);
        all.extend(offer.content.iter().map(|byte| if is_wrong { !byte } else { *byte }));
    }
    let range = asked_range(head, all.len());
    let told = format!(
        "ETag: \"{}\"\r\nContent-Range: bytes {}-{}/{}\r\n",
        listing.file.root,
        range.start,
        range.end - 1,
        all.len()
    );
    write(stream, "206 Partial Content", &told, range.len(), &all[range.clone()]).await
}

/// So slowly that nothing is ever done, and never silent for long.
async fn dribble(stream: &mut Stream, body: &[u8]) -> io::Result<()> {
    let mut ticks = tokio::time::interval(BETWEEN_BYTES);
    for byte in body {
        ticks.tick().await;
        stream.write_u8(*byte).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Until the requester has enough of it, and breaks off.
async fn fall_silent(stream: &mut Stream) -> io::Result<()> {
    let _broken_off = stream.read(&mut [0]).await;
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// Turns a bit in each piece that is to be wrong. Ranges begin with a piece.
fn spoil(body: &mut [u8], range: &Range<usize>, one_in: u32, seed: u64) {
    for (index, piece) in (range.start / PIECE..).zip(body.chunks_mut(PIECE)) {
        if StdRng::seed_from_u64(seed ^ index as u64).random_ratio(1, one_in) {
            piece[0] ^= 1;
        }
    }
}

async fn read_head(stream: &mut Stream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
        assert!(head.len() <= HEAD_BYTES_MAX, "a head without an end");
    }
    Ok(String::from_utf8(head).expect("a head in ASCII"))
}

/// The whole file where no range is named.
fn asked_range(head: &str, size: usize) -> Range<usize> {
    let line = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let Some(line) = line else { return 0..size };
    let (first, last) = line.split_once('-').expect("a range with two ends");
    let bound = |text: &str| text.trim().parse::<usize>().expect("a number");
    bound(first)..bound(last) + 1
}

/// `length` is what the head says; the body may be another.
async fn write(
    stream: &mut Stream,
    status: &str,
    headers: &str,
    length: usize,
    body: &[u8],
) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}
