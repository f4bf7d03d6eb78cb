//! The control API as functions: one for each call that peerctl makes.

use std::{
    error::Error as _,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{
    Problem,
    control::{
        BlockRequest, Blocks, Configuration, ConnectionRequest, Downloads, FileLink, GuiLogin,
        IncomingRequests, NewDownloads, NewSearch, NewShare, NewValue, PathRequest, Search, SharePreview,
        Shares, Status, Uploads, Why, doctor::Examination,
    },
    paths::control,
};
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{cli::SettingName, error::Error, hints::Hints};

/// Time for an answer beyond what a call itself waits for: connecting asks a coordinator that may be slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);
/// Time for the socket to take the connection: a daemon that is alive does so at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer: thousands of downloads fit, and what is not our daemon can't fill the memory.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A document of the daemon, as it came and as it was understood. `--json` prints it as it came, so that what
/// a later daemon adds is not lost.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    pub(crate) text: String,
    pub(crate) value: T,
}

/// Of a daemon.
#[derive(Debug, Deserialize)]
pub(crate) struct Versions {
    pub(crate) version: String,
    pub(crate) protocol_version: u32,
}

/// What a person does to a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Pause,
    Resume,
    Retry,
    Cancel,
    Remove,
}

pub(crate) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
    hints: Hints,
}

