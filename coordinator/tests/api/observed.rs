//! Notes which answers the tests saw, so that `cargo xtask test` can hold them against `openapi.yaml` at the end.
//!
//! A line an answer, `METHOD /path STATUS CODE`, appended to the file that the environment names; without one
//! nothing is noted.

use std::{fs::OpenOptions, io::Write as _};

use protocol::Problem;
use reqwest::{RequestBuilder, Response};

/// Sends a request and notes its answer, which is read to its end.
pub(crate) async fn send(request: RequestBuilder) -> Response {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let answer = client.execute(request).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap();
    if let Some(notes) = std::env::var_os("HEARSAY_OBSERVED_ANSWERS") {
        let code = serde_json::from_slice::<Problem>(&body).map_or("-", |problem| problem.code.as_str());
        let line = format!("{method} {path} {} {code}\n", status.as_u16());
        // One write a line: other processes append to the same file.
        let mut notes = OpenOptions::new().append(true).create(true).open(notes).unwrap();
        notes.write_all(line.as_bytes()).unwrap();
    }
    let mut answer = http::Response::new(body);
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    answer.into()
}
