//! The end of the server, for connections that wait for their next request: it wakes them.
//!
//! The HTTP library can have a future with each connection that tells it of the end, and looks at it whenever anything
//! happens there. That is one more place in memory for each of thousands that are woken by one search; this is none.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::Waker,
};

use slab::Slab;

/// Of the connections on one thread.
#[derive(Default)]
pub(crate) struct Ending {
    has_come: Cell<bool>,
    connections: RefCell<Slab<Waker>>,
}

impl Ending {
    pub(crate) fn has_come(&self) -> bool {
        self.has_come.get()
    }

    pub(crate) fn come(&self) {
        self.has_come.set(true);
        self.connections.borrow().iter().for_each(|(_, connection)| connection.wake_by_ref());
    }

    /// Wakes a connection's task when the end comes.
    pub(crate) fn will_wake(self: &Rc<Self>, connection: &Waker) -> WillWake {
        let place = self.connections.borrow_mut().insert(connection.clone());
        WillWake { ending: Rc::clone(self), place }
    }
}

/// As long as the connection is open.
pub(crate) struct WillWake {
    ending: Rc<Ending>,
    place: usize,
}

impl Drop for WillWake {
    fn drop(&mut self) {
        self.ending.connections.borrow_mut().remove(self.place);
    }
}
