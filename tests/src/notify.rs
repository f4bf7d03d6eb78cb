//! A service manager's ear: the datagram socket on which systemd hears services.

use std::{collections::VecDeque, io::ErrorKind, path::PathBuf, process::Command};

use tempfile::TempDir;
use tokio::net::UnixDatagram;

use crate::wait::{PATIENCE, within};

/// More than any notification.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Messages that are looked at until the one that a test waits for; signs of life are among them.
const MESSAGES_MAX: usize = 200;

pub struct NotifySocket {
    folder: TempDir,
    socket: UnixDatagram,
}

impl NotifySocket {
    pub fn open() -> Self {
        let folder = TempDir::with_prefix("hearsay-notify-").expect("a temporary folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        Self { folder, socket }
    }

    /// Has the program tell what systemd hears of a service of `Type=notify`, with a sign of life every so often.
    pub fn listen_to<'a>(&self, command: &'a mut Command, watchdog_microseconds: u64) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", self.path()).env("WATCHDOG_USEC", watchdog_microseconds.to_string())
    }

    /// The lines of the next message that has this one among them; those before are passed over.
    pub async fn hears(&self, line: &str) -> Vec<String> {
        let mut passed_over = VecDeque::new();
        while passed_over.len() < MESSAGES_MAX {
            let mut bytes = [0; MESSAGE_BYTES_MAX];
            let what = format!("{line}, after {passed_over:?}");
            let length = within(&what, PATIENCE, self.socket.recv(&mut bytes)).await.expect("a message");
            let text = String::from_utf8_lossy(&bytes[..length]);
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if lines.iter().any(|heard| heard == line) {
                return lines;
            }
            passed_over.push_back(lines);
        }
        panic!("{line} is not among {passed_over:?}");
    }

    /// Whatever is told from now on, there is no room for it.
    pub fn is_overwhelmed(&self) {
        let teller = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
        teller.set_nonblocking(true).expect("a socket that does not wait");
        let full = (0..MESSAGES_MAX).find_map(|_| teller.send_to(b"X_NOISE=1", self.path()).err());
        assert_eq!(full.expect("an end of its room").kind(), ErrorKind::WouldBlock);
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }
}
