//! A user of an ADC hub (Advanced Direct Connect 1.0), as far as coming online and hearing searches go:
//!
//! ```text
//!   user                                   hub
//!   HSUP ADBASE ADTIGR              ──▶
//!                                   ◀──    ISUP …, ISID AAAB, IINF …
//!   BINF AAAB ID… PD… NI…           ──▶    (checks that ID is the Tiger hash of PD)
//!                                   ◀──    BINF of each user who is there, and then of this one
//! ```
//! From then on the hub passes on what begins with `B`: the BINF of who comes later, and searches (BSCH).

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
};

use anyhow::{Context as _, Result, bail};
use data_encoding::BASE32_NOPAD;
use tiger::{Digest as _, Tiger};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::Notify,
};

use crate::{peer, traffic};

/// A Tiger hash, and what it is made of.
const ID_BYTES: usize = 24;
/// Of a line, so much is looked at: who is meant, or what an error says.
const HEAD_BYTES_MAX: usize = 80;
/// The list of all users comes in one go.
const CHUNK_BYTES: usize = 32 * 1024;

/// What all users together have been told.
#[derive(Default)]
pub(crate) struct Tally {
    introduced: Cell<usize>,
    searches: Cell<usize>,
    /// What the hub refused to one of them.
    refusal: RefCell<Option<String>>,
    changed: Notify,
}

impl Tally {
    pub(crate) async fn until_introduced(&self, lines: usize) -> Result<()> {
        self.until(|| self.introduced.get() >= lines).await
    }

    pub(crate) async fn until_searches_heard(&self, lines: usize) -> Result<()> {
        self.until(|| self.searches.get() >= lines).await
    }

    async fn until(&self, is_reached: impl Fn() -> bool) -> Result<()> {
        while !is_reached() {
            if let Some(refusal) = &*self.refusal.borrow() {
                bail!("the hub says {refusal}");
            }
            self.changed.notified().await;
        }
        Ok(())
    }

    fn line(&self, head: &[u8]) {
        match head.get(..4) {
            Some(b"BINF") => self.introduced.set(self.introduced.get() + 1),
            Some(b"BSCH") => self.searches.set(self.searches.get() + 1),
            // A status other than "success", or somebody who leaves or is sent away: nobody should.
            Some(b"ISTA") if !head.starts_with(b"ISTA 0") => self.refused(head),
            Some(b"IQUI") => self.refused(head),
            _ => return,
        }
        self.changed.notify_one();
    }

    fn refused(&self, head: &[u8]) {
        self.refusal.borrow_mut().get_or_insert_with(|| String::from_utf8_lossy(head).into_owned());
        self.changed.notify_one();
    }
}

pub(crate) struct User {
    stream: Rc<TcpStream>,
    sid: String,
    lines: LineHeads,
    tally: Rc<Tally>,
}

impl User {
    /// Comes from an address of its own, and has the list of all when this is done.
    pub(crate) async fn come_online(number: usize, hub: SocketAddr, tally: Rc<Tally>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((peer::address(number), 0).into())?;
        let stream = socket.connect(hub).await?;
        stream.set_nodelay(true)?;
        let mut user =
            Self { stream: Rc::new(stream), sid: String::new(), lines: LineHeads::default(), tally };
        send(&user.stream, "HSUP ADBASE ADTIGR\n").await?;
        user.sid = user.until_told("ISID ").await?;
        send(&user.stream, &user.introduction(number)).await?;
        user.until_told(&format!("BINF {}", user.sid)).await?;
        Ok(user)
    }

    /// About as long as what common programs send.
    fn introduction(&self, number: usize) -> String {
        let private: [u8; ID_BYTES] = rand::random();
        let (id, private) = (BASE32_NOPAD.encode(&Tiger::digest(private)), BASE32_NOPAD.encode(&private));
        let sid = &self.sid;
        format!(
            "BINF {sid} ID{id} PD{private} NIpeer-{number}-x SL2 SS1234567890 SF4711 HN1 HR0 HO0 SUADC0,TCP4,UDP4\n"
        )
    }

    /// Waits for a line that begins so, and gives its next word.
    async fn until_told(&mut self, beginning: &str) -> Result<String> {
        let mut rest = None;
        while rest.is_none() {
            let find = |head: &[u8]| {
                if let Some(after) = head.strip_prefix(beginning.as_bytes()) {
                    rest = Some(String::from_utf8_lossy(after).split(' ').next().unwrap_or("").to_owned());
                }
            };
            self.read(find).await?;
            if let Some(refusal) = &*self.tally.refusal.borrow() {
                bail!("the hub says {refusal}");
            }
        }
        rest.context("nothing was told")
    }

    /// Reads what there is.
    async fn read(&mut self, mut look: impl FnMut(&[u8])) -> io::Result<()> {
        // Room comes only once there is something to read, as at the peers of the other servers.
        self.stream.readable().await?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        match self.stream.try_read_buf(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => traffic::passed(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let Self { lines, tally, .. } = self;
        lines.feed(&chunk, |head| {
            tally.line(head);
            look(head);
        });
        Ok(())
    }

    /// One who searches while this user listens.
    pub(crate) fn asker(&self) -> Asker {
        Asker { stream: Rc::clone(&self.stream), sid: self.sid.clone() }
    }

    /// Hears whatever comes, for ever.
    pub(crate) async fn listen(mut self) {
        while self.read(|_| ()).await.is_ok() {}
        self.tally.refused(b"nothing any more: it has closed a connection");
    }
}

pub(crate) struct Asker {
    stream: Rc<TcpStream>,
    sid: String,
}

impl Asker {
    pub(crate) async fn search(&self, number: usize) -> io::Result<()> {
        let line = format!("BSCH {} ANholiday ANphotos AN2026 TO{number}\n", self.sid);
        send(&self.stream, &line).await
    }
}

async fn send(stream: &TcpStream, line: &str) -> io::Result<()> {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(bytes) => rest = &rest[bytes..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    traffic::passed(line.len());
    Ok(())
}

/// The beginnings of the lines of a stream that comes in pieces.
#[derive(Default)]
struct LineHeads {
    head: Vec<u8>,
}

impl LineHeads {
    fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8])) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = HEAD_BYTES_MAX.saturating_sub(self.head.len());
            self.head.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                each(&self.head);
                self.head.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heads_are_the_same_wherever_the_stream_is_cut() {
        let long = format!("BINF AAAC {}", "x".repeat(2 * HEAD_BYTES_MAX));
        let stream = format!("ISID AAAB\n\n{long}\nBSCH AAAB ANa\nBIN");
        for cut in 0..=stream.len() {
            let (mut lines, mut heads) = (LineHeads::default(), Vec::new());
            let (first, second) = stream.as_bytes().split_at(cut);
            for piece in [first, second] {
                lines.feed(piece, |head| heads.push(String::from_utf8_lossy(head).into_owned()));
            }
            assert_eq!(heads, ["ISID AAAB", "", &long[..HEAD_BYTES_MAX], "BSCH AAAB ANa"]);
        }
    }

    #[test]
    fn a_refusal_is_told_and_a_success_is_none() {
        let tally = Tally::default();
        tally.line(b"ISTA 000 fine");
        assert!(tally.refusal.borrow().is_none());
        tally.line(b"ISTA 243 CID\\sis\\snot\\svalid FBID");
        assert!(tally.refusal.borrow().as_ref().unwrap().contains("CID"));
    }
}
