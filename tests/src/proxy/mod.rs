//! The reverse proxies for which a configuration is shipped, each started for real with that very file: its lines
//! marked `[place]` are made a test's own, all others stay as they are.
//!
//! What is one proxy's own is in its file here; all else is the same for all of them, and so are the tests.

mod caddy;
pub(crate) mod certificates;
mod haproxy;
pub(crate) mod nginx;
mod pace;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

pub use self::pace::Pace;
use self::{caddy::Caddy, haproxy::Haproxy, nginx::Nginx};
use crate::{
    api_client::ApiClient,
    process::Program,
    wait::{PATIENCE, until},
};

/// A free port can be taken by another process before the proxy binds it.
const PORT_ATTEMPTS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    Haproxy,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Caddy, Self::Haproxy];

    fn shipped(self) -> &'static dyn Shipped {
        match self {
            Self::Nginx => &Nginx,
            Self::Caddy => &Caddy,
            Self::Haproxy => &Haproxy,
        }
    }
}

/// Whether clients come by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP, which clients accept on loopback.
    Http,
    /// TLS with a certificate of the test's own authority.
    Https,
}

/// Where the coordinator listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl From<SocketAddr> for Upstream {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// What a configuration's lines marked `[place]` are made for.
struct Site<'a> {
    folder: &'a Path,
    listen: SocketAddr,
    upstream: &'a Upstream,
    scheme: Scheme,
}

/// What is one proxy's own.
trait Shipped: Sync {
    /// Also the name of its configuration file.
    fn name(&self) -> &'static str;

    fn configuration(&self) -> &'static str;

    /// What it says when its port is taken.
    fn in_use(&self) -> &'static str;

    /// Runs it in the foreground.
    fn command(&self, folder: &Path, configuration: &Path) -> Command;

    /// A setting marked `[place]` as it is for a test; none where the test has no use for it.
    fn placed(&self, setting: &str, site: &Site) -> Option<String>;

    /// What has it read its configuration again; none where it must be restarted for that.
    fn reload(&self) -> Option<Signal>;

    /// Whether a line on its stderr tells of its own start, and so of nobody.
    fn is_about_itself(&self, _line: &str) -> bool {
        false
    }
}

pub struct Proxy {
    shipped: &'static dyn Shipped,
    program: Program,
    listen: SocketAddr,
    scheme: Scheme,
    folder: TempDir,
}

impl Proxy {
    /// In front of a coordinator that listens at `upstream`.
    pub async fn in_front_of(kind: Kind, upstream: impl Into<Upstream>, scheme: Scheme) -> Self {
        Self::at_pace(kind, upstream, scheme, Pace::AsShipped).await
    }

    /// With its own time limits, or all of them shortened.
    pub async fn at_pace(kind: Kind, upstream: impl Into<Upstream>, scheme: Scheme, pace: Pace) -> Self {
        let (shipped, upstream) = (kind.shipped(), upstream.into());
        let folder = TempDir::with_prefix("hearsay-proxy-").expect("a temporary folder");
        let path = folder.path();
        if scheme == Scheme::Https {
            certificates::write(path);
        }
        let configuration = pace.of(shipped.configuration());
        let (program, listen) = start(shipped.name(), path, shipped.in_use(), |listen| {
            let site = Site { folder: path, listen, upstream: &upstream, scheme };
            fs::write(file_in(path, shipped), placed(shipped, &configuration, &site))
                .expect("a file for a proxy's configuration");
            shipped.command(path, &file_in(path, shipped))
        })
        .await;
        Self { shipped, program, listen, scheme, folder }
    }

    pub fn url(&self) -> String {
        url(self.listen, self.scheme)
    }

    /// The authority that signed the certificate, in PEM form.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(certificates::AUTHORITY)
    }

    /// A client that trusts it.
    pub fn client(&self) -> ApiClient {
        match self.scheme {
            Scheme::Http => ApiClient::to(&self.url()),
            Scheme::Https => ApiClient::trusting(&self.url(), &self.authority()),
        }
    }

    /// All that it has on the disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to stderr, but for what it says of its own start: nothing, if the shipped configuration keeps
    /// its promise.
    pub fn log(&self) -> String {
        let stderr = self.program.stderr();
        let told = stderr.lines().filter(|line| !self.shipped.is_about_itself(line));
        told.collect::<Vec<_>>().join("\n")
    }

    /// Has it read its configuration again, as for a new certificate, and returns once a new process serves beside
    /// the old one. False where it can't.
    pub async fn reload(&self) -> bool {
        let Some(signal) = self.shipped.reload() else { return false };
        let before = self.program.children();
        self.program.signal(signal);
        until("the proxy has a new process", PATIENCE, async || {
            self.program.children().difference(&before).next().copied()
        })
        .await;
        true
    }

    /// SIGTERM; [`Stopped::start_again`] brings it back with the same configuration.
    pub async fn stop_for_a_while(self) -> Stopped {
        let Self { shipped, program, listen, scheme, folder } = self;
        program.stop().await;
        Stopped { shipped, listen, scheme, folder }
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }

    /// Asserts that it had nothing to tell about anyone.
    pub async fn stop_in_silence(self) {
        let (name, log) = (self.shipped.name(), self.log());
        self.program.stop().await;
        assert_eq!(log, "", "the shipped configuration of {name} logs");
    }
}

