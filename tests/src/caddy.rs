//! A real Caddy in front of a coordinator, with the configuration that is shipped, and TLS from the test's authority.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    process::Program,
    proxy::{self, Scheme, Upstream},
};

const SHIPPED: &str = include_str!("../../docker/Caddyfile");

pub struct Caddy {
    program: Program,
    listen: SocketAddr,
    folder: TempDir,
}

impl Caddy {
    /// In front of a coordinator that listens at `upstream`.
    pub async fn in_front_of(upstream: impl Into<Upstream>) -> Self {
        let (folder, upstream) =
            (TempDir::with_prefix("hearsay-caddy-").expect("a temporary folder"), upstream.into());
        proxy::write_certificates(folder.path());
        let path = folder.path();
        let (program, listen) = proxy::start("caddy", path, "address already in use", |listen| {
            let file = path.join("Caddyfile");
            fs::write(&file, place(SHIPPED, path, listen, &upstream))
                .expect("a file for Caddy's configuration");
            let mut command = Command::new("caddy");
            // What it keeps for itself stays in the folder.
            command.env("HOME", path).env("XDG_DATA_HOME", path).env("XDG_CONFIG_HOME", path);
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
            command
        })
        .await;
        Self { program, listen, folder }
    }

    pub fn url(&self) -> String {
        proxy::url(self.listen, Scheme::Https)
    }

    /// The authority that signed the certificate, in PEM form.
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// What Caddy wrote to stderr since it reads its configuration: nothing, if that keeps its promise.
    pub fn log(&self) -> String {
        // Before it has read its configuration, it logs as it does by default: which file it reads.
        let is_before =
            |line: &&str| line.contains("using provided configuration") || line.contains("caddyfile");
        self.program.stderr().lines().filter(|line| !is_before(line)).collect::<Vec<_>>().join("\n")
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }
}

/// The shipped configuration with its `[place]` lines made a test's own; all others stay as they are.
fn place(shipped: &str, folder: &Path, listen: SocketAddr, upstream: &Upstream) -> String {
    let folder = folder.display();
    let upstream = match upstream {
        Upstream::Tcp(address) => address.to_string(),
        Upstream::Unix(path) => format!("unix/{}", path.display()),
    };
    let tls = format!("tls {folder}/certificate.pem {folder}/key.pem");
    let line = |line: &str| {
        let Some(setting) = line.strip_suffix("# [place]") else {
            return format!("{line}\n");
        };
        let own = setting
            .replace("admin off", "admin off\nauto_https off")
            .replace("coordinator:4820", &upstream)
            .replace("hearsay.example.org {", &format!("https://localhost:{} {{\n{tls}", listen.port()));
        assert_ne!(own, setting, "a line of the Caddyfile marked [place] has nothing to replace");
        format!("{own}\n")
    };
    shipped.lines().map(line).collect()
}
