//! A way to a listener on which a test has something happen. It listens at once; where it leads is told later, since a
//! listener behind it may want to know its port before it starts.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the system takes in ahead of a link. Left to itself it would take whole files, and their sender would be done
/// long before they have come.
const AHEAD: u32 = 512 * 1024;
const BACKLOG: u32 = 1024;

pub(crate) struct Link {
    port: u16,
    destination: Arc<OnceLock<SocketAddr>>,
    ended: CancellationToken,
}

impl Link {
    /// `carry` moves the bytes of a connection: from who has come, to where the link leads.
    pub(crate) fn start<C>(carry: impl FnMut(TcpStream, TcpStream) -> C + Send + 'static) -> Self
    where
        C: Future<Output = ()> + Send + 'static,
    {
        let listener = listen().expect("a free port");
        let port = listener.local_addr().expect("the address of a listener").port();
        let (destination, ended) = (Arc::new(OnceLock::new()), CancellationToken::new());
        let tasks = TaskTracker::new();
        let serve = accept(listener, Arc::clone(&destination), carry, tasks.clone());
        tasks.spawn(ended.clone().run_until_cancelled_owned(serve));
        Self { port, destination, ended }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn leads_to(&self, address: SocketAddr) {
        self.destination.set(address).expect("a link leads to one place");
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(AHEAD)?;
    Ok(socket)
}

/// Its connections take over what is set here.
fn listen() -> io::Result<TcpListener> {
    let socket = socket()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(BACKLOG)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    socket()?.connect(address).await
}

async fn accept<C: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    destination: Arc<OnceLock<SocketAddr>>,
    mut carry: impl FnMut(TcpStream, TcpStream) -> C,
    tasks: TaskTracker,
) {
    while let Ok((near, _)) = listener.accept().await {
        let address = *destination.get().expect("the link leads somewhere before it is used");
        let Ok(far) = connect(address).await else { continue };
        tasks.spawn(carry(near, far));
    }
}
