//! The daemon's part of `docs/operations.md`: its flags and the keys of its file, as they are declared.

use clap::CommandFactory as _;

use super::{layer::SETTABLE, live::AT_ONCE, tests::Home, *};

#[path = "../../../tests/src/marked_section.rs"]
mod marked_section;

use marked_section::{hold, table};

/// What the keys are for that have no flag.
const BEYOND_FLAGS: [(&str, &str); 18] = [
    ("join_key", "What a closed community's coordinator wants to hear. In the file only"),
    ("join_key_file", "A file with the join key in it, for where it is not to be in this one"),
    ("insecure_coordinator", "Take plain http:// to a coordinator elsewhere, where all can read along"),
    ("upload_rate", "Bytes a second that are given at most, such as `2M`; 0 or `unlimited` for no limit"),
    ("download_rate", "The same of what is fetched"),
    ("uploads", "`off`: nothing is given, and nothing offered"),
    ("policy", "`auto` gives to whoever asks, `ask` waits for your word"),
    ("give_up_after", "A download that gets no byte for so long fails"),
    ("conflict", "Where a name is taken: `rename`, `skip` or `overwrite`"),
    ("download_idle", "A source that is silent for so long is left, and another one looked for"),
    ("look_around_after", "A download that waits in a queue for so long looks for another source, too"),
    ("download_slow_after", "A download under 8 KiB/s for so long makes way while another one waits"),
    ("upload_idle", "An upload that is silent for so long ends"),
    ("upload_slow_after", "One under 8 KiB/s for so long makes way while others wait"),
    ("upload_turn", "After so long, others have their turn"),
    ("gui_hosts", "Hosts under which a reverse proxy serves the web page over TLS"),
    (
        "gui_folders",
        "Folders in which the web page may share and put downloads; in none other, but in shares [default: your home]",
    ),
    ("dial_allow", "Networks that may be dialled beyond the coordinator's own scope"),
];
/// The same of what is for the file alone and of what only flags have.
const LOG_FILE_BYTES: (&str, &str) =
    ("log_file_bytes", "How large that file may become before it is set aside");

#[test]
fn the_page_has_every_key_and_flag() {
    let home = Home::with("", &[]);
    let command = Cli::command();
    let root = home.path().display().to_string();
    let mut rows = Vec::new();
    let told = home.resolve().unwrap().told;
    for Told { name, value, .. } in &told {
        let flag = command.get_arguments().find(|flag| flag.get_id() == name);
        let beyond = BEYOND_FLAGS.iter().chain([&LOG_FILE_BYTES]).find(|(key, _)| key == name);
        let help = flag.and_then(|flag| flag.get_help()).map(ToString::to_string);
        let help = help.or_else(|| beyond.map(|(_, what)| (*what).to_owned()));
        let help = help.unwrap_or_else(|| panic!("nothing says what {name} is for"));
        let (what, default) = match help.split_once(" [default: ") {
            Some((what, default)) => (what.to_owned(), format!("`{}`", default.trim_end_matches(']'))),
            None => (help, value.as_ref().map_or("none".to_owned(), |value| format!("`{value}`"))),
        };
        assert!(!default.contains(&root), "the default of {name} is of one machine: {default}");
        let at_run_time = match (SETTABLE.contains(name), AT_ONCE.contains(name)) {
            (_, true) => "at once",
            (true, false) => "next start",
            (false, false) => "",
        };
        let flag = flag.and_then(clap::Arg::get_long).map_or(String::new(), |flag| format!("`--{flag}`"));
        rows.push(vec![format!("`{name}`"), flag, default, at_run_time.to_owned(), what]);
    }
    let head = ["key", "flag", "default", "`config set`", "what for"];
    hold("the daemon's settings", &table(&head, &rows));

    let is_key = |flag: &clap::Arg| told.iter().any(|told| told.name == flag.get_id().as_str());
    let only_flags = command.get_arguments().filter(|flag| !is_key(flag) && flag.get_long().is_some());
    let rows: Vec<_> = only_flags
        .map(|flag| {
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            vec![format!("`--{}`", flag.get_long().unwrap_or_default()), help]
        })
        .collect();
    hold("the daemon's other flags", &table(&["flag", "what for"], &rows));
}
