//! A real nginx in front of a coordinator, with the configuration that is shipped.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    process::Program,
    wait::{PATIENCE, until},
};

const SHIPPED: &str = include_str!("../../docker/nginx.conf");
/// A free port can be taken by another process before nginx binds it.
const PORT_ATTEMPTS: usize = 5;
/// Debian's nginx is not in every user's `PATH`.
const PATHS: [&str; 4] =
    ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"];

/// Whether clients come by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP, which clients accept on loopback.
    Http,
    /// TLS with a certificate of the test's own authority.
    Https,
}

pub struct Nginx {
    program: Program,
    listen: SocketAddr,
    scheme: Scheme,
    folder: TempDir,
}

impl Nginx {
    /// In front of a coordinator that listens at `upstream`.
    pub async fn in_front_of(upstream: SocketAddr, scheme: Scheme) -> Self {
        let folder = TempDir::with_prefix("hearsay-nginx-").expect("a temporary folder");
        if scheme == Scheme::Https {
            write_certificates(folder.path());
        }
        let configured = |listen| place(SHIPPED, folder.path(), listen, upstream, scheme);
        let (program, listen) = run(folder.path(), configured).await;
        Self { program, listen, scheme, folder }
    }

    pub fn url(&self) -> String {
        match self.scheme {
            Scheme::Http => format!("http://{}", self.listen),
            // The certificate is for this name; `localhost` and 127.0.0.1 are the same place.
            Scheme::Https => format!("https://localhost:{}", self.listen.port()),
        }
    }

    /// The authority that signed the certificate, in PEM form.
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// What nginx wrote to stderr: nothing, if the shipped configuration keeps its promise.
    pub fn log(&self) -> String {
        self.program.stderr()
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }
}

/// Runs nginx with a configuration for a free port, until it listens there.
async fn run(folder: &Path, configured: impl Fn(SocketAddr) -> String) -> (Program, SocketAddr) {
    for _ in 0..PORT_ATTEMPTS {
        let listen = free_address().await;
        let file = folder.join("nginx.conf");
        fs::write(&file, configured(listen)).expect("a file for nginx's configuration");
        let mut command = Command::new(program());
        command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-g", "daemon off;"]);
        let mut program = Program::start("nginx", &mut command, folder);
        let came_up = until("nginx listens or ends", PATIENCE, async || {
            if program.exit_status().is_some() {
                return Some(false);
            }
            TcpStream::connect(listen).await.is_ok().then_some(true)
        })
        .await;
        if came_up {
            program.assert_running();
            return (program, listen);
        }
        let words = program.stderr();
        assert!(words.contains("Address already in use"), "nginx does not start:\n{words}");
    }
    panic!("no free port for nginx after {PORT_ATTEMPTS} attempts");
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
        write_certificates(folder.path());
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
        let (program, listen) = run(folder.path(), configured).await;
        Self { program, listen, folder }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.listen.port())
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

/// A port that was free a moment ago.
async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("the address of a listener")
}

/// The shipped configuration with its `[place]` lines made a test's own; all others stay as they are.
fn place(shipped: &str, folder: &Path, listen: SocketAddr, upstream: SocketAddr, scheme: Scheme) -> String {
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
            .replace("coordinator:4820", &upstream.to_string())
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

fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::new([]).expect("parameters of an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
        .expect("a self-signed authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .and_then(|parameters| parameters.signed_by(&key, &authority))
        .expect("a certificate for localhost");
    for (name, pem) in [
        ("authority.pem", authority.pem()),
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), pem).expect("a file for a certificate");
    }
}

#[cfg(test)]
mod tests {
    use protocol::Code;

    use super::*;
    use crate::api_client::send;

    #[test]
    fn the_shipped_file_keeps_its_promises_when_it_is_placed() {
        let upstream = "127.0.0.1:2".parse().unwrap();
        let placed =
            place(SHIPPED, Path::new("/elsewhere"), "127.0.0.1:1".parse().unwrap(), upstream, Scheme::Http);
        assert!(placed.contains("listen 127.0.0.1:1;") && placed.contains("server 127.0.0.1:2;"), "{placed}");
        assert!(!placed.contains("/tmp/") && !placed.contains("/etc/"), "{placed}");
        for promise in
            ["access_log off;", "proxy_set_header X-Forwarded-For $remote_addr;", "proxy_buffering off;"]
        {
            assert!(placed.contains(promise), "{promise} is gone");
        }
    }

    #[tokio::test]
    async fn what_is_far_too_large_is_refused_in_the_coordinators_words_and_nothing_is_logged() {
        for scheme in [Scheme::Http, Scheme::Https] {
            // Nobody is behind it: neither is needed for this answer.
            let nginx = Nginx::in_front_of(free_address().await, scheme).await;
            let mut client = reqwest::Client::builder().no_proxy();
            if scheme == Scheme::Https {
                let authority = fs::read(nginx.authority()).unwrap();
                client = client.tls_certs_only([reqwest::Certificate::from_pem(&authority).unwrap()]);
            }
            let client = client.build().unwrap();
            let large = client.post(format!("{}/v1/sessions", nginx.url())).body("x".repeat(300 * 1024));
            send(large).await.expect(413).expect_problem(Code::BodyTooLarge);
            let _ = send(client.get(nginx.url())).await.expect(502);
            assert_eq!(nginx.log(), "");
            nginx.stop().await;
        }
    }
}
