//! nchan, a module of nginx written in C for nothing but this: what a parked poll and a message to all can cost. It has
//! no sessions, no names and nothing to forget. A column more where it is installed.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use hearsay_tests::{process::Program, proxy::free_address};
use tempfile::TempDir;

use crate::server::until_listening;

/// Where Debian's package puts it.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

pub(crate) fn is_installed() -> bool {
    Path::new(MODULE).exists()
}

/// nginx with nchan, with the paths of the bare server.
pub(crate) async fn start(folder: &TempDir) -> Result<(Program, SocketAddr)> {
    let (listen, own) = (free_address().await, folder.path());
    let file = own.join("nginx.conf");
    fs::write(&file, configuration(listen))?;
    let mut command = Command::new("nginx");
    let mut program = Program::start("nginx", command.arg("-p").arg(own).arg("-c").arg(&file), own);
    until_listening(&mut program, listen).await;
    Ok((program, listen))
}

/// One process, because processor time and memory are looked at by process. Who polls waits for the next message, as
/// at the bare server.
fn configuration(listen: SocketAddr) -> String {
    format!(
        "load_module {MODULE};
        daemon off; master_process off; pid nginx.pid; error_log stderr; worker_rlimit_nofile 20000;
        events {{ worker_connections 19000; }}
        http {{
            access_log off; keepalive_timeout 75s; keepalive_requests 1000000; client_body_temp_path body;
            proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            server {{
                listen {listen} backlog=4096;
                nchan_channel_id all;
                location = /v1/events {{ nchan_subscriber longpoll; nchan_subscriber_first_message newest; }}
                location = /tell {{ nchan_publisher; }}
                location = /metrics {{ nchan_stub_status; }}
            }}
        }}"
    )
}