impl Client {
    pub(crate) fn new(socket: PathBuf, hints: Hints) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .unix_socket(socket.clone())
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| Error::SocketUnusable { path: socket.clone(), reason: error.to_string() })?;
        Ok(Self { http, socket, hints })
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) async fn status(&self) -> Result<Reply<Status>, Error> {
        self.get(control::STATUS, Duration::ZERO).await
    }

    /// What a daemon says of itself, whatever else its status holds in another version.
    pub(crate) async fn versions(&self) -> Result<Versions, Error> {
        self.get(control::STATUS, Duration::ZERO).await.map(|reply| reply.value)
    }

    pub(crate) async fn connect(&self, username: &str) -> Result<Reply<Status>, Error> {
        let body = ConnectionRequest { username: username.to_owned() };
        self.read(self.send(Method::PUT, control::CONNECTION, Some(&body), Duration::ZERO).await?)
    }

    pub(crate) async fn disconnect(&self) -> Result<Reply<Status>, Error> {
        self.read(self.send(Method::DELETE, control::CONNECTION, None::<&()>, Duration::ZERO).await?)
    }

    pub(crate) async fn new_search(&self, query: String) -> Result<Reply<Search>, Error> {
        self.read(
            self.send(Method::POST, control::SEARCHES, Some(&NewSearch { query }), Duration::ZERO).await?,
        )
    }

    /// Asks all peers once more for what a search asked; it keeps its number.
    pub(crate) async fn search_again(&self, search: &str) -> Result<Reply<Search>, Error> {
        let route = control::SEARCH.replace("{search}", search);
        self.read(self.send(Method::POST, &route, None::<&()>, Duration::ZERO).await?)
    }

    /// Answered once there are more than `known` results, the search is finished, or after `wait`.
    pub(crate) async fn search(
        &self,
        search: &str,
        known: usize,
        wait: Duration,
    ) -> Result<Reply<Search>, Error> {
        let route = control::SEARCH.replace("{search}", search);
        self.get(&format!("{route}?known={known}&wait={}", wait.as_secs()), wait).await
    }

    pub(crate) async fn new_downloads(&self, wanted: &NewDownloads) -> Result<Reply<Downloads>, Error> {
        self.read(self.send(Method::POST, control::DOWNLOADS, Some(wanted), Duration::ZERO).await?)
    }

    pub(crate) async fn downloads(&self) -> Result<Reply<Downloads>, Error> {
        self.get(control::DOWNLOADS, Duration::ZERO).await
    }

    /// Answered once the download has ended, or after `wait`.
    pub(crate) async fn download(&self, id: &str, wait: Duration) -> Result<Reply<Downloads>, Error> {
        let route = control::DOWNLOAD.replace("{id}", id);
        self.get(&format!("{route}?wait={}", wait.as_secs()), wait).await
    }

    /// What happened to a download, and what happens next.
    pub(crate) async fn why(&self, id: &str) -> Result<Reply<Why>, Error> {
        self.get(&control::DOWNLOAD_WHY.replace("{id}", id), Duration::ZERO).await
    }

    pub(crate) async fn change_download(&self, id: &str, change: Change) -> Result<Reply<Downloads>, Error> {
        let (method, route) = match change {
            Change::Pause => (Method::POST, control::DOWNLOAD_PAUSE),
            Change::Resume => (Method::POST, control::DOWNLOAD_RESUME),
            Change::Retry => (Method::POST, control::DOWNLOAD_RETRY),
            Change::Cancel => (Method::POST, control::DOWNLOAD_CANCEL),
            Change::Remove => (Method::DELETE, control::DOWNLOAD),
        };
        self.read(self.send(method, &route.replace("{id}", id), None::<&()>, Duration::ZERO).await?)
    }

    pub(crate) async fn uploads(&self) -> Result<Reply<Uploads>, Error> {
        self.get(control::UPLOADS, Duration::ZERO).await
    }

    pub(crate) async fn requests(&self) -> Result<Reply<IncomingRequests>, Error> {
        self.get(control::REQUESTS, Duration::ZERO).await
    }

    /// Accepts or declines; answers what still waits.
    pub(crate) async fn settle_request(
        &self,
        id: &str,
        is_accepted: bool,
    ) -> Result<Reply<IncomingRequests>, Error> {
        let route = if is_accepted { control::REQUEST_ACCEPT } else { control::REQUEST_DECLINE };
        self.read(self.send(Method::POST, &route.replace("{id}", id), None::<&()>, Duration::ZERO).await?)
    }

    pub(crate) async fn shares(&self) -> Result<Reply<Shares>, Error> {
        self.get(control::SHARES, Duration::ZERO).await
    }

    pub(crate) async fn add_share(&self, share: NewShare) -> Result<Reply<Shares>, Error> {
        self.read(self.send(Method::POST, control::SHARES, Some(&share), Duration::ZERO).await?)
    }

    pub(crate) async fn remove_share(&self, path: &str) -> Result<Reply<Shares>, Error> {
        let route = with_query(control::SHARES, "path", path)?;
        self.read(self.send(Method::DELETE, &route, None::<&()>, Duration::ZERO).await?)
    }

    pub(crate) async fn rescan_shares(&self) -> Result<Reply<Shares>, Error> {
        self.read(self.send(Method::POST, control::SHARES_RESCAN, None::<&()>, Duration::ZERO).await?)
    }

    pub(crate) async fn preview_share(&self, path: String) -> Result<Reply<SharePreview>, Error> {
        let body = PathRequest { path };
        self.read(self.send(Method::POST, control::SHARES_PREVIEW, Some(&body), Duration::ZERO).await?)
    }

    pub(crate) async fn link(&self, path: &str) -> Result<Reply<FileLink>, Error> {
        self.get(&with_query(control::LINK, "path", path)?, Duration::ZERO).await
    }

    pub(crate) async fn examination(&self) -> Result<Reply<Examination>, Error> {
        self.get(control::DOCTOR, Duration::ZERO).await
    }

    pub(crate) async fn configuration(&self) -> Result<Reply<Configuration>, Error> {
        self.get(control::CONFIG, Duration::ZERO).await
    }

    pub(crate) async fn set(&self, name: &SettingName, value: String) -> Result<Reply<Configuration>, Error> {
        let route = control::SETTING.replace("{name}", name.as_str());
        self.read(self.send(Method::PUT, &route, Some(&NewValue { value }), Duration::ZERO).await?)
    }

    pub(crate) async fn unset(&self, name: &SettingName) -> Result<Reply<Configuration>, Error> {
        let route = control::SETTING.replace("{name}", name.as_str());
        self.read(self.send(Method::DELETE, &route, None::<&()>, Duration::ZERO).await?)
    }

    pub(crate) async fn blocks(&self) -> Result<Reply<Blocks>, Error> {
        self.get(control::BLOCKS, Duration::ZERO).await
    }

    pub(crate) async fn block(&self, username: String) -> Result<Reply<Blocks>, Error> {
        let body = BlockRequest { username };
        self.read(self.send(Method::POST, control::BLOCKS, Some(&body), Duration::ZERO).await?)
    }

    pub(crate) async fn unblock(&self, username: &str) -> Result<Reply<Blocks>, Error> {
        let route = with_query(control::BLOCKS, "username", username)?;
        self.read(self.send(Method::DELETE, &route, None::<&()>, Duration::ZERO).await?)
    }

    /// A link to the web page, fresh.
    pub(crate) async fn gui_link(&self) -> Result<Reply<GuiLogin>, Error> {
        self.read(self.send(Method::POST, control::GUI_LOGIN, None::<&()>, Duration::ZERO).await?)
    }

    /// Asks the daemon to end; it answers before it does.
    pub(crate) async fn shutdown(&self) -> Result<(), Error> {
        self.send(Method::POST, control::SHUTDOWN, None::<&()>, Duration::ZERO).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, route: &str, wait: Duration) -> Result<Reply<T>, Error> {
        self.read(self.send(Method::GET, route, None::<&()>, wait).await?)
    }

    /// The answer's body, if the daemon did as it was asked.
    async fn send(
        &self,
        method: Method,
        route: &str,
        body: Option<&impl Serialize>,
        wait: Duration,
    ) -> Result<String, Error> {
        self.must_be_ours()?;
        let mut request = self
            .http
            .request(method, format!("http://{}{route}", control::HOST))
            .timeout(ANSWER_TIMEOUT + wait);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        let text = self.body(response).await?;
        if status.is_success() {
            return Ok(text);
        }
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(Error::Problem(problem)),
            Err(_) => Err(Error::Unreadable(format!("status {}", status.as_u16()))),
        }
    }

    /// What the daemon tells a person to type reaches that daemon.
    fn read<T: DeserializeOwned>(&self, text: String) -> Result<Reply<T>, Error> {
        let value = if self.hints.are_plain() {
            serde_json::from_str(&text)
        } else {
            serde_json::from_str(&text).and_then(|mut document| {
                self.hints.spell_in(&mut document);
                serde_json::from_value(document)
            })
        };
        let value = value.map_err(|error| Error::Unreadable(error.to_string()))?;
        Ok(Reply { text, value })
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<String, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::Unreadable("it is too long".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|_| Error::Unreadable("it is not UTF-8".to_owned()))
    }

    /// In a folder like `/tmp`, anybody may have made a socket where the daemon's would be: what is asked would be told
    /// to him, and the answer would be his. (He can't put one in place of a socket that is ours.) One that the system
    /// made for us is fine.
    fn must_be_ours(&self) -> Result<(), Error> {
        let us = rustix::process::geteuid().as_raw();
        // Both the socket and a link to it; what is not there is noticed on the way.
        let owners = [fs::symlink_metadata(&self.socket), fs::metadata(&self.socket)];
        let is_foreign = owners.iter().flatten().any(|found| found.uid() != us && found.uid() != 0);
        if is_foreign { Err(Error::SocketForeign(self.socket.clone())) } else { Ok(()) }
    }

    fn failure(&self, error: &reqwest::Error) -> Error {
        use io::ErrorKind as K;
        if error.is_timeout() {
            return Error::NoAnswer;
        }
        match system_error(error).map(io::Error::kind) {
            // A socket file that nobody listens on was left by a daemon that was killed; a daemon that ends
            // while it is asked cuts the connection.
            Some(
                K::NotFound | K::ConnectionRefused | K::ConnectionReset | K::BrokenPipe | K::UnexpectedEof,
            ) => Error::NotRunning,
            Some(K::PermissionDenied) => Error::SocketForbidden(self.socket.clone()),
            _ => Error::SocketUnusable { path: self.socket.clone(), reason: innermost(error) },
        }
    }
}

/// The route with a value in its query, escaped.
fn with_query(route: &str, name: &str, value: &str) -> Result<String, Error> {
    let url = Url::parse_with_params(&format!("http://{}{route}", control::HOST), [(name, value)]);
    let url = url.map_err(|error| Error::Unreadable(error.to_string()))?;
    Ok(format!("{route}?{}", url.query().unwrap_or_default()))
}

/// The operating system's error at the bottom of an HTTP client's.
fn system_error(error: &reqwest::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(system) = inner.downcast_ref::<io::Error>() {
            return Some(system);
        }
        cause = inner.source();
    }
    None
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
