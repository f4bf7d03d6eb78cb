//! Wiring: the allocator, and the program.

use std::process::ExitCode;

use mimalloc::MiMalloc;
#[cfg(not(feature = "plain-alloc"))]
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is zeroed: what passed through leaves no trace.
#[cfg(not(feature = "plain-alloc"))]
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

/// The same allocator without the zeroing, so that nothing else differs when a test is to show that it matters.
#[cfg(feature = "plain-alloc")]
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    coordinator::program::run()
}