/// A proxy between two lives.
pub struct Stopped {
    shipped: &'static dyn Shipped,
    listen: SocketAddr,
    scheme: Scheme,
    folder: TempDir,
}

impl Stopped {
    pub async fn start_again(self) -> Proxy {
        let Self { shipped, listen, scheme, folder } = self;
        let mut command = shipped.command(folder.path(), &file_in(folder.path(), shipped));
        let program = start_at(shipped.name(), folder.path(), listen, &mut command).await;
        let program = program.unwrap_or_else(|words| panic!("{} is not back:\n{words}", shipped.name()));
        Proxy { shipped, program, listen, scheme, folder }
    }
}

fn file_in(folder: &Path, shipped: &dyn Shipped) -> PathBuf {
    folder.join(format!("{}.conf", shipped.name()))
}

/// The configuration with its `[place]` lines made a test's own.
fn placed(shipped: &dyn Shipped, configuration: &str, site: &Site) -> String {
    let line = |line: &str| {
        let Some((setting, _)) = line.split_once("# [place]") else {
            return format!("{line}\n");
        };
        let setting = setting.trim();
        let Some(own) = shipped.placed(setting, site) else { return String::new() };
        assert_ne!(own, setting, "a line marked [place] has nothing to replace for {}", shipped.name());
        format!("{own}\n")
    };
    configuration.lines().map(line).collect()
}

/// Starts a proxy on a free port. `command` writes its configuration; `in_use` is what it says when the port is
/// taken.
pub(crate) async fn start(
    name: &str,
    folder: &Path,
    in_use: &str,
    command: impl Fn(SocketAddr) -> Command,
) -> (Program, SocketAddr) {
    for _ in 0..PORT_ATTEMPTS {
        let listen = free_address().await;
        match start_at(name, folder, listen, &mut command(listen)).await {
            Ok(program) => return (program, listen),
            Err(words) => assert!(words.contains(in_use), "{name} does not start:\n{words}"),
        }
    }
    panic!("no free port for {name} after {PORT_ATTEMPTS} attempts");
}

/// Returns once it listens there, or with its last words.
async fn start_at(
    name: &str,
    folder: &Path,
    listen: SocketAddr,
    command: &mut Command,
) -> Result<Program, String> {
    let mut program = Program::start(name, command, folder);
    let listens = until(&format!("{name} listens or ends"), PATIENCE, async || {
        if program.exit_status().is_some() {
            return Some(false);
        }
        TcpStream::connect(listen).await.is_ok().then_some(true)
    })
    .await;
    if !listens {
        return Err(program.stderr());
    }
    program.assert_running();
    Ok(program)
}

pub(crate) fn url(listen: SocketAddr, scheme: Scheme) -> String {
    match scheme {
        Scheme::Http => format!("http://{listen}"),
        // The certificate is for this name; `localhost` and 127.0.0.1 are the same place.
        Scheme::Https => format!("https://localhost:{}", listen.port()),
    }
}

/// A port that was free a moment ago.
pub async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("the address of a listener")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_files_keep_their_promises_when_they_are_placed() {
        let upstream = Upstream::Tcp("127.0.0.1:2".parse().unwrap());
        let site = Site {
            folder: Path::new("/elsewhere"),
            listen: "127.0.0.1:1".parse().unwrap(),
            upstream: &upstream,
            scheme: Scheme::Https,
        };
        let promises: [(Kind, &[&str]); 3] = [
            (
                Kind::Nginx,
                &[
                    "access_log off;",
                    "proxy_set_header X-Forwarded-For $remote_addr;",
                    "proxy_buffering off;",
                ],
            ),
            (Kind::Caddy, &["level PANIC", "header_up X-Forwarded-For {http.request.remote.host}"]),
            (Kind::Haproxy, &["http-request set-header X-Forwarded-For %[src]"]),
        ];
        for (kind, promises) in promises {
            let shipped = kind.shipped();
            let placed = placed(shipped, shipped.configuration(), &site);
            assert!(placed.contains("127.0.0.1:2"), "{placed}");
            let code: Vec<&str> = placed.lines().filter_map(|line| line.split('#').next()).collect();
            assert!(!code.iter().any(|line| line.contains("/tmp/") || line.contains("/etc/")), "{placed}");
            for promise in promises {
                assert!(placed.contains(promise), "{promise} is gone from the configuration of {kind:?}");
            }
        }
    }
}
