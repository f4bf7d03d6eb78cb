//! What calls leave on the stack.
//!
//! The allocator zeroes what is freed, but nothing does so for the stack: a cipher's block with a username in it,
//! a root on its way through a function, stay there until a later call happens to go as deep.

use std::hint::black_box;

/// How deep a call goes at most, with much room; overwriting it takes a microsecond or two.
const WIPED_BYTES: usize = 64 * 1024;

/// Overwrites the part of the stack that calls from the same place have used before.
#[inline(never)]
#[allow(clippy::large_stack_arrays, reason = "the stack is what this is about; threads have 2 MiB of it")]
pub(crate) fn wipe() {
    let mut area = [0_u8; WIPED_BYTES];
    // The compiler must believe that somebody reads it.
    black_box(&mut area);
}
