//! A real nginx in front of a coordinator, with the configuration that is shipped.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    process::Program,
    proxy::{self, Scheme, Upstream},
};

const SHIPPED: &str = include_str!("../../docker/nginx.conf");
/// Debian's nginx is not in every user's `PATH`.
const PATHS: [&str; 4] =
    ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"];

pub struct Nginx {
    program: Program,
    listen: SocketAddr,
    scheme: Scheme,
    folder: TempDir,
}

impl Nginx {
    /// In front of a coordinator that listens at `upstream`.
    pub async fn in_front_of(upstream: impl Into<Upstream>, scheme: Scheme) -> Self {
        let (folder, upstream) =
            (TempDir::with_prefix("hearsay-nginx-").expect("a temporary folder"), upstream.into());
        if scheme == Scheme::Https {
            proxy::write_certificates(folder.path());
        }
        let path = folder.path();
        let (program, listen) = start(path, |listen| place(SHIPPED, path, listen, &upstream, scheme)).await;
        Self { program, listen, scheme, folder }
    }

    pub fn url(&self) -> String {
        proxy::url(self.listen, self.scheme)
    }

    /// The authority that signed the certificate, in PEM form.
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// All that nginx has on the disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What nginx wrote to stderr: nothing, if the shipped configuration keeps its promise.
    pub fn log(&self) -> String {
        self.program.stderr()
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }
}

/// Starts nginx with a configuration for a free port.
async fn start(folder: &Path, configured: impl Fn(SocketAddr) -> String) -> (Program, SocketAddr) {
    proxy::start("nginx", folder, "Address already in use", |listen| {
        let file = folder.join("nginx.conf");
        fs::write(&file, configured(listen)).expect("a file for nginx's configuration");
        let mut command = Command::new(program());
        command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-g", "daemon off;"]);
        command
    })
    .await
}

/// A real nginx that serves the files of a folder over TLS: what transfers are measured against.
pub struct FileServer {
    program: Program,
    listen: SocketAddr,
    folder: TempDir,
}

impl FileServer {
    pub async fn of(files: &Path) -> Self {
        let folder = TempDir::with_prefix("hearsay-nginx-").expect("a temporary folder");
        proxy::write_certificates(folder.path());
        let (own, files) = (folder.path().display(), files.display());
        let configured = |listen| {
            format!(
                "worker_processes auto; pid {own}/nginx.pid; error_log stderr; user root; events {{}}\n\
                 http {{ access_log off; sendfile on; keepalive_requests 10000; client_body_temp_path {own}/b;\n\
                 proxy_temp_path {own}/p; fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;\n\
                 server {{ listen {listen} ssl; ssl_protocols TLSv1.3; root {files};\n\
                 ssl_certificate {own}/certificate.pem; ssl_certificate_key {own}/key.pem; }} }}\n"
            )
        };
        let (program, listen) = start(folder.path(), configured).await;
        Self { program, listen, folder }
    }

    pub fn url(&self) -> String {
        proxy::url(self.listen, Scheme::Https)
    }

    /// The authority that signed the certificate, in PEM form.
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }
}

fn program() -> &'static str {
    PATHS
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .expect("nginx is not installed: apt-get install nginx-light")
}

/// The shipped configuration with its `[place]` lines made a test's own; all others stay as they are.
fn place(shipped: &str, folder: &Path, listen: SocketAddr, upstream: &Upstream, scheme: Scheme) -> String {
    let folder = folder.display().to_string();
    let line = |line: &str| {
        let Some((setting, _)) = line.split_once("# [place]") else {
            return format!("{line}\n");
        };
        let setting = setting.trim();
        if setting.starts_with("ssl_") && scheme == Scheme::Http {
            return String::new();
        }
        let own = setting
            .replace("/tmp/nginx", &folder)
            .replace("/etc/nginx/tls", &folder)
            .replace(
                "coordinator:4820",
                &match upstream {
                    Upstream::Tcp(address) => address.to_string(),
                    Upstream::Unix(path) => format!("unix:{}", path.display()),
                },
            )
            .replace(
                "443 ssl",
                &match scheme {
                    Scheme::Http => listen.to_string(),
                    Scheme::Https => format!("{listen} ssl"),
                },
            );
        assert_ne!(own, setting, "a line of nginx.conf marked [place] has nothing to replace");
        format!("{own}\n")
    };
    shipped.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_keeps_its_promises_when_it_is_placed() {
        let upstream = Upstream::Tcp("127.0.0.1:2".parse().unwrap());
        let listen = "127.0.0.1:1".parse().unwrap();
        let placed = place(SHIPPED, Path::new("/elsewhere"), listen, &upstream, Scheme::Http);
        assert!(placed.contains("listen 127.0.0.1:1;") && placed.contains("server 127.0.0.1:2;"), "{placed}");
        assert!(!placed.contains("/tmp/") && !placed.contains("/etc/"), "{placed}");
        for promise in
            ["access_log off;", "proxy_set_header X-Forwarded-For $remote_addr;", "proxy_buffering off;"]
        {
            assert!(placed.contains(promise), "{promise} is gone");
        }
    }
}
