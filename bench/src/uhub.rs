//! uhub, an ADC hub written in C: what it costs to be found where every user is sent the list of all. A column more
//! where it is installed.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use hearsay_tests::{process::Program, proxy::free_address};
use tempfile::TempDir;

use crate::server::until_listening;

/// Where Debian's package puts it.
const PROGRAM: &str = "/usr/bin/uhub";
/// To bring all online costs with the square of their number; this many take about as long as 15,000 peers take
/// elsewhere.
pub(crate) const USERS_MAX: usize = 2_000;

pub(crate) fn is_installed() -> bool {
    Path::new(PROGRAM).exists()
}

pub(crate) async fn start(folder: &TempDir) -> Result<(Program, SocketAddr)> {
    let (listen, own) = (free_address().await, folder.path());
    let file = own.join("uhub.conf");
    fs::write(&file, configuration(listen))?;
    let mut program = Program::start("uhub", Command::new(PROGRAM).arg("-c").arg(&file), own);
    until_listening(&mut program, listen).await;
    Ok((program, listen))
}

/// As it comes, but for the number of users, and for room to send each of them the list while others arrive: with the
/// buffers that it has by itself, it leaves out some of what it has to say.
fn configuration(listen: SocketAddr) -> String {
    let (address, port) = (listen.ip(), listen.port());
    let users = USERS_MAX + 1;
    format!(
        "server_bind_addr={address}\nserver_port={port}\nserver_listen_backlog=4096\nmax_users={users}\n\
         max_send_buffer=16777216\nmax_send_buffer_soft=16777216\nshow_banner=0\n"
    )
}
