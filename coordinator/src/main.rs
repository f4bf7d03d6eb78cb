//! Wiring: the allocator, and the program.

use std::process::ExitCode;

/// Freed memory is zeroed: what passed through leaves no trace.
#[cfg(not(feature = "plain-alloc"))]
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    coordinator::program::run()
}
