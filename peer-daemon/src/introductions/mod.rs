//! Identity, seals and policy: whom this peer talks to.
