//! A real nginx that serves the files of a folder over TLS: what transfers are measured against.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    process::Program,
    proxy::{self, Scheme, certificates, nginx},
};

pub struct FileServer {
    program: Program,
    listen: SocketAddr,
    folder: TempDir,
}

impl FileServer {
    pub async fn of(files: &Path) -> Self {
        let folder = TempDir::with_prefix("hearsay-nginx-").expect("a temporary folder");
        certificates::write(folder.path());
        let (own, files) = (folder.path().display(), files.display());
        let configured = |listen: SocketAddr| {
            format!(
                "worker_processes auto; pid {own}/nginx.pid; error_log stderr; user root; events {{}}\n\
                 http {{ access_log off; sendfile on; keepalive_requests 10000; client_body_temp_path {own}/b;\n\
                 proxy_temp_path {own}/p; fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;\n\
                 server {{ listen {listen} ssl; ssl_protocols TLSv1.3; root {files};\n\
                 ssl_certificate {own}/certificate.pem; ssl_certificate_key {own}/key.pem; }} }}\n"
            )
        };
        let (program, listen) = proxy::start("nginx", folder.path(), nginx::IN_USE, |listen| {
            let file = folder.path().join("nginx.conf");
            fs::write(&file, configured(listen)).expect("a file for nginx's configuration");
            nginx::command(folder.path(), &file)
        })
        .await;
        Self { program, listen, folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// As it is reached at this port of the same machine.
    pub fn url_by(&self, port: u16) -> String {
        proxy::url(SocketAddr::new(self.listen.ip(), port), Scheme::Https)
    }

    /// The authority that signed the certificate, in PEM form.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(certificates::AUTHORITY)
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }
}
