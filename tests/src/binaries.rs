//! Where the programs under test are.

use std::path::PathBuf;

/// The path of a program, beside or above the running test (`target/debug/deps/e2e-…`).
pub(crate) fn find(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    test.ancestors()
        .skip(1)
        .take(2) // `deps`, and the profile's folder above it
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{program} is not built: run `cargo build --workspace` first (looked from {})",
                test.display()
            )
        })
}
