//! peerctl's part of `docs/operations.md`, and of its own help: the exit codes, as the one table has them.

use protocol::control::ExitCode;

#[path = "../../tests/src/marked_section.rs"]
mod marked_section;

use crate::cli::EXIT_CODES;

#[test]
fn the_page_and_the_help_have_every_exit_code() {
    let rows: Vec<_> = ExitCode::ALL
        .iter()
        .map(|(code, what)| vec![(*code as i32).to_string(), (*what).to_owned()])
        .collect();
    marked_section::hold("exit codes", &marked_section::table(&["code", "what it says"], &rows));
    let help = EXIT_CODES.replace('\n', " ");
    for (code, what) in ExitCode::ALL {
        let told = format!(" {} {what}", *code as i32);
        assert!(help.contains(&told), "the help has not:{told}");
    }
}
